"""Tapes of the parts of a film, put together on one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SinkError
from pipeline.tapes.tape import OF_TRACKS, connect, explained, made_with


def join_tapes(first: Path, others: Sequence[Path], moved: Sequence[int]) -> None:
    """Append the tracks and looks of other tapes to `first`; each holds a part of the same run.

    Args:
        moved: what is added to the track numbers of each of the others.

    Raises:
        SinkError: another model made one of them, or the disk is full.
    """
    with explained(first, SinkError):
        connection = connect(first)
        try:
            model = made_with(connection, first, SinkError)
            for number, other in enumerate(others):
                connection.execute("ATTACH ? AS part", (os.fspath(other),))
                try:
                    if connection.execute("SELECT fingerprint, dimension FROM part.tape").fetchone() != model:
                        raise SinkError(f"the tape {other} was made with another model than {first}")
                    by = moved[number]
                    with connection:
                        for table in (*OF_TRACKS, "looks"):
                            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                            taken = ", ".join(f"track + {by:d}" if c == "track" else c for c in columns)
                            connection.execute(
                                f"INSERT INTO main.{table} ({', '.join(columns)}) "  # noqa: S608 (no values)
                                f"SELECT {taken} FROM part.{table} ORDER BY rowid"
                            )
                finally:
                    connection.execute("DETACH part")
        finally:
            connection.close()
