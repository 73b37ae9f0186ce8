"""The best looks at each track are kept with their pictures, and people are enrolled from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.config import EnrollSettings
from pipeline.enrolment.photos import Verdict
from pipeline.enrolment.portraits import Portrait, Portraits, of_one_face, template, to_enroll
from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.types import UNDECIDED, Frame, Look, Result, TrackedFace
from siamese.calibration import Calibration

CALIBRATION = Calibration(intercept=8.0, slope=0.8, ceiling=9.0, genuine=100, impostor=30_000)


@pytest.fixture
def shown(world: Any) -> Any:
    """A result of a frame with a face at 50, 50 that is so large, and a look at it."""

    def result(number: int, *place: float, quality: float = 0.5, track: int = 1, side: int = 80) -> Result:
        image = world.face(world.empty(), world.RED, 50, 50, side)
        box = np.array([50, 50, 50 + side, 50 + side], np.float32)
        landmarks = (box[:2] + TEMPLATE / SIZE * side).astype(np.float32)
        look = Look(track, box, landmarks, np.array(place, np.float32), quality)
        return Result(Frame(image, number, number / 10, "door"), (), looks=(look,))

    return result


def portrait(*place: float, quality: float = 0.5, flaw: str = "", crop: bool = True) -> Portrait:
    image = np.full((SIZE, SIZE, 3), int(abs(sum(place))) % 256, np.uint8) if crop else None
    return Portrait(1.5, np.array(place, np.float32), quality, image, flaw)


def test_a_look_is_kept_with_its_aligned_picture(shown: Any, world: Any) -> None:
    kept = Portraits(EnrollSettings())
    assert kept.take(shown(7, 1, 0)) == {1}
    (only,) = kept.of(1)
    assert (only.seconds, only.flaw) == (0.7, "")
    assert only.crop is not None
    assert only.crop.shape == (SIZE, SIZE, 3)
    assert world.colour_at(only.crop, [0, 0, SIZE, SIZE]) == world.RED
    kept.forget(1)
    assert kept.of(1) == ()


def test_the_best_and_most_different_are_kept(shown: Any) -> None:
    kept = Portraits(EnrollSettings(), most=2)
    kept.take(shown(1, 0, 0, quality=0.9))
    kept.take(shown(2, 1, 0, quality=0.5))
    assert kept.take(shown(3, 0, 0, quality=0.4)) == set(), "worse, and nothing new"
    assert kept.take(shown(4, 9, 0, quality=0.5)) == {1}
    assert [each.embedding.tolist() for each in kept.of(1)] == [[0, 0], [9, 0]]


def test_tracks_are_kept_apart_and_a_frame_without_its_picture_gives_none(shown: Any) -> None:
    kept = Portraits(EnrollSettings())
    kept.take(shown(1, 0, 0, track=1))
    kept.take(shown(2, 5, 5, track=2))
    bare = shown(3, 7, 7, track=3)
    bare = Result(Frame(np.zeros((0, 0, 3), np.uint8), 3, 0.3, "door"), (), looks=bare.looks)
    assert kept.take(bare) == set()
    assert [len(kept.of(track)) for track in (1, 2, 3)] == [1, 1, 0]


def test_nothing_is_kept_of_a_face_that_is_covered(shown: Any) -> None:
    kept, first = Portraits(EnrollSettings()), shown(1, 0, 0)
    kept.take(first)
    look = first.looks[0]
    face = TrackedFace(1, look.box, look.landmarks, 0.9, UNDECIDED, covered=True)
    assert kept.take(Result(shown(2, 9, 9).frame, (face,), looks=shown(2, 9, 9).looks)) == {1}
    assert kept.of(1) == ()


def test_a_face_too_small_to_enroll_is_kept_and_says_so(shown: Any) -> None:
    kept = Portraits(EnrollSettings())
    kept.take(shown(1, 0, 0, side=30))
    assert "too small (30 pixels" in kept.of(1)[0].flaw


def test_people_are_enrolled_from_what_is_fit_and_hear_of_the_rest() -> None:
    outcomes = to_enroll([portrait(0, 0), portrait(9, 9, flaw="face too small")], "the door")
    assert [(each.verdict, each.reason) for each in outcomes] == [
        (Verdict.ACCEPTED, ""),
        (Verdict.REJECTED, "face too small"),
    ]
    made = outcomes[0].template
    assert made is not None
    assert (made.origin, made.details) == ("the door at 1.5 s", {"seconds": 1.5})


def test_of_many_looks_the_eight_best_are_enrolled() -> None:
    outcomes = to_enroll([portrait(i, 0, quality=0.5 + i / 100) for i in range(12)], "the door")
    assert [each.verdict for each in outcomes] == [Verdict.ACCEPTED] * 8


def test_a_look_at_somebody_else_among_them_is_left_out() -> None:
    theirs = [portrait(0, i) for i in range(4)]
    assert of_one_face([*theirs, portrait(80, 0)], CALIBRATION) == theirs
    assert of_one_face([], CALIBRATION) == []


def test_a_look_is_known_by_its_picture_or_else_by_its_embedding() -> None:
    assert template(portrait(1, 2), "a").digest == template(portrait(2, 1), "b").digest
    bare = template(portrait(1, 2, crop=False), "a"), template(portrait(2, 1, crop=False), "a")
    assert bare[0].crop is None
    assert bare[0].digest != bare[1].digest
