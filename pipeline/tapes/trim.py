"""Old looks on the tape of a live source: kept, unless `keep.days` or `keep.megabytes` says otherwise."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.config import KeepSettings
from pipeline.errors import SourceError
from pipeline.tapes.database import connect, explained, made_with
from pipeline.tapes.tape import OF_TRACKS, ONCE, TIMES

MEGABYTE = 1_000_000
SPARE = 0.1  # share that is deleted beyond what has to be, so that it is not done again at once


def trim(connection: sqlite3.Connection, keep: KeepSettings) -> int:
    """Delete looks of live runs that are too old, and the oldest while the tape is too large; how many.

    The place of what is deleted is overwritten with zeros and used again; the file itself does not shrink.
    Looks of films are never deleted.
    """
    deleted = 0
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(ONCE)
    with connection:
        if keep.days is not None:
            before = (datetime.now(UTC) - timedelta(days=keep.days)).isoformat(timespec="milliseconds")
            deleted += connection.execute(
                "DELETE FROM looks WHERE (run, track) IN "
                "(SELECT run, track FROM times WHERE last_taken < ?)", (before,)
            ).rowcount  # fmt: skip
        if keep.megabytes is not None:
            deleted += _oldest(connection, keep.megabytes * MEGABYTE)
        if deleted:
            for table in OF_TRACKS:
                connection.execute(
                    f"DELETE FROM {table} WHERE run IN (SELECT run FROM runs WHERE live) "  # noqa: S608
                    "AND (run, track) NOT IN (SELECT run, track FROM looks)"
                )
    return deleted


def expire(path: Path, before: datetime) -> int:
    """Delete every look at a track that was last seen before a time, of films too; how many.

    Of a film, that is when its run began. What is deleted is overwritten, in the file and, unless a reader
    keeps it, in the log. Which model made them does not matter.

    Raises:
        SourceError: no tape, or locked by another program.
    """
    when = before.astimezone(UTC)
    return _delete(
        path,
        "(run, track) IN (SELECT run, track FROM times WHERE last_taken < ?1) "
        "OR run IN (SELECT run FROM runs WHERE NOT live AND started < ?2)",
        [(when.isoformat(timespec="milliseconds"), when.isoformat(timespec="seconds"))],
    )


def erase_tracks(path: Path, tracks: Collection[tuple[str, int]]) -> int:
    """Delete every look at some tracks, by run and number, likewise; how many looks.

    Raises:
        SourceError: as `expire`.
    """
    return _delete(path, "run = ?1 AND track = ?2", list(tracks))


def begin_again(path: Path, fingerprint: str, dimension: int) -> bool:
    """Where another model made a tape: erase all that is on it, to go on with this one; whether that was so.

    Raises:
        SourceError: as `expire`.
    """
    if not path.exists():
        return False
    with explained(path, SourceError), closing(connect(path, SourceError)) as connection:
        if made_with(connection, path, SourceError) == (fingerprint, dimension):
            return False
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(TIMES)
        connection.execute(ONCE)
        with connection:
            for table in ("looks", "runs", *OF_TRACKS):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
            connection.execute("UPDATE tape SET fingerprint = ?, dimension = ?", (fingerprint, dimension))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def _delete(path: Path, where: str, each: Sequence[tuple[object, ...]]) -> int:
    if not path.exists():
        return 0
    with explained(path, SourceError), closing(connect(path, SourceError)) as connection:
        made_with(connection, path, SourceError)  # refuses what is no tape
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(TIMES)
        connection.execute(ONCE)
        with connection:
            deleted = connection.executemany(f"DELETE FROM looks WHERE {where}", each).rowcount  # noqa: S608
            if deleted > 0:
                for table in OF_TRACKS:
                    connection.execute(
                        f"DELETE FROM {table} WHERE (run, track) NOT IN (SELECT run, track FROM looks)"  # noqa: S608
                    )
        if deleted > 0:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(deleted, 0)


def _oldest(connection: sqlite3.Connection, most: float) -> int:
    """Delete as many of the oldest looks of live runs as bring the tape below its size."""
    pages, free, size = (
        connection.execute(f"PRAGMA {what}").fetchone()[0]
        for what in ("page_count", "freelist_count", "page_size")
    )
    used, looks = (pages - free) * size, connection.execute("SELECT count(*) FROM looks").fetchone()[0]
    if used <= most or not looks:
        return 0
    count = min(looks, int(looks * (used - most * (1 - SPARE)) / used) + 1)
    return connection.execute(
        "DELETE FROM looks WHERE rowid IN (SELECT looks.rowid FROM looks JOIN runs USING (run) WHERE live "
        "ORDER BY looks.rowid LIMIT ?)", (count,)
    ).rowcount  # fmt: skip
