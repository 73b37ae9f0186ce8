"""What SQLite and the file system may refuse, said in one line with the way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gallery.database import has_locks
from gallery.errors import BusyError, UnusableError


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the errors of the database at `path` and of its folder into UnusableError.

    Misuse of SQLite and broken constraints pass through: those are bugs, and must look like bugs.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError):
        raise
    except sqlite3.Error as error:
        raise _busy(error)(_explain(path, error)) from error
    except UnicodeDecodeError as error:  # SQLite's own message may quote what it found in the file
        raise damaged(path, "a text is not UTF-8") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnusableError(
            f"the gallery {path} cannot be used: {reason}; check the permissions of its folder and the free "
            "space, or name another file with --gallery"
        ) from error


def damaged(path: Path, what: str) -> UnusableError:
    """The error for a file whose content is not what a gallery contains; `what` says what was found."""
    shown = "".join(c if c.isprintable() else "?" for c in what)  # it may quote the damage
    return UnusableError(
        f"the gallery {path} is damaged ({shown}); restore it from a copy, or enroll again "
        "into a new file with --gallery"
    )


def _busy(error: sqlite3.Error) -> type[UnusableError]:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return BusyError if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else UnusableError


def _explain(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return f"another file was put in the place of the gallery {path} meanwhile; start again"
    match code & 0xFF:  # the upper bits only refine
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_IOERR if not has_locks(path.absolute().parent):
            return (
                f"the gallery {path} cannot be kept there: its file system knows no locks, so that two "
                "programs could destroy it; name a file on a local disk with --gallery"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"the gallery {path} is locked by another program; close that program, or try again later"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return (
                f"the gallery {path} cannot be opened for writing; check the permissions of the file "
                "and of its folder, where SQLite keeps two more files"
            )
        case sqlite3.SQLITE_FULL:
            return f"the disk is full, so the gallery {path} stays as it was; free some space and try again"
        case sqlite3.SQLITE_IOERR:
            return (
                f"the gallery {path} stays as it was, because the disk refused to read or write; "
                "check the disk and its free space"
            )
        case sqlite3.SQLITE_NOTADB:
            return (
                f"{path} is not a gallery, or its beginning is damaged; restore it from a copy, or "
                "name another file with --gallery"
            )
        case _:
            return str(damaged(path, str(error)))
