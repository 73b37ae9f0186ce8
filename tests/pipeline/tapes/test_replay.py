"""A replay's work grows with the looks of a tape, not with their square."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery import Gallery, NewTemplate
from pipeline.config import Settings
from pipeline.identity.judge import Judge
from pipeline.tapes.purge import theirs
from pipeline.tapes.replay import _View, replay
from pipeline.tapes.tape import Looks, Run, TapedTrack
from siamese.calibration import Calibration

CALIBRATION = Calibration(intercept=8.0, slope=0.8, ceiling=9.0, genuine=100, impostor=30_000)


def track(number: int, first: float, last: float) -> TapedTrack:
    return TapedTrack("run", number, 0, first, 0, last)


@settings(database=None, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=12),
    st.lists(st.integers(-1, 31), max_size=30),
)
def test_who_is_in_view_is_found_as_by_looking_at_every_track(
    spans: list[tuple[int, int]], moments: list[int]
) -> None:
    tracks = [track(number, first, first + length) for number, (first, length) in enumerate(spans)]
    view = _View(tracks)
    for seconds in moments:  # in any order: a clock may be put back
        slowly = [each.track for each in tracks if each.first_seconds <= seconds <= each.last_seconds]
        assert view.at(seconds) == slowly


class CountedList(list[Any]):
    """Counts how many elements are taken from it."""

    taken = 0

    def __iter__(self) -> Iterator[Any]:
        for each in super().__iter__():
            self.taken += 1
            yield each


class CountedTuple(tuple[int, ...]):
    """Counts how often all of it is looked through for one value."""

    searched = 0

    def count(self, value: object, /) -> int:
        CountedTuple.searched += 1
        return super().count(value)


class Read:
    """A tape that has been read: two looks at each of many tracks that come one after the other."""

    def __init__(self, count: int) -> None:
        numbers = np.arange(count) // 2
        self.each = CountedList(track(number, 2 * number, 2 * number + 1) for number in range(count // 2))
        self.seen = Looks(
            CountedTuple(numbers.tolist()),
            tuple(range(count)),
            tuple(float(second) for second in range(count)),
            np.zeros((count, 4), np.float32),
            np.ones(count, np.float32),
            10 * np.eye(8, dtype=np.float32)[numbers % 8],
        )

    def runs(self) -> list[Run]:
        return [Run("run", "made up", "2026-01-01T00:00:00+00:00", False)]

    def looks(self, run: str) -> Looks:
        return self.seen

    def tracks(self, run: str) -> Any:
        return self.each


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "g.db", "model", 8, create=True) as opened:
        for number in range(4):
            embedding = 10 * np.eye(8, dtype=np.float32)[number]
            opened.add(f"p{number}", [NewTemplate(embedding, None, 1.0, "", str(number))])
        yield opened


def test_a_replay_looks_at_each_track_a_few_times_however_many_there_are(people: Gallery) -> None:
    tape: Any = Read(600)
    chosen = Settings.model_validate({"evidence": {"min_looks": 2}})
    decided = replay(tape, Judge(people, CALIBRATION, chosen.evidence))
    names = [each.identity.name for each in decided]
    assert names[:8] == ["p0", "p1", "p2", "p3", None, None, None, None]
    assert {each.looks for each in decided} == {2}
    assert tape.each.taken <= 4 * 300, "not once for every moment of the tape"
    assert CountedTuple.searched == 0


def test_what_is_purged_is_what_it_was(people: Gallery) -> None:
    tape: Any = Read(64)
    rows = theirs(tape.seen, tape.each, "p1", Judge(people, CALIBRATION, Settings().evidence))
    assert rows == [row for row in range(64) if row // 2 % 8 == 1]


def test_the_rows_of_a_track_are_together_and_in_order() -> None:
    empty = np.zeros((0, 4), np.float32)
    looks = Looks((5, 3, 5, 9, 3), (0,) * 5, (0.0,) * 5, empty, np.zeros(5, np.float32), empty)
    assert {number: rows.tolist() for number, rows in looks.by_track().items()} == {
        3: [1, 4],
        5: [0, 2],
        9: [3],
    }
    nothing = Looks((), (), (), empty, np.zeros(0, np.float32), empty)
    assert nothing.by_track() == {}
