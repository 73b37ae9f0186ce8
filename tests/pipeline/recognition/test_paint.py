"""Names reach back to a track's first frame, boxes are interpolated, and what is held back is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.recognition.held import given_out
from pipeline.recognition.paint import Painter, with_pictures
from pipeline.types import UNDECIDED, Frame, Identity, Result, State, TrackedFace

FPS = 8  # times are exact
ROSA, OTTO = Identity(State.NAMED, "Rosa", 0.99), Identity(State.NAMED, "Otto", 0.99)
NOBODY = Identity(State.UNKNOWN, None, 0.97)
PICTURE = np.zeros((4, 4, 3), np.uint8)


def face(
    identity: Identity, track: int = 0, key: int = 0, left: float = 0, found: bool = True
) -> TrackedFace:
    box = np.array([left, 0, left + 10, 10], np.float32)
    points = np.full((5, 2), left, np.float32)
    return TrackedFace(track, box, points, 0.9, identity, key=key, found=found)


def result(index: int, *faces: TrackedFace) -> Result:
    return Result(Frame(PICTURE, index, index / FPS, "film"), faces)


def a_film(delay: float = 10.0, settle: float | None = 2.0, pictures: bool = False) -> Painter:
    return Painter(delay, settle, patience=1.0, pictures=pictures)


def told(results: list[Result]) -> list[str | None]:
    """The name of the one face of each result."""
    return [each.faces[0].identity.name if each.faces else None for each in results]


def test_a_name_is_painted_back_to_the_first_sighting_even_before_the_track_was_confirmed() -> None:
    verdicts = [face(UNDECIDED, -1)] * 2 + [face(UNDECIDED)] * 20 + [face(ROSA)] * 30
    shown = list(given_out([result(i, each) for i, each in enumerate(verdicts)], a_film()))
    assert [each.frame.index for each in shown] == list(range(52))
    assert told(shown) == ["Rosa"] * 52
    assert {each.faces[0].track for each in shown} == {0}


def test_a_verdict_that_does_not_stand_is_never_shown() -> None:
    verdicts = [UNDECIDED] * 5 + [ROSA] * 10 + [NOBODY] * 40
    shown = list(given_out([result(i, face(each)) for i, each in enumerate(verdicts)], a_film()))
    assert told(shown) == [None] * 55
    assert {each.faces[0].identity.state for each in shown} == {State.UNKNOWN}


def test_where_a_track_goes_over_to_somebody_else_the_frames_before_keep_their_name() -> None:
    verdicts = [UNDECIDED] * 3 + [ROSA] * 5 + [UNDECIDED] * 3 + [OTTO] * 9
    shown = list(given_out([result(i, face(each)) for i, each in enumerate(verdicts)], a_film()))
    # Falling back to undecided takes the name back; gone over at once, it stands.
    assert told(shown)[11:] == ["Otto"] * 9
    at_once = [ROSA] * 8 + [OTTO] * 8
    shown = list(given_out([result(i, face(each)) for i, each in enumerate(at_once)], a_film()))
    assert told(shown) == ["Rosa"] * 8 + ["Otto"] * 8


def test_boxes_between_two_sightings_are_interpolated_whatever_the_tracker_guessed() -> None:
    film = [
        result(0, face(ROSA, left=0)),
        result(1, face(ROSA, left=77, found=False)),
        result(2),  # not even guessed
        result(3, face(ROSA, left=30)),
    ]
    shown = list(given_out(film, a_film()))
    assert [float(each.faces[0].box[0]) for each in shown] == pytest.approx([0, 10, 20, 30])
    assert [float(each.faces[0].landmarks[0, 0]) for each in shown] == pytest.approx([0, 10, 20, 30])
    assert [each.faces[0].found for each in shown] == [True, False, False, True]


def test_a_long_absence_is_not_filled() -> None:
    film = [result(i, *([face(ROSA)] if i in (0, 1, 9) else [])) for i in range(10)]
    shown = list(given_out(film, a_film()))
    assert [len(each.faces) for each in shown] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_after_the_last_sighting_the_trackers_guess_is_all_there_is() -> None:
    film = [result(0, face(ROSA)), result(1, face(ROSA, left=5, found=False)), result(2)]
    shown = list(given_out(film, a_film()))
    assert [[float(f.box[0]) for f in each.faces] for each in shown] == [[0], [5], []]


def test_frames_without_faces_and_with_settled_ones_are_given_out_without_waiting() -> None:
    painter = a_film()
    assert len(list(painter.take(result(0)))) == 1
    held = [len(list(painter.take(result(i, face(ROSA))))) for i in range(1, 27)]
    assert held[:16] == [0] * 16  # two seconds after the verdict
    assert held[16:] == [17] + [1] * 9  # and then all that was held


def test_an_undecided_track_is_waited_for_as_long_as_the_delay_and_no_longer() -> None:
    painter = a_film(delay=3.0)
    held = [len(list(painter.take(result(i, face(UNDECIDED))))) for i in range(500)]
    assert held == [0] * 24 + [1] * 476
    assert len(painter._tracks[0].sightings) <= 32  # nor does what is remembered of it grow


def test_a_live_source_is_delayed_by_exactly_so_much_and_keeps_its_pictures() -> None:
    painter = a_film(delay=0.5, settle=None, pictures=True)
    held = [list(painter.take(result(i, face(ROSA)))) for i in range(10)]
    assert [len(each) for each in held] == [0] * 4 + [1] * 6
    assert held[4][0].frame.image is PICTURE
    (at_once,) = a_film(delay=0, settle=None, pictures=True).take(result(0, face(ROSA)))
    assert at_once.faces[0].identity == ROSA


def test_a_films_pictures_are_not_held_and_come_back_from_a_second_reading() -> None:
    first = [result(i, face(ROSA)) for i in range(30)]
    bare = list(given_out(first, a_film()))
    assert {each.frame.image.size for each in bare} == {0}
    again = [Frame(np.full((4, 4, 3), i, np.uint8), i, i / FPS, "film") for i in range(20)]
    shown = list(with_pictures(iter(bare), again))
    assert [int(each.frame.image[0, 0, 0]) for each in shown] == list(range(20))  # as far as it could be read
    assert told(shown) == ["Rosa"] * 20


def test_what_was_held_back_comes_before_the_error_that_ended_the_results() -> None:
    def broken() -> Iterator[Result]:
        for i in range(5):
            yield result(i, face(UNDECIDED))
        raise OSError("gone")

    shown = given_out(broken(), a_film())
    assert [next(shown).frame.index for _ in range(5)] == list(range(5))
    with pytest.raises(OSError, match="gone"):
        next(shown)


def test_tracks_that_are_over_are_forgotten() -> None:
    painter = a_film()
    for i in range(1000):
        list(painter.take(result(i, face(ROSA, track=i, key=i))))
    assert len(painter._tracks) < 2 * 2.0 * FPS + 15


def test_pictures_that_are_held_never_take_more_than_the_room_there_is() -> None:
    """However long the delay, a live source's pictures fit into memory; what is given out early is known."""
    image = np.zeros((100, 100, 3), np.uint8)
    painter = Painter(float("inf"), None, patience=1.0, pictures=True, room=10 * image.nbytes)
    given, most = [], 0
    for index in range(100):
        given += list(painter.take(Result(Frame(image, index, index / 10, "camera"), ())))
        most = max(most, sum(result.frame.image.nbytes for result in painter._held))
    given += list(painter.rest())
    assert most <= 10 * image.nbytes
    assert [result.frame.index for result in given] == list(range(100))
    assert painter.shortest is not None
    assert painter.shortest <= 1.0
    assert painter._taken == 0


def test_where_there_is_room_nothing_is_given_out_early() -> None:
    painter = Painter(1.0, None, patience=1.0, pictures=True)
    for index in range(30):
        list(painter.take(Result(Frame(np.zeros((4, 4, 3), np.uint8), index, index / 10, "camera"), ())))
    assert painter.shortest is None
