"""Writing a tape while a run goes on; `tape` says what that is."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from gallery.database import claim
from pipeline.config import KeepSettings
from pipeline.errors import SinkError
from pipeline.tapes.database import APPLICATION, VERSION, connect, explained, made_with
from pipeline.tapes.tape import ONCE, SCHEMA, TIMES, Run, TapedTrack
from pipeline.tapes.trim import trim
from pipeline.types import Result

COMMIT_SECONDS, TRIM_SECONDS = 1.0, 600.0


class TapeWriter:
    """Appends one run to a tape, which is made if it is missing. A run that is on it already goes on.

    Args:
        path: the file; None makes every method do nothing.
        fingerprint: the model and the alignment that embeddings come from (`build.fingerprint`).
        dimension: the length of an embedding.
        erased: whether a track was erased from the tape meanwhile, so that nothing more of it is kept.
    """

    def __init__(
        self,
        path: Path | None,
        run: Run,
        fingerprint: str,
        dimension: int,
        keep: KeepSettings | None = None,
        erased: Callable[[int], bool] = lambda track: False,
    ) -> None:
        """Open the file. Raises SinkError where that cannot be done, or where another model made it."""
        self._path, self._run, self._erased = path, run.run, erased
        self._keep, self._trim_at = keep if run.live else None, 0.0
        self._connection: sqlite3.Connection | None = None
        self._once = run.once  # one look is enough at every face
        self._tracks: dict[int, TapedTrack] = {}
        self._rows: list[tuple[object, ...]] = []  # looks that are not written yet
        self._committed = time.monotonic()
        if path is None:
            return
        with explained(path, SinkError):
            # Made before SQLite does, which would let others read it. Another source may make it just now.
            claim(path)
            self._connection = connect(path, SinkError)
            try:
                self._begin(path, run, fingerprint, dimension)
            except BaseException:
                self._connection.close()
                raise

    def take(self, result: Result) -> None:
        """Append the looks of a frame, and note which tracks are in view. Raises SinkError (disk full)."""
        if self._connection is None:
            return
        frame = result.frame
        for face in result.faces:
            if face.track >= 0:
                at, taken = (frame.index, frame.seconds), frame.utc
                now = TapedTrack(self._run, face.track, *at, *at, taken, taken)
                first = self._tracks.setdefault(face.track, now)
                self._tracks[face.track] = replace(
                    first,
                    last_frame=frame.index,
                    last_seconds=frame.seconds,
                    last_taken=taken,
                    once=self._once or frame.brief or first.once,
                )
        self._rows += [
            (self._run, look.track, frame.index, frame.seconds, *map(float, look.box), look.quality,
             look.embedding.astype("<f4").tobytes())
            for look in result.looks
        ]  # fmt: skip
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            assert self._path is not None
            with explained(self._path, SinkError):
                self._commit()
                if self._keep is not None and self._committed >= self._trim_at:
                    self._trim_at = self._committed + TRIM_SECONDS
                    trim(self._connection, self._keep)

    def close(self) -> None:
        """Write what is left and close the file. May be called again."""
        if self._connection is None:
            return
        assert self._path is not None
        connection = self._connection
        with explained(self._path, SinkError):
            try:
                self._commit()
            finally:
                self._connection = None
                connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, path: Path, run: Run, fingerprint: str, dimension: int) -> None:
        assert self._connection is not None
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("INSERT INTO tape VALUES (?, ?)", (fingerprint, dimension))
            found = made_with(connection, path, SinkError)
            if found != (fingerprint, dimension):
                raise SinkError(
                    f"the tape {path} was made with the model {found[0]}, but {fingerprint} is in use; "
                    "choose another file for --tape"
                )
            connection.execute(TIMES)
            connection.execute(ONCE)
            connection.execute(
                "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?)",
                (run.run, _in_utf8(run.source), run.started, run.live),
            )

    def _commit(self) -> None:
        assert self._connection is not None
        # Whoever erases a track says so first, so it is seen here, or what is written here is seen there.
        if not self._connection.in_transaction:  # one that failed is still open
            self._connection.execute("BEGIN IMMEDIATE")
        self._tracks = {number: each for number, each in self._tracks.items() if not self._erased(number)}
        self._rows = [row for row in self._rows if not self._erased(cast(int, row[1]))]
        rows = [astuple(track) for track in self._tracks.values()]
        times = [(*row[:2], *row[6:8]) for row in rows if row[6] is not None]
        once = [(each.run, each.track) for each in self._tracks.values() if each.once]
        # All at once, so that another source that writes to the same tape need not wait for long.
        self._connection.executemany("INSERT INTO looks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._rows)
        self._rows.clear()
        self._connection.executemany(
            "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?, ?, ?)", [row[:6] for row in rows]
        )
        self._connection.executemany("INSERT OR REPLACE INTO times VALUES (?, ?, ?, ?)", times)
        self._connection.executemany("INSERT OR IGNORE INTO once VALUES (?, ?)", once)
        self._connection.commit()
        self._committed = time.monotonic()
        # Tracks that ended are written and need no more room here.
        newest = max((t.last_seconds for t in self._tracks.values()), default=0.0)
        self._tracks = {i: t for i, t in self._tracks.items() if newest - t.last_seconds < 60}


def _in_utf8(name: str) -> str:
    """A name as SQLite can hold it: bytes that are not UTF-8 become `\\udce9` and the like."""
    return name.encode(errors="backslashreplace").decode()


def check_tape(path: Path) -> None:
    """Refuse, before any work, a path where no tape can be. Raises SinkError."""
    if not path.parent.is_dir():
        raise SinkError(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise SinkError(f"{path} is a folder; give a file inside it")
