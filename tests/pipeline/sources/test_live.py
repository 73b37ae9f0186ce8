"""A camera or stream that is lost comes back by itself, told once, in order and in time."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import StreamSettings
from pipeline.errors import SourceError, UnreachableError
from pipeline.sources.live import Live
from pipeline.types import Image


class FakeConnection:
    """Gives these pictures, by grey level, and then nothing."""

    fps = None

    def __init__(self, *levels: int) -> None:
        self._levels = list(levels)

    def read(self) -> Image | None:
        return np.full((48, 64, 3), self._levels.pop(0), np.uint8) if self._levels else None

    def close(self) -> None:
        self._levels = []


def live(
    *connections: FakeConnection | None,
    lines: list[str] | None = None,
    quick: bool = True,
    waiting: bool = False,
    **settings: float,
) -> Live:
    """A source that connects to these, one after the other; for None, and after the last, it cannot."""
    left = iter(connections)

    def connect() -> FakeConnection:
        connection = next(left, None)
        if connection is None:
            raise UnreachableError("camera 7 cannot be opened")
        return connection

    report = (lambda line: None) if lines is None else lines.append
    made = Live("camera 7", connect, StreamSettings(**settings), report, waiting)
    if quick:
        made._halted.wait = lambda pause: made._halted.is_set()  # type: ignore[method-assign, misc, assignment]
    return made


def test_a_lost_source_is_opened_again_and_told_once_when_it_goes_and_once_when_it_is_back() -> None:
    lines: list[str] = []
    source = live(FakeConnection(1, 2), None, None, FakeConnection(3, 4, 5), lines=lines)
    frames = iter(source)
    assert [next(frames).index for _ in range(5)] == [0, 1, 2, 3, 4]
    assert lines == ["camera 7 was lost after 2 frames; it is tried again until it is back",
                     "camera 7 is back after 0 s"]  # fmt: skip


def test_the_condition_says_since_when_it_is_lost_and_when_it_is_tried_again() -> None:
    waits: list[float] = []
    source = live(FakeConnection(1), *[None] * 6, FakeConnection(2))
    assert source.condition.up

    def wait(pause: float) -> bool:
        condition = source.condition
        assert not condition.up
        assert condition.why == "was lost after 1 frame"
        assert condition.tries == len(waits) + 1
        assert condition.next_try is not None
        assert 0 <= (condition.next_try - datetime.now(UTC)).total_seconds() <= pause
        waits.append(pause)
        return False

    source._halted.wait = wait  # type: ignore[method-assign, assignment]
    lost = datetime.now(UTC)
    frames = iter(source)
    assert [next(frames).index for _ in range(2)] == [0, 1]
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert source.condition.up
    assert source.condition.since >= lost
    assert source.condition.next_try is None


def test_it_is_never_given_up_unless_a_setting_says_so() -> None:
    source = live(FakeConnection(1), *[None] * 500, FakeConnection(2))
    frames = iter(source)
    assert [next(frames).index for _ in range(2)] == [0, 1]
    lines: list[str] = []
    limited = live(FakeConnection(1, 2), quick=False, lines=lines, patience=1.2)
    assert len(list(limited)) == 2
    assert limited.complaint == "camera 7 gave no more frames after 2; check its connection"
    assert lines == ["camera 7 was lost after 2 frames; it is tried again for 1.2 s"]
    assert (limited.condition.up, limited.condition.next_try) == (False, None)


def test_one_that_cannot_be_reached_is_refused_or_waited_for() -> None:
    with pytest.raises(UnreachableError, match="camera 7 cannot be opened"):
        live(None)
    lines: list[str] = []
    source = live(None, None, FakeConnection(1, 2), lines=lines, waiting=True)
    assert (source.live, source.size, source.condition.up) == (True, None, False)
    frames = iter(source)
    assert [next(frames).index for _ in range(2)] == [0, 1]
    assert lines == ["camera 7 cannot be reached; it is tried again until it is back",
                     "camera 7 is back after 0 s"]  # fmt: skip


def test_one_that_never_came_is_an_error_once_patience_is_over() -> None:
    source = live(None, waiting=True, patience=0)
    with pytest.raises(SourceError, match="cannot be opened"):
        list(source)


@pytest.mark.parametrize("how", ["halt", "close"])
def test_halting_ends_the_wait_for_a_lost_source(how: str) -> None:
    source = live(FakeConnection(1), quick=False)
    thread = threading.Thread(target=lambda: list(source), daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while source.condition.up:
        assert time.monotonic() < until
        time.sleep(0.01)
    getattr(source, how)()
    thread.join(10)
    assert not thread.is_alive()
    assert source.complaint is None


def test_a_picture_that_stands_still_is_a_lost_source_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    lines: list[str] = []
    source = live(FakeConnection(*[7] * 60), FakeConnection(*[7] * 60), lines=lines, frozen=20)
    assert len(list(zip(range(60), source, strict=False))) == 60  # with the same picture again: left alone
    assert [line.split("; ")[0].split(" after ")[0] for line in lines] == [
        "camera 7 has shown the same picture for 20 s",
        "camera 7 is back",
    ]


def test_a_picture_that_changes_now_and_then_does_not_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    source = live(FakeConnection(*[i // 5 for i in range(200)]), frozen=20, patience=0)
    assert len(list(source)) == 200


def test_frames_carry_the_time_at_which_each_was_captured() -> None:
    source, opened = live(FakeConnection(1, 2, 3), patience=0), datetime.now(UTC)
    time.sleep(0.05)  # other cameras are opened, networks are loaded
    frames = list(source)
    taken = [frame.taken for frame in frames if frame.taken is not None]
    assert len(taken) == 3
    assert taken[0] <= opened  # the first was captured when the camera was opened
    assert (taken[1] - opened).total_seconds() >= 0.04
    assert taken == sorted(taken)
    assert all(each.tzinfo is not None for each in taken)
    seconds = [frame.seconds for frame in frames]
    assert all(later > earlier for earlier, later in itertools.pairwise(seconds))


def test_a_film_is_no_camera(tmp_path: Path) -> None:
    from pipeline.sources.open import open_source

    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    with open_source(str(tmp_path / "a.avi")) as film:
        assert [frame.taken for frame in film] == [None]
        assert film.condition is None
