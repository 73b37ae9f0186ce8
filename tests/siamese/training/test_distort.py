"""Distortions of one face at a time."""

from __future__ import annotations

import numpy as np
import pytest

from siamese.training.distort import distorted

FACE = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
FACE = np.ascontiguousarray(np.kron(FACE[::8, ::8], np.ones((8, 8, 1), np.uint8)))


@pytest.mark.parametrize("strength", [0.0, 0.7, 1.0])
def test_a_distorted_face_is_a_crop_like_others(strength: float) -> None:
    random = np.random.default_rng(1)
    before = FACE.copy()
    for _ in range(60):  # each distortion comes up
        made = distorted(FACE, random, strength)
        assert made.shape == FACE.shape
        assert made.dtype == np.uint8
    np.testing.assert_array_equal(FACE, before)


def test_the_same_generator_distorts_alike_and_another_does_not() -> None:
    one, same, other = (distorted(FACE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_without_strength_a_face_keeps_its_detail() -> None:
    def detail(strength: float) -> float:
        random = np.random.default_rng(3)
        made = [distorted(FACE, random, strength).astype(np.float64) for _ in range(80)]
        return float(np.mean([np.abs(np.diff(each, axis=1)).mean() for each in made]))

    assert detail(0.0) > detail(1.0)
