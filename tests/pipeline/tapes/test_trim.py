"""Old looks of cameras leave a tape where somebody said when; those of films, and new ones, never."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import KeepSettings
from pipeline.errors import SourceError
from pipeline.outputs.retention import MEGABYTE
from pipeline.tapes.database import APPLICATION, VERSION
from pipeline.tapes.purge import remains
from pipeline.tapes.tape import SCHEMA, TIMES
from pipeline.tapes.trim import begin_again, erase_tracks, expire, trim


@pytest.fixture
def tape(tmp_path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(tmp_path / "a.tape")
    connection.executescript(SCHEMA)
    connection.execute(TIMES)
    return connection


def embedding(run: str, track: int) -> bytes:
    """Unlike that of any other track."""
    return np.full(128, 100 * sum(run.encode()) + track, "<f4").tobytes()


def add(tape: sqlite3.Connection, run: str, live: bool, ages: list[float], looks: int = 3) -> None:
    """A track for each age in days, with so many looks."""
    now = datetime.now(UTC)
    tape.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", (run, "camera", now.isoformat(), live))
    for track, age in enumerate(ages):
        then = (now - timedelta(days=age)).isoformat(timespec="milliseconds")
        tape.execute("INSERT INTO tracks VALUES (?, ?, 0, 0, 1, 1)", (run, track))
        if live:
            tape.execute("INSERT INTO times VALUES (?, ?, ?, ?)", (run, track, then, then))
        face = embedding(run, track)
        rows = [(run, track, frame, 0.0, 0, 0, 1, 1, 1.0, face) for frame in range(looks)]
        tape.executemany("INSERT INTO looks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    tape.commit()


def tracks(tape: sqlite3.Connection, table: str = "looks") -> list[tuple[str, int]]:
    return tape.execute(f"SELECT DISTINCT run, track FROM {table} ORDER BY run, track").fetchall()


def test_by_default_nothing_is_deleted(tape: sqlite3.Connection) -> None:
    add(tape, "a", True, [1000])
    assert trim(tape, KeepSettings()) == 0


def test_looks_that_are_too_old_go_and_those_of_films_stay(
    tape: sqlite3.Connection,
) -> None:
    add(tape, "a", True, [9, 8, 6])
    add(tape, "film", False, [0, 0])
    assert trim(tape, KeepSettings(days=7)) == 6
    for table in ("looks", "tracks"):
        assert tracks(tape, table) == [("a", 2), ("film", 0), ("film", 1)]
    assert tracks(tape, "times") == [("a", 2)]


def test_of_too_much_the_oldest_go_first_and_the_file_stops_growing(
    tape: sqlite3.Connection, tmp_path: Path
) -> None:
    add(tape, "film", False, [0], looks=100)
    sizes = []
    for number in range(8):
        add(tape, f"run-{number}", True, [0] * 10, looks=100)
        trim(tape, KeepSettings(megabytes=1))
        sizes.append((tmp_path / "a.tape").stat().st_size)
    assert sizes[-1] == sizes[-3]
    assert sizes[-1] < 2.5 * MEGABYTE
    left = tracks(tape)
    assert ("film", 0) in left
    assert ("run-7", 9) in left
    assert ("run-0", 0) not in left
    content = (tmp_path / "a.tape").read_bytes()
    assert embedding("run-7", 9) in content
    assert embedding("run-0", 0) not in content


def made(tape: sqlite3.Connection) -> None:
    """A tape that others take for one."""
    tape.execute("INSERT INTO tape VALUES ('model', 128)")
    tape.commit()
    for pragma in (f"application_id = {APPLICATION}", f"user_version = {VERSION}"):
        tape.execute(f"PRAGMA {pragma}")


def test_what_is_older_than_a_time_goes_of_films_too_and_leaves_no_bytes(
    tape: sqlite3.Connection, tmp_path: Path
) -> None:
    made(tape)
    add(tape, "a", True, [9, 6])
    add(tape, "film", False, [0, 0])
    then = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    tape.execute("UPDATE runs SET started = ? WHERE run = 'film'", (then,))
    add(tape, "new film", False, [0])
    path, gone = tmp_path / "a.tape", np.frombuffer(embedding("a", 0) + embedding("film", 1), "<f4")
    before = datetime.now(UTC) - timedelta(days=7)
    assert remains(path, gone.reshape(2, -1)) > 0
    assert expire(path, before) == 9
    assert tracks(tape) == tracks(tape, "tracks") == [("a", 1), ("new film", 0)]
    assert tracks(tape, "times") == [("a", 1)]
    tape.close()
    assert remains(path, gone.reshape(2, -1)) == 0
    assert expire(path, before) == 0


def test_some_tracks_are_erased_and_no_others(tape: sqlite3.Connection, tmp_path: Path) -> None:
    made(tape)
    add(tape, "a", True, [0, 0])
    add(tape, "b", False, [0])
    path, gone = tmp_path / "a.tape", np.frombuffer(embedding("a", 1), "<f4")[None]
    assert erase_tracks(path, [("a", 1), ("c", 1)]) == 3
    assert tracks(tape) == tracks(tape, "tracks") == [("a", 0), ("b", 0)]
    tape.close()
    assert remains(path, gone) == 0
    assert erase_tracks(path, []) == 0


def test_what_is_no_tape_is_left_alone_and_where_none_is_nothing_is_deleted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.tape"
    assert expire(path, datetime.now(UTC)) == 0
    assert not begin_again(path, "model", 128)
    assert not path.exists()
    path.write_bytes(b"")
    for use in (lambda: expire(path, datetime.now(UTC)), lambda: begin_again(path, "model", 128)):
        with pytest.raises(SourceError, match="is no tape"):
            use()


def test_a_tape_of_another_model_begins_again_without_a_byte_of_what_it_held(
    tape: sqlite3.Connection, tmp_path: Path
) -> None:
    made(tape)
    add(tape, "a", True, [0, 9])
    path, gone = tmp_path / "a.tape", np.frombuffer(embedding("a", 0) + embedding("a", 1), "<f4")
    assert not begin_again(path, "model", 128)
    assert tracks(tape) == [("a", 0), ("a", 1)]
    assert begin_again(path, "another", 64)
    assert tracks(tape) == tracks(tape, "tracks") == tracks(tape, "times") == []
    assert tape.execute("SELECT * FROM tape").fetchall() == [("another", 64)]
    assert tape.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    tape.close()
    assert remains(path, gone.reshape(2, -1)) == 0
