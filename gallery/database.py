"""The SQLite file itself: how it is made and opened."""

from __future__ import annotations

import glob
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from gallery.schema import SCHEMA

APPLICATION_ID = 0x7265636F  # "reco", tells a gallery from every other SQLite file
BUSY_SECONDS = 5.0  # how long to wait for another process before calling the gallery locked


def create(path: Path, fingerprint: str, dimension: int) -> None:
    """Make an empty gallery at `path`, and its folder; one that another process makes meanwhile stays.

    Raises sqlite3.Error or OSError, and then leaves nothing at `path`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made under another name and then put into place, so that nobody ever sees half a gallery. mkstemp
    # creates with mode 0600, and SQLite gives the -wal and -shm files the mode of the database.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    made = Path(name)
    try:
        with closing(connect(made)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN")
            for statement in SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            meta = [("fingerprint", fingerprint), ("dimension", str(dimension))]
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
            db.execute("COMMIT")
        publish(made, path)
    finally:
        made.unlink(missing_ok=True)


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file, never making one. Raises sqlite3.Error."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions are written out, and begin nowhere else
        check_same_thread=False,  # `Gallery` holds a lock
    )
    try:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        db.execute("PRAGMA temp_store = MEMORY")  # VACUUM must leave no copies of faces in a temporary folder
    except BaseException:
        db.close()
        raise
    return db


def shortlist_file(path: Path) -> Path:
    """Where the shortlist of a large gallery is kept: embeddings as well, coarser by a little."""
    return path.with_name(f"{path.name}-shortlist")


def drop_shortlist(path: Path) -> None:
    """Delete the kept shortlist and any that is being written. Raises OSError."""
    for each in (shortlist_file(path), *path.parent.glob(f".{glob.escape(path.name)}-shortlist.*")):
        each.unlink(missing_ok=True)


def publish(made: Path, path: Path) -> bool:
    """Give a finished file its name; False where something has that name. `made` may be left to delete.

    Raises OSError.
    """
    try:
        os.link(made, path)  # unlike a rename, never replaces a gallery that is there
    except FileExistsError:
        return False
    except OSError:  # FAT has no links; there, two processes making it in the same instant are not told apart
        if path.exists():
            return False
        made.rename(path)
    return True
