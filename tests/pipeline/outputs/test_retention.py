"""What a camera writes for months is put aside and, where somebody said so, deleted; nothing else ever is."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pipeline.config import KeepSettings
from pipeline.errors import SinkError
from pipeline.outputs.events import Event, EventLog
from pipeline.outputs.retention import DAY, Keeper, put_aside


def event(frame: int) -> Event:
    return Event("entered", frame / 10, frame, "camera 0", 1, (1, 2, 3, 4), id=f"run-{frame}")


def aged(path: Path, days: float, size: int = 10) -> Path:
    path.write_bytes(b"x" * size)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def frames(*paths: Path) -> list[int]:
    return [json.loads(line)["frame"] for path in paths for line in path.read_text().splitlines()]


def test_a_large_events_file_is_put_aside_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log, EventLog(path) as other:
        keeper = Keeper(KeepSettings(rotate=0.0005), log, path, None)
        for frame in range(20):
            log.write([event(frame)])
            keeper.look()
            other.write([event(100 + frame)])  # another source of the same run
    aside = sorted(put_aside(path), key=lambda each: each.stat().st_mtime)
    assert len(aside) > 2
    assert all(each.stat().st_mode & 0o777 == 0o600 for each in [*aside, path])
    assert sorted(frames(*aside, path)) == [*range(20), *range(100, 120)]
    assert keeper.deleted == 0


def test_a_file_that_a_program_such_as_logrotate_moved_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.write([event(0)])
        path.rename(tmp_path / "events.jsonl.1")
        log.write([event(1)])
    assert frames(path) == [1]


def test_by_default_nothing_is_deleted(tmp_path: Path) -> None:
    old = aged(tmp_path / "events-20200101T000000Z.jsonl", 2000, 5_000_000)
    with EventLog(tmp_path / "events.jsonl") as log:
        Keeper(KeepSettings(), log, tmp_path / "events.jsonl", None).look()
    assert old.exists()


def test_what_is_too_old_is_deleted_and_only_what_is_ours(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    old = [aged(tmp_path / "events-20200101T000000Z.jsonl", 8), aged(faces / f"{'a' * 12}-7.jpg", 8)]
    kept = [
        aged(tmp_path / "events-20200102T000000Z.jsonl", 6),
        aged(tmp_path / "events-of-the-year.jsonl", 800),
        aged(tmp_path / "others-20200101T000000Z.jsonl", 800),
        aged(faces / f"{'a' * 12}-8.jpg", 6),
        aged(faces / "grandmother.jpg", 800),
    ]
    with EventLog(tmp_path / "events.jsonl") as log:
        Keeper(KeepSettings(days=7), log, tmp_path / "events.jsonl", faces).look()
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)


def test_of_too_much_the_oldest_goes_first(tmp_path: Path) -> None:
    files = [aged(tmp_path / f"{'b' * 12}-{age}.jpg", age, 400_000) for age in (1, 2, 3, 4)]
    with EventLog(None) as log:
        Keeper(KeepSettings(megabytes=1), log, None, tmp_path).look()
    assert [path.exists() for path in files] == [True, True, False, False]


@pytest.mark.parametrize("name", ["days", "megabytes", "rotate"])
def test_nothing_is_kept_for_no_time(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        KeepSettings(**{name: 0})


def test_a_folder_that_is_gone_is_said_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    with EventLog(None) as log:
        keeper = Keeper(KeepSettings(days=1), log, None, folder)
        with pytest.raises(SinkError, match=r"cannot delete what is old: .*snapshots: No such file"):
            keeper.look()
