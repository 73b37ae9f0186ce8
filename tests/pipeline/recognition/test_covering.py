"""What is covered in a frame: whoever is there, was there a moment ago, or will be there in a moment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.config import BlurSettings
from pipeline.recognition.covering import Covering
from pipeline.recognition.held import given_out
from pipeline.recognition.paint import Painter
from pipeline.types import UNDECIDED, Floats, Frame, Identity, Result, State, TrackedFace

FPS = 8  # times are exact
ROSA, OTTO = Identity(State.NAMED, "Rosa", 0.99), Identity(State.NAMED, "Otto", 0.99)
NOBODY = Identity(State.UNKNOWN, None, 0.97)
PICTURE = np.zeros((4, 4, 3), np.uint8)


def strangers(identity: Identity) -> bool:
    """The rule `unknown`."""
    return identity.state is not State.NAMED


def face(
    left: float = 0, key: int = 0, covers: bool = True, found: bool = True, identity: Identity = UNDECIDED
) -> TrackedFace:
    box = np.array([left, 0, left + 10, 10], np.float32)
    points = np.full((5, 2), left, np.float32)
    return TrackedFace(key, box, points, 0.9, identity, key=key, found=found, covered=covers)


def result(
    index: int,
    *faces: TrackedFace,
    faint: Floats | None = None,
    rare: Floats | None = None,
    cut: bool = False,
) -> Result:
    return Result(Frame(PICTURE, index, index / FPS, "film"), faces, faint=faint, rare=rare, cut=cut)


def shown(results: list[Result], ahead: float = 0.5, linger: float = 0.5, reach: float = 0.0) -> list[Result]:
    return list(given_out(results, Covering(BlurSettings(margin=0.0, linger=linger), ahead, reach=reach)))


def hides(each: Result, x: float, y: float = 5) -> bool:
    """Whether a point of the picture is covered."""
    assert each.covers is not None
    return any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in each.covers.tolist())


def test_who_is_shown_is_shown_and_who_is_covered_is_covered() -> None:
    (one,) = shown([result(0, face(0), face(100, key=1, covers=False))])
    assert hides(one, 5)
    assert not hides(one, 105)


def test_a_lost_face_stays_covered_for_a_while_ever_more_widely() -> None:
    film = [result(i, *([face(50)] if i == 0 else [])) for i in range(8)]
    told = shown(film, ahead=0)  # live: nothing is known of what comes
    assert [hides(each, 55) for each in told] == [True] * 5 + [False] * 3  # half a second
    widths = [float(each.covers[0, 2] - each.covers[0, 0]) for each in told[:5] if each.covers is not None]
    assert widths == sorted(widths)
    assert widths[-1] > 1.5 * widths[0]


def test_half_a_second_has_as_many_frames_in_a_film_of_29_97_as_in_one_of_30() -> None:
    fps = 30000 / 1001
    film = [Result(Frame(PICTURE, i, i / fps, "film"), (face(50),) if i == 20 else ()) for i in range(40)]
    assert [hides(each, 55) for each in shown(film)] == [5 <= i <= 35 for i in range(40)]


def test_in_a_film_a_face_is_covered_before_it_is_first_found() -> None:
    film = [result(i, *([face(50)] if i == 7 else [])) for i in range(8)]
    assert [hides(each, 55) for each in shown(film)] == [False] * 3 + [True] * 5


def test_between_two_sightings_both_places_are_covered_and_what_lies_between() -> None:
    film = [result(0, face(0)), result(1, face(40, found=False)), result(2, face(80))]
    middle = shown(film)[1]
    assert all(hides(middle, x) for x in (5, 45, 85))


def test_who_is_named_is_not_covered_for_having_been_undecided_before() -> None:
    film = [result(0, face(0)), result(1, face(0, covers=False, identity=ROSA)), result(2)]
    assert [hides(each, 5) for each in shown(film)][:2] == [True, False]


def test_what_is_only_faint_is_covered_in_the_frames_around_it_too() -> None:
    faint = np.array([[20, 0, 30, 10]], np.float32)
    film = [result(i, faint=faint if i == 4 else None) for i in range(9)]
    around = [False] * 2 + [True] * 5 + [False] * 2
    assert [hides(each, 25) for each in shown(film, linger=0.25)] == around
    assert [hides(each, 25) for each in shown(film, ahead=0, linger=0.25)] == [False] * 4 + [True] * 3 + [
        False
    ] * 2


def test_what_is_looked_for_less_often_is_covered_for_longer_and_the_more_widely() -> None:
    rare = np.array([[20, 0, 30, 10]], np.float32)
    film = [result(i, rare=rare if i == 6 else None, cut=i == 9) for i in range(12)]
    told = shown(film, ahead=0.5, linger=0.25, reach=0.5)
    assert [hides(each, 25) for each in told] == [False] * 2 + [True] * 7 + [False] * 3  # to the cut
    assert [hides(each, 18) for each in told] == [2 <= i < 9 and abs(i - 6) >= 3 for i in range(12)]
    told = shown(film, ahead=0.25, linger=0.25)  # for no longer than the rest
    assert [hides(each, 25) for each in told] == [4 <= i <= 8 for i in range(12)]


def test_a_cut_ends_what_lingers_but_not_at_once() -> None:
    film = [
        Result(Frame(PICTURE, i, i / 25, "film"), (face(50),) if i == 0 else (), cut=i == 1) for i in range(8)
    ]
    assert [hides(each, 55) for each in shown(film)] == [True] * 3 + [False] * 5  # 0.1 s


def test_of_a_person_whose_face_is_not_seen_all_is_covered() -> None:
    body, head = np.array([0, 0, 50, 100], np.float32), np.array([20, 5, 30, 15], np.float32)
    points = np.zeros((5, 2), np.float32)
    seen = TrackedFace(0, body, points, 0.9, UNDECIDED, face=head, key=0, covered=True)
    turned = TrackedFace(1, body + 100, points, 0.9, UNDECIDED, key=1, covered=True)
    (one,) = shown([result(0, seen, turned)])
    assert (hides(one, 25, 10), hides(one, 25, 90), hides(one, 125, 190)) == (True, False, True)


def test_what_was_held_back_comes_before_the_error_that_ends_the_film() -> None:
    def film() -> Iterator[Result]:
        yield result(0, face(0))
        raise OSError("gone")

    told = given_out(film(), Covering(BlurSettings(), 0.5))
    assert next(told).frame.index == 0
    with pytest.raises(OSError, match="gone"):
        next(told)


def painted_back(*faces: TrackedFace | None) -> list[bool]:
    """Whether the one face of each frame is covered, after names were painted back by the rule `unknown`."""
    painter = Painter(10.0, None, patience=1.0, pictures=False, covers=strangers)
    film = [result(i, *([each] if each is not None else [])) for i, each in enumerate(faces)]
    return [each.faces[0].covered for each in given_out(film, painter)]


def as_then(identity: Identity, found: bool = True) -> TrackedFace:
    return face(covers=strangers(identity), identity=identity, found=found)


def test_a_name_that_is_painted_back_uncovers_nothing() -> None:
    told = painted_back(*[as_then(UNDECIDED)] * 3, *[as_then(ROSA)] * 3)
    assert told == [True] * 3 + [False] * 3


def test_a_verdict_that_is_taken_back_covers_what_it_had_uncovered() -> None:
    assert painted_back(*[as_then(ROSA)] * 3, *[as_then(NOBODY)] * 3) == [True] * 6


def test_where_a_track_goes_over_to_somebody_else_the_second_before_is_judged_by_both() -> None:
    def only_rosa(identity: Identity) -> bool:
        return identity.name != "Rosa"

    painter = Painter(10.0, None, patience=5.0, pictures=False, covers=only_rosa)
    faces = [face(covers=False, identity=ROSA)] * 16 + [face(covers=True, identity=OTTO)] * 4
    told = [each.faces[0].covered for each in given_out([result(i, f) for i, f in enumerate(faces)], painter)]
    assert told == [False] * 8 + [True] * 12


def test_a_gap_in_a_track_is_covered_whoever_it_is_before_and_after() -> None:
    assert painted_back(as_then(ROSA), None, as_then(ROSA)) == [False, True, False]


def test_without_a_rule_nothing_is_covered() -> None:
    painter = Painter(10.0, None, patience=1.0, pictures=False)
    told = list(given_out([result(0, face(covers=False)), result(1), result(2, face(covers=False))], painter))
    assert not any(each.faces[0].covered for each in told)
