"""What is kept of a visit shows no more than was to be seen."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from pipeline.service.visits import Visit, Visits
from pipeline.types import Floats, Frame, Identity, Look, Result, State, TrackedFace

ALICE, NOBODY = Identity(State.NAMED, "alice", 0.99), Identity(State.UNKNOWN, None, 0.97)
MARKS = np.zeros((5, 2), np.float32)


def result(
    index: int, covered: bool, identity: Identity, quality: float, box: Floats | None = None
) -> Result:
    """A frame as bright as its number; a covered one is dark, as a picture that leaves a stream would be."""
    image = np.full((120, 160, 3), 0 if covered else 100 + 20 * index, np.uint8)
    place = np.array([40, 30, 80, 80], np.float32) if box is None else box
    face = TrackedFace(1, place, MARKS, 0.9, identity, covered=covered)
    look = Look(1, place, MARKS, np.zeros(4, np.float32), quality)
    return Result(Frame(image, index, index / 10, "film"), (face,), {}, (look,))


def kept(*results: Result) -> list[float]:
    """How bright each picture is that was kept of the one visit, in turn."""
    visits, pictures = Visits("source", "run", lambda name: name, 1.0), list[Visit]()
    for each in results:
        pictures += [visit for visit, _ in visits.take(each) if visit.thumbnail is not None]
    data = [np.frombuffer(visit.thumbnail or b"", np.uint8) for visit in pictures]
    return [float(np.mean(cv2.imdecode(each, cv2.IMREAD_COLOR))) for each in data]


def test_a_picture_in_which_a_face_was_seen_gives_way_once_it_is_covered() -> None:
    bright, dark = kept(result(1, False, NOBODY, 0.9), result(2, True, ALICE, 0.1))
    assert (bright > 100, dark < 10) == (True, True)
    # Also where there is no picture to take its place.
    outside = np.array([900, 900, 950, 950], np.float32)
    assert kept(result(1, False, NOBODY, 0.9), result(2, True, ALICE, 0.1, outside))[-1] < 10


def test_a_face_that_is_not_covered_any_more_is_better_seen() -> None:
    dark, bright = kept(result(1, True, NOBODY, 0.9), result(2, False, ALICE, 0.1))
    assert (bright > 100, dark < 10) == (True, True)


def test_who_is_not_enrolled_any_more_is_not_named() -> None:
    visits = Visits("source", "run", lambda name: None, 1.0)
    ((visit, _),) = visits.take(result(1, False, replace(ALICE, why="alice, by far"), 0.9))
    assert (visit.state, visit.name, visit.person, visit.why) == ("undecided", None, None, "")
