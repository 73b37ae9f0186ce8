"""The SQLite file itself: how it is made and opened."""

from __future__ import annotations

import errno
import glob
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from gallery.held import Connection, Hold
from gallery.schema import SCHEMA
from gallery.sealed import connect as connect_sealed
from gallery.sealed import marked

APPLICATION_ID = 0x7265636F  # "reco", tells a gallery from every other SQLite file
BUSY_SECONDS = 5.0  # how long to wait for another process before calling the gallery locked


def create(path: Path, fingerprint: str, dimension: int) -> None:
    """Make an empty gallery at `path`, and its folder; one that another process makes meanwhile stays.

    Raises sqlite3.Error or OSError, and then leaves nothing at `path`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    drop_orphans(path)
    # Made under another name and then put into place, so that nobody ever sees half a gallery. mkstemp
    # creates with mode 0600, and SQLite gives the -wal and -shm files the mode of the database.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    made = Path(name)
    try:
        with closing(connect(made)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN")
            lay_out(db)
            meta = [("fingerprint", fingerprint), ("dimension", str(dimension))]
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
            db.execute("COMMIT")
        publish(made, path)
    finally:
        made.unlink(missing_ok=True)


def lay_out(db: sqlite3.Connection) -> None:
    """Make the tables of an empty file, and mark it as a gallery, in a transaction that was begun."""
    for statement in SCHEMA:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


class Signature(NamedTuple):
    """What a file looks like from outside; another one, and somebody has done something to it."""

    device: int
    inode: int
    size: int
    changed: int  # nanoseconds
    log: int  # as `changed`, of the write-ahead log; 0 without one, or where it is not of interest


def signature(path: Path, with_log: bool) -> Signature:
    """What the gallery file looks like now. Raises OSError where there is none."""
    about, log = path.stat(), 0
    if with_log:
        try:
            log = _log(path).stat().st_mtime_ns
        except FileNotFoundError:
            log = 0
    return Signature(about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, log)


def open_file(path: Path) -> tuple[sqlite3.Connection, str]:
    """Open a gallery, and say why it can only be read; "" where it can be written.

    Raises sqlite3.Error.
    """
    if how_to_open(path) != "mode=rw":
        return connect(path, _how_to_read(path)), "neither its file nor its folder may be write-protected"
    try:
        return connect(path), ""
    except sqlite3.OperationalError:
        if has_locks(path.absolute().parent):
            raise
        return connect(
            path, _how_to_read(path)
        ), "its file system knows no locks, which writing needs; keep it on a local disk"


def has_locks(folder: Path) -> bool:
    """Whether the file system of a folder can lock files; where that cannot be tried, it counts as if."""
    try:
        import fcntl
    except ImportError:  # Windows has locks of another kind
        return True
    try:
        # Not with the gallery itself: closing a file drops every lock that this process has on it.
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
    return True


def connect(path: Path, how: str = "mode=rw") -> sqlite3.Connection:
    """Open an existing file, never making one.

    Raises:
        GalleryError: it is encrypted, and there is no key that fits.
        sqlite3.Error: it cannot be opened.
    """
    options: dict[str, Any] = {
        "timeout": BUSY_SECONDS,
        "isolation_level": None,  # transactions are written out, and begin nowhere else
        "check_same_thread": False,  # `Gallery` holds a lock
    }
    hold = Hold(path)
    db: Connection
    try:
        if marked(hold.head):
            db = connect_sealed(path, how, hold.head, **options)
        else:
            address = f"{path.absolute().as_uri()}?{how}"
            db = sqlite3.connect(address, uri=True, factory=Connection, **options)
    except BaseException:
        hold.release()
        raise
    db.hold = hold
    try:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        db.execute("PRAGMA temp_store = MEMORY")  # VACUUM must leave no copies of faces in a temporary folder
    except BaseException:
        db.close()
        raise
    return db


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def how_to_open(path: Path) -> str:
    """How SQLite is to open a file that is only read: as one to write, unless it is write-protected."""
    if _may_write(path) and _may_write(path.resolve().parent):
        return "mode=rw"
    return _how_to_read(path)


def _how_to_read(path: Path) -> str:
    """How a file that cannot be written is opened, leaving nothing beside it."""
    try:
        logged = _log(path).stat().st_size > 0
    except OSError:
        logged = False
    # With nothing in the log the file itself is everything, and no lock or second file is needed to read it.
    return "mode=ro" if logged else "mode=ro&immutable=1"


def _log(path: Path) -> Path:
    real = path.resolve()  # where a link leads, for that is where SQLite keeps it
    return real.with_name(f"{real.name}-wal")


def drop_orphans(path: Path) -> None:
    """Delete what a gallery that is no more has left: SQLite would take its log for that of the new one."""
    log = _log(path)
    orphans = [
        each for each in (log, log.with_name(f"{log.name[:-4]}-shm"), shortlist_file(path)) if each.exists()
    ]
    if orphans and not os.path.lexists(path):
        for each in orphans:
            each.unlink(missing_ok=True)


def shortlist_file(path: Path) -> Path:
    """Where the shortlist of a large gallery is kept: embeddings as well, coarser by a little."""
    return path.with_name(f"{path.name}-shortlist")


def drop_shortlist(path: Path) -> None:
    """Delete the kept shortlist and any that is being written. Raises OSError."""
    for each in (shortlist_file(path), *path.parent.glob(f".{glob.escape(path.name)}-shortlist.*")):
        each.unlink(missing_ok=True)


def claim(path: Path) -> None:
    """Make an empty file that only its owner may read, for SQLite to fill; one that is there stays.

    Neither is ever opened under its name: see `held`. Raises OSError.
    """
    path = path.resolve()  # where a link leads
    if path.exists():
        return
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
    os.close(handle)
    made = Path(name)
    try:
        publish(made, path)
    finally:
        made.unlink(missing_ok=True)


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
