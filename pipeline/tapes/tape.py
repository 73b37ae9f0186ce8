"""The tape: what was seen, as embeddings and qualities without a pixel, to be decided or searched later.

One SQLite file, readable by its owner only; docs/outputs.md describes it. Looks are committed about once a
second, so a crash or a power cut loses a second at most and never the file. Several runs may share a tape, as
long as one model made them all: its fingerprint is kept, and another model is refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.errors import SourceError
from pipeline.tapes.database import connect, connect_to_read, explained, made_with
from pipeline.types import Floats, Ints

SCHEMA = """
CREATE TABLE tape (fingerprint TEXT NOT NULL, dimension INTEGER NOT NULL);
CREATE TABLE runs (run TEXT PRIMARY KEY, source TEXT NOT NULL, started TEXT NOT NULL, live INTEGER NOT NULL);
CREATE TABLE tracks (
    run TEXT NOT NULL, track INTEGER NOT NULL,
    first_frame INTEGER NOT NULL, first_seconds REAL NOT NULL,
    last_frame INTEGER NOT NULL, last_seconds REAL NOT NULL,
    PRIMARY KEY (run, track)
);
CREATE TABLE looks (
    run TEXT NOT NULL, track INTEGER NOT NULL, frame INTEGER NOT NULL, seconds REAL NOT NULL,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    quality REAL NOT NULL, embedding BLOB NOT NULL
);
CREATE INDEX looks_by_run ON looks (run, frame);
"""
# Wall-clock times of the tracks of live sources, beside `tracks` since 0.9: programs of before overlook it.
TIMES = """
CREATE TABLE IF NOT EXISTS times (
    run TEXT NOT NULL, track INTEGER NOT NULL, first_taken TEXT NOT NULL, last_taken TEXT NOT NULL,
    PRIMARY KEY (run, track)
)
"""
# Tracks for which one look was enough, since 0.10: in photographs, and in shots too short to be followed.
ONCE = """
CREATE TABLE IF NOT EXISTS once (
    run TEXT NOT NULL, track INTEGER NOT NULL, PRIMARY KEY (run, track)
)
"""
OF_TRACKS = ("tracks", "times", "once")  # tables with a row for each track, or for some


@dataclass(frozen=True, slots=True)
class Run:
    """One run over one source."""

    run: str  # its id
    source: str  # as people call it, without secrets
    started: str  # UTC, ISO 8601
    live: bool
    once: bool = False  # one look at each face was enough; of a run that is written


@dataclass(frozen=True, slots=True)
class TapedTrack:
    """When a track was in view."""

    run: str
    track: int
    first_frame: int
    first_seconds: float
    last_frame: int
    last_seconds: float
    first_taken: str | None = None  # UTC, ISO 8601; None for files, and on tapes of before 0.9
    last_taken: str | None = None
    once: bool = False  # one look was enough to decide


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at faces, in the order they were taken; row i of each is one look."""

    tracks: tuple[int, ...]
    frames: tuple[int, ...]
    seconds: tuple[float, ...]
    boxes: Floats  # (n, 4) pixels
    qualities: Floats  # (n,) 0..1
    embeddings: Floats  # (n, d)

    def __len__(self) -> int:
        return len(self.tracks)

    def by_track(self) -> dict[int, Ints]:
        """The rows of each track, (n,) ascending."""
        of_track = np.array(self.tracks, np.int64)
        order = np.argsort(of_track, kind="stable")
        tracks, starts = np.unique(of_track[order], return_index=True)
        return dict(zip(tracks.tolist(), np.split(order, starts[1:]), strict=False))


