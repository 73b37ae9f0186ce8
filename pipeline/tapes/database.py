"""The SQLite file of a tape: how it is opened, and known as one before anything is changed."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gallery.database import how_to_open
from pipeline.errors import SinkError, SourceError

BUSY_SECONDS = 2.0  # that another program which has the file open is waited for, at most
APPLICATION = 0x72656374  # "rect": marks the file as ours
VERSION = 1
Kind = type[SinkError] | type[SourceError]
_PROTECTED = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


def connect(path: Path, kind: Kind, alone: bool = False) -> sqlite3.Connection:
    """Open the database of a tape, to write; an empty one may become a tape.

    Args:
        alone: refuse one that is open elsewhere, and keep others out.

    Raises:
        SinkError, SourceError: `kind`, for another program's, or another format; it stays as it is.
        sqlite3.Error: it cannot be opened.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS if alone else 10)
    try:
        if alone:  # said before the first access, so that SQLite asks for the whole file
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        if not _is_empty(connection):  # first: the journal's mode is kept in the file
            made_with(connection, path, kind)
        _log_ahead(connection)
        connection.execute(
            "PRAGMA synchronous = NORMAL"
        )  # in WAL mode, a power cut costs commits, not the file
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the database of a tape as it is, also one that is write-protected. Raises sqlite3.Error."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how_to_open(path)}", uri=True, timeout=10)


def _is_empty(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not connection.execute("PRAGMA application_id").fetchone()[0]


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode. SQLite does not wait for others who are doing the same, so this does."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def made_with(connection: sqlite3.Connection, path: Path, kind: Kind) -> tuple[str, int]:
    """Fingerprint and dimension of a tape. Raises `kind` for what is no tape, or one of another format."""
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not ours:
        raise kind(f"{path} exists and is no tape")
    if version != VERSION:
        raise kind(
            f"the tape {path} has format {version}, this recog reads {VERSION}; use the recog that made it"
        )
    fingerprint, dimension = connection.execute("SELECT fingerprint, dimension FROM tape").fetchone()
    return str(fingerprint), int(dimension)


@contextmanager
def explained(path: Path, kind: Kind) -> Iterator[None]:
    """Turn what goes wrong with the file into `kind`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise kind(f"cannot use the tape {path}: {_reason(path, kind, error)}") from error
    except OSError as error:
        raise kind(f"cannot use the tape {path}: {error.strerror}") from error


def _reason(path: Path, kind: Kind, error: sqlite3.DatabaseError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return "another program has it open, such as a run that writes it; end that first"
    if code not in _PROTECTED:
        return str(error)
    if not os.access(path, os.R_OK):
        return "there is no permission to read it; change that with chmod"
    if kind is SinkError:
        return "it or its folder is write-protected; change that with chmod, or name another file"
    beside = f"{path.name}-wal, which holds the latest of it, and {path.name}-shm"
    return (
        f"it or its folder is write-protected; change that with chmod, or copy it into a folder of yours, "
        f"and with it {beside}, where there are such"
    )
