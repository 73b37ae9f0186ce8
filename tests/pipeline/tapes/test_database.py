"""What is no tape stays as it is to the byte, and a tape that is write-protected is read all the same."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery import database
from pipeline.errors import PipelineError, SinkError, SourceError
from pipeline.tapes.database import explained
from pipeline.tapes.join import join_tapes, last_track
from pipeline.tapes.tape import Run, Tape
from pipeline.tapes.trim import expire
from pipeline.tapes.writer import TapeWriter
from pipeline.types import UNDECIDED, Frame, Look, Result, TrackedFace

MODEL, BOX = "colours 1111, five points", np.array([1, 2, 31, 42], np.float32)
MARKS = np.zeros((5, 2), np.float32)


def writer(path: Path) -> TapeWriter:
    return TapeWriter(path, Run("run1", "a.mp4", "2026-11-24T10:00:00+00:00", False), MODEL, 4)


def result(index: int) -> Result:
    face = TrackedFace(3, BOX, MARKS, 0.9, UNDECIDED)
    look = Look(3, BOX, MARKS, np.arange(4, dtype=np.float32), 0.5)
    return Result(Frame(np.zeros((4, 4, 3), np.uint8), index, index / 10, "a.mp4"), (face,), {}, (look,))


def tape(path: Path) -> Path:
    with writer(path) as made:
        made.take(result(0))
    return path


def looks(path: Path) -> int:
    with Tape(path, MODEL) as opened:
        return len(opened.looks("run1"))


OPENING: dict[str, Callable[[Path], Any]] = {
    "read": lambda path: Tape(path, MODEL),
    "read alone": lambda path: Tape(path, MODEL, alone=True),
    "written": writer,
    "joined": lambda path: join_tapes(path, [], [], "run1"),
    "expired": lambda path: expire(path, datetime.now(UTC)),
}


@pytest.mark.parametrize("how", OPENING)
@pytest.mark.parametrize("marked", [0, 7], ids=["", "marked"])
def test_a_database_of_another_program_is_refused_and_stays_to_the_byte(
    tmp_path: Path, how: str, marked: int
) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE notes (text); PRAGMA application_id = {marked}")
    before = path.read_bytes()
    with pytest.raises(PipelineError, match=r"other\.sqlite exists and is no tape"):
        OPENING[how](path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["other.sqlite"]


def test_an_empty_database_that_somebody_marked_is_no_place_for_a_tape(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")
    before = path.read_bytes()
    with pytest.raises(SinkError, match="is no tape"):
        writer(path)
    assert path.read_bytes() == before


@pytest.fixture
def protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tape that may not be written, in a folder that may not be either; root is told that it may not."""
    (tmp_path / "ro").mkdir()
    path = tape(tmp_path / "ro" / "t.tape")
    monkeypatch.setattr(database, "_may_write", lambda path: False)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    yield path
    path.parent.chmod(0o755)


def test_a_write_protected_tape_is_read_and_nothing_is_left_beside_it(protected: Path) -> None:
    before = protected.read_bytes()
    assert looks(protected) == 1
    assert last_track(protected) == 3
    assert (protected.read_bytes(), os.listdir(protected.parent)) == (before, ["t.tape"])


def test_a_write_protected_tape_is_read_while_its_log_holds_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tape(tmp_path / "t.tape")
    with writer(path) as written:
        monkeypatch.setattr("pipeline.tapes.writer.COMMIT_SECONDS", 0.0)
        written.take(result(1))
        monkeypatch.setattr(database, "_may_write", lambda path: False)
        assert looks(path) == 2


def test_reading_changes_no_mode_of_a_tape(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.tape")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    before = path.read_bytes()
    assert looks(path) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (sqlite3.SQLITE_READONLY, SinkError, "write-protected; change that with chmod, or name another file"),
        (sqlite3.SQLITE_CANTOPEN, SourceError, r"copy it into a folder of yours.*t\.tape-wal"),
    ],
)
def test_what_write_protection_prevents_is_said_with_the_way_out(
    tmp_path: Path, code: int, kind: type[SinkError] | type[SourceError], said: str
) -> None:
    path = tape(tmp_path / "t.tape")
    refused = sqlite3.OperationalError("attempt to write a readonly database")
    refused.sqlite_errorcode = code
    with pytest.raises(kind, match=said) as caught, explained(path, kind):
        raise refused
    assert "\n" not in str(caught.value)