class Tape:
    """A tape that is read. Use it in a `with` statement, or `close` it."""

    def __init__(self, path: Path, fingerprint: str, alone: bool = False) -> None:
        """Open the file; `alone` keeps every other program out of it until it is closed.

        Nothing is written unless a method does, so that one that is write-protected can be read.

        Raises SourceError: missing, no tape, made with another model, or in use where it should be alone.
        """
        self._path = path
        if not path.is_file():
            raise SourceError(
                f"there is no tape at {path}; make one with: recog run --source VIDEO --tape {path}"
            )
        with explained(path, SourceError):
            self._connection = connect(path, SourceError, alone) if alone else connect_to_read(path)
            try:
                found, self.dimension = made_with(self._connection, path, SourceError)
                if found != fingerprint:
                    raise SourceError(
                        f"the tape {path} was made with the model {found}, but {fingerprint} is in use; "
                        "give that one with --model"
                    )
            except BaseException:
                self._connection.close()
                raise

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        with explained(self._path, SourceError):
            rows = self._connection.execute(
                "SELECT run, source, started, live FROM runs ORDER BY rowid"
            ).fetchall()
        return [Run(run, source, started, bool(live)) for run, source, started, live in rows]

    def tracks(self, run: str) -> list[TapedTrack]:
        """The tracks of a run, by id."""
        with explained(self._path, SourceError):
            found = self._connection.execute(
                "SELECT * FROM tracks WHERE run = ? ORDER BY track", (run,)
            ).fetchall()
            tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
            times = (
                self._connection.execute(
                    "SELECT track, first_taken, last_taken FROM times WHERE run = ?", (run,)
                ).fetchall()
                if "times" in tables
                else []
            )
            asked = "SELECT track FROM once WHERE run = ?"
            once = self._connection.execute(asked, (run,)).fetchall() if "once" in tables else []
        taken = {track: (first, last) for track, first, last in times}
        single, tracks = {track for (track,) in once}, []
        for row in found:
            first, last = taken.get(row[1], (None, None))
            track = TapedTrack(*row)
            tracks.append(replace(track, first_taken=first, last_taken=last, once=row[1] in single))
        return tracks

    def looks(self, run: str, tracks: Collection[int] | None = None) -> Looks:
        """The looks of a run, or those at some of its tracks, in the order they were taken."""
        wanted = None if tracks is None else json.dumps(sorted(tracks))
        with explained(self._path, SourceError):
            rows = self._connection.execute(
                "SELECT track, frame, seconds, x1, y1, x2, y2, quality, embedding FROM looks WHERE run = ?1 "
                "AND (?2 IS NULL OR track IN (SELECT value FROM json_each(?2))) ORDER BY rowid", (run, wanted)
            ).fetchall()  # fmt: skip
        data = b"".join(row[8] for row in rows)
        if len(data) != 4 * self.dimension * len(rows):
            raise SourceError(f"the tape {self._path} is damaged: embeddings have another length")
        return Looks(
            tuple(row[0] for row in rows),
            tuple(row[1] for row in rows),
            tuple(row[2] for row in rows),
            np.array([row[3:7] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[7] for row in rows], np.float32),
            np.frombuffer(data, "<f4").astype(np.float32).reshape(-1, self.dimension),
        )

    def check(self) -> None:
        """Read the whole file, and be sure it can be written. Raises SourceError: damaged, or read-only."""
        with explained(self._path, SourceError):
            if (said := self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise SourceError(f"the tape {self._path} is damaged: {said}")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("ROLLBACK")

    def erase(self, rows: Mapping[str, Sequence[int]]) -> int:
        """Delete looks for good, and the tracks that have none left; how many tracks those are.

        All of it or nothing; then the file is rewritten, so that no byte of them is left in it.

        Args:
            rows: by run, which rows of its `looks`.

        Raises:
            SourceError: the disk is full, or another program has the file open (see `alone`).
        """
        tracks = 0
        with explained(self._path, SourceError):
            # Zeroes what is deleted; copies that moved within the trees, and the log, only go by rewriting.
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.execute("PRAGMA temp_store = MEMORY")  # no copies of faces in a temporary folder
            with self._connection as connection:
                for run, wanted in rows.items():
                    found = connection.execute(
                        "SELECT rowid, track FROM looks WHERE run = ? ORDER BY rowid", (run,)
                    )
                    each = found.fetchall()
                    connection.executemany(
                        "DELETE FROM looks WHERE rowid = ?", [each[row][:1] for row in wanted]
                    )
                    touched = {(run, each[row][1]) for row in wanted}
                    for track in touched:
                        tracks += connection.execute(
                            "DELETE FROM tracks WHERE run = ?1 AND track = ?2 AND NOT EXISTS "
                            "(SELECT 1 FROM looks WHERE run = ?1 AND track = ?2)", track
                        ).rowcount  # fmt: skip
                for made in (TIMES, ONCE):
                    connection.execute(made)
                for table in OF_TRACKS[1:]:
                    connection.execute(
                        f"DELETE FROM {table} WHERE (run, track) NOT IN (SELECT run, track FROM tracks)"  # noqa: S608
                    )
            self._connection.execute("VACUUM")
            if self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise SourceError(f"the tape {self._path} is in use, so it is not rewritten yet; try again")
        return tracks

    def close(self) -> None:
        """Close the file. May be called again."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
