"""Which face of a photograph is meant: said by the user, or plain to see; never guessed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.faces.choose import choose, parse_pick, subject, subjects
from pipeline.types import Detections


def faces(*boxes: tuple[float, float, float, float], scores: tuple[float, ...] = ()) -> Detections:
    n = len(boxes)
    certain = np.array(scores or (0.9,) * n, np.float32)
    return Detections(np.array(boxes, np.float32).reshape(n, 4), certain, np.zeros((n, 5, 2), np.float32))


RIGHT_SMALL, LEFT_LARGE, MIDDLE = (80, 10, 100, 30), (0, 0, 30, 30), (40, 0, 65, 25)


def test_the_only_large_face_is_it_and_small_ones_behind_do_not_count() -> None:
    assert choose(faces((0, 0, 10, 10), (20, 20, 120, 120)), 200, 200) == (1, "")
    assert choose(Detections.empty(), 200, 200) == (None, "no face found")


def test_several_faces_are_refused_with_their_number_and_how_to_choose() -> None:
    row, reason = choose(faces(RIGHT_SMALL, LEFT_LARGE, MIDDLE), 100, 30)
    assert row is None
    assert reason == (
        "3 faces; choose with --pick largest, center, or 1 to 3 from the left, or crop the photo"
    )


@pytest.mark.parametrize(("pick", "row"), [("largest", 1), ("center", 2), (1, 1), (2, 2), (3, 0)])
def test_a_pick_says_which(pick: str, row: int) -> None:
    assert choose(faces(RIGHT_SMALL, LEFT_LARGE, MIDDLE), 100, 30, pick) == (row, "")  # type: ignore[arg-type]


def test_a_number_beyond_the_faces_is_refused_with_how_many_there_are() -> None:
    assert choose(faces(LEFT_LARGE), 100, 30, 2) == (None, "there is no face 2 from the left, only 1")


def test_a_second_face_that_is_hardly_one_does_not_count() -> None:
    assert subjects(faces(LEFT_LARGE, MIDDLE, scores=(0.9, 0.5))).tolist() == [0]
    # The largest counts however unsure it is: there is nothing better.
    assert subjects(faces(LEFT_LARGE, scores=(0.45,))).tolist() == [0]


def test_a_pattern_that_is_larger_than_the_face_does_not_count_either() -> None:
    found = faces(LEFT_LARGE, MIDDLE, scores=(0.5, 0.9))
    assert choose(found, 100, 30) == (1, "")
    assert choose(found, 100, 30, "largest") == (1, "")
    behind = (70, 0, 82, 12)  # a third of the pattern, half of the face: a second subject
    assert subjects(faces(LEFT_LARGE, MIDDLE, behind, scores=(0.5, 0.9, 0.9))).tolist() == [1, 2]


def test_where_no_face_is_sure_the_surest_is_it() -> None:
    assert subjects(faces(LEFT_LARGE, MIDDLE, scores=(0.42, 0.5))).tolist() == [1]
    assert subjects(Detections.empty()).tolist() == []


def test_what_pick_may_say() -> None:
    assert [parse_pick(text) for text in (None, "largest", "center", "2")] == [None, "largest", "center", 2]
    for text in ("0", "left", "-1", ""):
        with pytest.raises(ConfigError, match="largest, center, or a number from 1"):
            parse_pick(text)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(40, 30, 60, 50), (0, 0, 18, 18)], 0),
        ([(0, 0, 18, 18), (40, 30, 60, 50)], 1),  # whatever the order
        ([(45, 35, 55, 45), (30, 20, 70, 60)], 1),  # both in the middle: the larger
        ([(0, 0, 30, 30), (42, 32, 58, 48)], 1),  # a large one at the edge is a passer-by
    ],
)
def test_the_subject_is_the_large_face_in_the_middle(
    boxes: list[tuple[float, float, float, float]], expected: int
) -> None:
    seen = faces(*boxes, scores=tuple(np.linspace(1, 0.5, len(boxes))))
    assert subject(seen, np.zeros((80, 100, 3), np.uint8)) == expected


def test_a_doubtful_face_in_the_middle_is_not_the_subject_beside_a_sure_one() -> None:
    for scores, expected in (((0.45, 0.99), 1), ((0.6, 0.99), 0)):
        seen = faces((40, 30, 60, 50), (0, 0, 20, 20), scores=scores)
        assert subject(seen, np.zeros((80, 100, 3), np.uint8)) == expected
