"""Which proposals of several sizes are faces, by examples made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detection.training.agreement import agree, drawn, facts, holds, sized, sizes_for
from pipeline.types import Detections, Floats


def look(*rows: tuple[float, float, float, float, float]) -> Detections:
    """What one size proposes, `x1 y1 x2 y2 score`, with landmarks in the middles."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    middles = (table[:, :2] + table[:, 2:4]) / 2
    return Detections(table[:, :4], table[:, 4], np.repeat(middles[:, None], 5, axis=1))


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_sizes_lie_about_a_photographs_own_and_within_bounds() -> None:
    assert sizes_for((640, 480, 3)) == [480, 640, 896]
    assert sizes_for((100, 90, 3)) == [160]
    assert sizes_for((3000, 4000, 3)) == [2048]


def test_one_face_of_two_sizes_is_their_mean_by_squared_score() -> None:
    agreed = agree([look((0, 0, 20, 20, 0.8)), look((2, 0, 22, 20, 0.4)), look((50, 50, 60, 60, 0.3))])
    assert len(agreed.found) == 2
    np.testing.assert_allclose(agreed.found.boxes[0], [0.4, 0, 20.4, 20], atol=1e-4)
    np.testing.assert_allclose(agreed.found.landmarks[0, 0], [10.4, 10], atol=1e-4)
    np.testing.assert_allclose(agreed.found.scores, [0.8, 0.3])
    np.testing.assert_array_equal(agreed.votes, [1, 0])


def test_two_boxes_of_one_size_are_one_vote() -> None:
    assert agree([look((0, 0, 20, 20, 0.8), (1, 0, 21, 20, 0.7))]).votes.tolist() == [1]
    assert agree([look((0, 0, 20, 20, 0.8)), look((1, 0, 21, 20, 0.7))]).votes.tolist() == [2]


def test_where_nothing_is_proposed_there_are_no_faces() -> None:
    known = facts(agree([look(), look()]))
    assert (known.boxes.shape, known.landmarks.shape, known.unsure.shape) == ((0, 4), (0, 5, 2), (0, 4))


@pytest.mark.parametrize(
    ("scores", "kind"),
    [
        ((0.8, 0.0), "face"),  # very sure of it once
        ((0.6, 0.5), "face"),  # fairly sure twice
        ((0.6, 0.4), "unsure"),
        ((0.15, 0.15), "nothing"),
    ],
)
def test_a_size_that_is_very_sure_or_two_that_agree_make_a_face(
    scores: tuple[float, float], kind: str
) -> None:
    known = facts(agree([look((0, 0, 20, 20, score)) if score else look() for score in scores]))
    assert (len(known.boxes), len(known.unsure)) == {"face": (1, 0), "unsure": (0, 1), "nothing": (0, 0)}[
        kind
    ]


def test_a_face_in_a_marked_head_needs_less_and_one_elsewhere_more() -> None:
    agreed = agree([look((0, 0, 20, 20, 0.65), (50, 0, 70, 20, 0.8), (100, 0, 120, 20, 0.9))])
    known = facts(agreed, boxes((-3, -8, 23, 22)))
    np.testing.assert_allclose(known.boxes, [[100, 0, 120, 20], [0, 0, 20, 20]])
    np.testing.assert_allclose(known.unsure, [[50, 0, 70, 20]])


def test_a_marked_head_without_a_face_is_unsure_unless_it_is_large_and_nothing_is_suspected() -> None:
    small, large, suspicious = (0, 0, 20, 20), (100, 0, 160, 60), (200, 0, 260, 60)
    known = facts(agree([look((220, 20, 240, 40, 0.12))]), boxes(small, large, suspicious))
    np.testing.assert_allclose(known.unsure, [small, suspicious])


def test_a_point_belongs_to_the_face_it_lies_on_and_is_as_large_as_its_neighbours() -> None:
    faces = boxes((0, 0, 20, 20), (30, 0, 50, 20), (60, 0, 80, 20))
    points = boxes((10, 5, 10, 5), (100, 10, 100, 10))
    np.testing.assert_array_equal(holds(faces, points)[:, 0], [True, False, False])
    assert not holds(faces, points)[:, 1].any()
    np.testing.assert_allclose(sized(points, faces)[1], [86, -4, 114, 24], atol=1e-4)
    np.testing.assert_allclose(sized(points, faces[:0])[1], [91.6, 1.6, 108.4, 18.4], atol=1e-4)


def test_what_lies_mostly_on_a_sure_face_is_not_unsure() -> None:
    known = facts(agree([look((0, 0, 40, 40, 0.9), (5, 5, 20, 20, 0.4))]))
    assert (len(known.boxes), len(known.unsure)) == (1, 0)


def test_drawn_faces_take_landmarks_from_what_fits_and_stay_without_where_nothing_does() -> None:
    found = look(
        (1, 0, 21, 20, 0.3), (100, 100, 120, 120, 0.6), (200, 0, 220, 20, 0.3), (150, 0, 170, 20, 0.9)
    )
    known = drawn(boxes((0, 0, 20, 20), (50, 50, 60, 60)), found)
    np.testing.assert_array_equal(known.boxes, [(0, 0, 20, 20), (50, 50, 60, 60), (150, 0, 170, 20)])
    assert np.isfinite(known.landmarks).all(axis=(1, 2)).tolist() == [True, False, True]
    # Neither drawn nor sure is one; the other is doubted so much that the people are right.
    np.testing.assert_array_equal(known.unsure, [(100, 100, 120, 120)])
