"""Who is looked at, when, and who waits."""

from __future__ import annotations

import numpy as np

from pipeline.config import AttentionSettings
from pipeline.tracking.attention import Attention
from pipeline.types import State

OPEN, NAMED, UNKNOWN = State.UNDECIDED, State.NAMED, State.UNKNOWN


def due(
    attention: Attention,
    seconds: float,
    tracks: list[int],
    states: list[State] | None = None,
    sizes: list[float] | None = None,
) -> list[int]:
    given = np.array(sizes or [50.0] * len(tracks), np.float32)
    return attention.due(np.array(tracks, np.int64), states or [OPEN] * len(tracks), given, seconds)


def look_at(attention: Attention, tracks: list[int], seconds: float) -> None:
    for track in tracks:
        attention.looked(track, seconds)


def test_a_new_track_is_looked_at_at_once_and_an_unconfirmed_face_not() -> None:
    assert due(Attention(AttentionSettings()), 0.0, [3, -1, 4]) == [0, 2]


def test_an_undecided_track_is_looked_at_again_after_the_interval() -> None:
    attention = Attention(AttentionSettings(interval=0.25, recheck=2))
    look_at(attention, [7], 1.0)
    assert due(attention, 1.125, [7]) == []
    assert due(attention, 1.25, [7]) == [0]


def test_a_decided_track_waits_for_the_recheck() -> None:
    attention = Attention(AttentionSettings(interval=0.25, recheck=2))
    look_at(attention, [7, 8, 9], 1.0)
    assert due(attention, 2.0, [7, 8, 9], [NAMED, UNKNOWN, OPEN]) == [2]
    assert due(attention, 3.0, [7, 8, 9], [NAMED, UNKNOWN, OPEN]) == [2, 0, 1]


def test_the_undecided_come_first_and_of_those_the_largest() -> None:
    attention = Attention(AttentionSettings())
    states, sizes = [NAMED, OPEN, OPEN, UNKNOWN, OPEN], [300.0, 20.0, 90.0, 310.0, 40.0]
    assert due(attention, 0.0, [0, 1, 2, 3, 4], states, sizes) == [2, 4, 1, 3, 0]


def test_the_budget_limits_a_frame_and_those_left_over_come_next() -> None:
    attention = Attention(AttentionSettings(budget=2))
    tracks, sizes, turns = [10, 11, 12, 13, 14], [50.0, 90.0, 70.0, 60.0, 80.0], []
    for frame in range(3):
        rows = due(attention, frame * 0.04, tracks, sizes=sizes)
        look_at(attention, [tracks[row] for row in rows], frame * 0.04)
        turns.append(rows)
    assert turns == [[1, 4], [2, 3], [0]]


def test_each_track_is_looked_at_as_often_as_the_interval_allows() -> None:
    attention, looks = Attention(AttentionSettings(interval=0.1)), 0
    for frame in range(250):  # ten seconds at 25 frames a second
        rows = due(attention, frame * 0.04, [0])
        look_at(attention, [0] * len(rows), frame * 0.04)
        looks += len(rows)
    assert 80 <= looks <= 100


def test_a_track_that_ended_is_forgotten() -> None:
    attention = Attention(AttentionSettings(interval=10))
    look_at(attention, [1, 2], 0.0)
    attention.forget(frozenset({2}))
    assert due(attention, 1.0, [1, 2]) == [0]


def test_nobody_in_view_is_nobody_due() -> None:
    assert due(Attention(AttentionSettings()), 0.0, []) == []


def test_another_picture_in_the_place_of_a_face_is_looked_at_at_once_and_within_the_budget() -> None:
    attention = Attention(AttentionSettings(recheck=2, budget=1))
    look_at(attention, [7, 8], 1.0)
    states, sizes = [NAMED, NAMED], np.array([50, 60], np.float32)
    tracks, changed = np.array([7, 8]), np.array([True, False])
    assert attention.due(tracks, states, sizes, 1.1, changed) == [0]
    assert attention.due(tracks, states, sizes, 1.1, ~changed) == [1]


def test_where_they_may_be_others_everybody_is_looked_at() -> None:
    attention = Attention(AttentionSettings(recheck=2, budget=1))
    look_at(attention, [7, 8], 1.0)
    sizes = np.array([50, 60, 70], np.float32)
    assert attention.due(np.array([7, 8, -1]), [NAMED] * 3, sizes, 1.1, everybody=True) == [1, 0]


def test_a_doubtful_look_is_repeated_at_once() -> None:
    attention = Attention(AttentionSettings(recheck=2))
    look_at(attention, [7], 1.0)
    attention.again(7)
    assert due(attention, 1.1, [7], [NAMED]) == [0]
