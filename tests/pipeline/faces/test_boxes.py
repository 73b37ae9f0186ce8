"""Overlap of boxes, against counting pixels and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.faces.boxes import area, iou, nested
from pipeline.types import Floats

SIDE = 12


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def counted(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """IoU of two boxes by painting them, pixel by pixel."""
    one, other = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    one[a[1] : a[3], a[0] : a[2]] = True
    other[b[1] : b[3], b[0] : b[2]] = True
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 0.0


corner = st.integers(0, SIDE)
painted = st.tuples(corner, corner, corner, corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@given(st.lists(painted, max_size=4), st.lists(painted, max_size=4))
def test_the_overlap_is_what_counting_pixels_gives(
    a: list[tuple[int, int, int, int]], b: list[tuple[int, int, int, int]]
) -> None:
    overlaps = iou(boxes(*a), boxes(*b))
    assert overlaps.shape == (len(a), len(b))
    assert overlaps.dtype == np.float32
    expected = [[counted(one, other) for other in b] for one in a]
    np.testing.assert_allclose(overlaps, np.reshape(expected, overlaps.shape), atol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),  # they touch
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),  # one inside the other
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),  # no area at all
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0),  # inside out
    ],
)
def test_known_overlaps(a: tuple[float, ...], b: tuple[float, ...], expected: float) -> None:
    overlap = iou(np.array([a], np.float32), np.array([b], np.float32))
    assert overlap[0, 0] == pytest.approx(expected)


def test_the_area_of_a_box_inside_out_is_nothing() -> None:
    np.testing.assert_array_equal(area(boxes((1, 2, 4, 6), (4, 2, 1, 6), (4, 6, 1, 2))), [12, 0, 0])


def test_a_box_is_nested_in_an_earlier_one_that_holds_it_or_that_it_holds() -> None:
    whole, part, aside, around = [0, 0, 10, 10], [2, 2, 6, 6], [8, 0, 18, 10], [-5, -5, 15, 15]
    boxes = np.array([whole, part, aside, around], np.float32)
    assert nested(boxes, 0.8).tolist() == [False, True, False, True]
    assert nested(boxes, 0.2).tolist() == [False, True, True, True]
    assert nested(boxes[:0], 0.8).shape == (0,)
