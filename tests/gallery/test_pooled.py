"""Several embeddings of a face as one: a mean that keeps the length, and what that is good for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.pooled import pool
from gallery.types import Floats


def faces(people: int, photos: int, noise: float, seed: int) -> Floats:
    """Embeddings (people, photos, 96) of unit length: what a person is, and each photo's own part."""
    dice = np.random.default_rng(seed)
    each = dice.standard_normal((people, 1, 96)) + noise * dice.standard_normal((people, photos, 96))
    return np.asarray(each / np.linalg.norm(each, axis=-1, keepdims=True), np.float32)


@pytest.mark.parametrize("weight", [0.03, 1.0])
def test_one_embedding_is_itself_whatever_its_weight(weight: float) -> None:
    (photo,) = faces(1, 1, 0.0, 0)
    np.testing.assert_allclose(pool(photo, [weight]), photo[0], rtol=1e-6)


def test_embeddings_count_by_their_weights() -> None:
    two = np.array([[4.0, 0.0], [0.0, 4.0]], np.float32)
    np.testing.assert_allclose(pool(two, [0.9, 0.3]), [3, 1], rtol=1e-6)
    np.testing.assert_allclose(pool(two), [2, 2], rtol=1e-6)


@given(st.integers(1, 40), st.floats(0.0, 3.0), st.integers(0, 99))
def test_the_length_is_the_mean_length_of_what_was_pooled(count: int, noise: float, seed: int) -> None:
    photos = faces(1, count, noise, seed)[0]
    assert np.abs(pool(photos)).sum() == pytest.approx(np.abs(photos).sum(axis=1).mean(), rel=1e-4)


def test_embeddings_that_cancel_out_and_none_at_all_are_no_face() -> None:
    assert not pool(np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)).any()
    assert pool(np.zeros((0, 3), np.float32)).tolist() == [0, 0, 0]


def test_the_same_person_comes_nearer_and_strangers_do_not() -> None:
    photos = faces(300, 8, 1.0, 2)
    enrolled = photos[:, 0]
    gaps = {}
    for count in (1, 3, 7):
        pooled = np.stack([pool(each[1 : 1 + count]) for each in photos])
        distances = np.abs(pooled[:, None] - enrolled[None]).sum(axis=2)
        strangers = distances[~np.eye(300, dtype=bool)]
        gaps[count] = (np.diag(distances).mean(), strangers.mean(), np.quantile(strangers, 0.001))
    for fewer, more in ((1, 3), (3, 7)):
        assert gaps[more][0] < 0.97 * gaps[fewer][0]
        assert gaps[more][1] > 0.995 * gaps[fewer][1]
        assert gaps[more][2] > 0.97 * gaps[fewer][2]
