"""Tapes of the parts of a film, put together on one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SinkError
from pipeline.tapes.database import connect, connect_to_read, explained, made_with
from pipeline.tapes.tape import OF_TRACKS


def join_tapes(first: Path, others: Sequence[Path], moved: Sequence[int], run: str) -> None:
    """Append the tracks and looks of other tapes to `first`; each holds a run over a part of one source.

    Args:
        moved: what is added to the track numbers of each of the others.
        run: the id of what all of them are then.

    Raises:
        SinkError: another model made one of them, or the disk is full.
    """
    with explained(first, SinkError):
        connection = connect(first, SinkError)
        try:
            model = made_with(connection, first, SinkError)
            tables = (*OF_TRACKS, "looks")
            with connection:
                for table in ("runs", *tables):
                    connection.execute(f"UPDATE {table} SET run = ?", (run,))  # noqa: S608 (no values)
            for number, other in enumerate(others):
                connection.execute("ATTACH ? AS part", (os.fspath(other),))
                try:
                    if connection.execute("SELECT fingerprint, dimension FROM part.tape").fetchone() != model:
                        raise SinkError(f"the tape {other} was made with another model than {first}")
                    by = moved[number]
                    with connection:
                        for table in tables:
                            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                            taken = {"run": "?", "track": f"track + {by:d}"}
                            chosen = ", ".join(taken.get(each, each) for each in columns)
                            connection.execute(
                                f"INSERT INTO main.{table} ({', '.join(columns)}) "  # noqa: S608 (no values)
                                f"SELECT {chosen} FROM part.{table} ORDER BY rowid",
                                (run,),
                            )
                finally:
                    connection.execute("DETACH part")
        finally:
            connection.close()


def last_track(path: Path) -> int:
    """The highest number of a track on a tape; -1 if there is none. Raises SinkError: it cannot be read."""
    with explained(path, SinkError):
        connection = connect_to_read(path)
        try:
            (found,) = connection.execute("SELECT max(track) FROM tracks").fetchone()
        finally:
            connection.close()
    return -1 if found is None else int(found)
