"""Heads turned by warping."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.faces.align import TEMPLATE
from siamese.training.turning import LANDMARKS, SIZE, turned


def test_the_landmarks_are_those_that_crops_are_aligned_by() -> None:
    np.testing.assert_array_equal(LANDMARKS, TEMPLATE)


def test_a_head_that_is_not_turned_stays_as_it_is() -> None:
    columns, rows = turned(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    np.testing.assert_allclose(columns, x, atol=0.05)
    np.testing.assert_allclose(rows, y, atol=0.05)


@pytest.mark.parametrize("degrees", [24, 48, 68])
def test_turning_to_the_other_side_is_the_mirror_image(degrees: int) -> None:
    columns, rows = turned(degrees)
    others, same_rows = turned(-degrees)
    np.testing.assert_allclose(columns, SIZE - 1 - others[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(rows, same_rows[:, ::-1], atol=1e-4)


def test_the_farther_a_head_is_turned_the_less_of_its_far_half_is_seen() -> None:
    seen = []
    for degrees in (0, 24, 48, 68):
        cheeks = turned(-degrees)[0][50:80]  # the nose goes to the left: the left half turns away
        seen.append(float(np.abs(np.diff(np.clip(cheeks, 12, 50), axis=1)).clip(max=3).sum(axis=1).mean()))
    assert sorted(seen, reverse=True) == seen
    assert seen[-1] < 0.6 * seen[0]


def test_nothing_comes_from_outside_the_crop() -> None:
    for degrees in range(-80, 81, 20):
        for places in turned(degrees):
            assert places.min() >= 0
            assert places.max() <= SIZE - 1
