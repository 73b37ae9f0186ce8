"""The head on frozen embeddings, on people whose embeddings are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from siamese import metrics
from siamese.errors import DataError
from siamese.frozen.head import fit_head
from siamese.frozen.whiten import within_people
from siamese.metrics import Floats, Ints

NOISE = np.array([0.2, 0.2, 0.2, 0.2, 2.0, 2.0, 2.0, 2.0])


def drawn(people: int, images: int, seed: int) -> tuple[Floats, Ints]:
    """Four coordinates that tell people apart, and four in which everybody varies much."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), images)
    embeddings = random.normal(size=(people, 8))[labels] + NOISE * random.normal(size=(len(labels), 8))
    return embeddings.astype(np.float32), labels


@pytest.mark.parametrize("whiten", [True, False])
def test_the_head_tells_people_apart_whom_it_has_not_seen_better_than_plain_l1(whiten: bool) -> None:
    head = fit_head(*drawn(60, 4, seed=0), whiten=whiten)
    assert (head.weights >= 0).all()
    assert head.genuine == 60 * 6
    embeddings, labels = drawn(60, 4, seed=1)
    plain = metrics.verification(*metrics.every_pair(embeddings, labels))["eer"]
    fitted = metrics.verification(*metrics.every_pair(head.apply(embeddings), labels))["eer"]
    assert fitted < 0.8 * plain


def test_the_bias_parts_pairs_of_one_person_from_pairs_of_two() -> None:
    head = fit_head(*drawn(60, 4, seed=0))
    distances, same = metrics.every_pair(head.apply(drawn(60, 4, seed=1)[0]), drawn(60, 4, seed=1)[1])
    verdicts = distances < head.bias
    assert verdicts[same].mean() > 0.8
    assert verdicts[~same].mean() < 0.2


def test_whitening_makes_the_scatter_within_people_round() -> None:
    embeddings, labels = drawn(400, 5, seed=0)
    matrix = within_people(embeddings, labels, shrinkage=0.0)
    white = embeddings @ matrix
    apart = np.concatenate([white[labels == p] - white[labels == p].mean(axis=0) for p in range(400)])
    scatter = np.cov(apart.T)
    np.testing.assert_allclose(scatter / scatter[0, 0], np.eye(8), atol=0.12)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    np.testing.assert_array_equal(within_people(embeddings, np.arange(2000), 0.1), np.eye(8))


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0]])
def test_one_kind_of_pair_is_not_enough(labels: list[int]) -> None:
    with pytest.raises(DataError, match="two people, and two images of one"):
        fit_head(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), np.array(labels))
