"""What a gallery holds, replaced by what a backup of it holds, while others have the gallery open.

The backup goes into the file that is there, in one transaction of SQLite: everybody who has it open follows,
as any change is followed. Another file under the same name would get the log of the one before, and with that
be destroyed, or be what it was before the restore.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gallery.address import is_server
from gallery.backup import back_up
from gallery.database import APPLICATION_ID, BUSY_SECONDS, connect, drop_orphans
from gallery.errors import BusyError, GalleryError, MissingError
from gallery.failures import explained
from gallery.opening import opened
from gallery.sealed import is_sealed
from gallery.store import Store


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a gallery.

    Attributes:
        model: the fingerprint of what made it.
        erased: whether no byte is left of what was there and is in the backup no more.
    """

    people: int
    templates: int
    model: str
    erased: bool


def check(backup: Path, path: Path) -> None:
    """See whether a backup can be restored to a place, as far as that is told without reading all of it.

    Raises:
        GalleryError: one of both is on a server, there is no backup, or the two are one file.
    """
    if is_server(path):
        raise GalleryError(
            f"the gallery {path} is on a server, where nothing is restored over it: give the server back "
            "what pg_dump made, or copy the file into an empty database with: "
            f"recog gallery copy {backup} URL"
        )
    if is_server(backup):
        raise GalleryError(
            f"{backup} is a server's gallery and no backup; copy it with: recog gallery copy {backup} FILE"
        )
    if not backup.exists():
        raise MissingError(f"there is no backup at {backup}; name a file that recog gallery backup made")
    if path.exists() and path.samefile(backup):
        raise GalleryError(f"{backup} is the gallery itself; name a file that recog gallery backup made")


def restore(backup: Path, path: Path) -> Restored:
    """Make a gallery hold what a backup does, whole or not at all; where there is none, it is made.

    Raises:
        GalleryError: the backup is none or is not whole, one of both is encrypted and the other is not, the
            gallery is locked for longer than it is waited for, or cannot be written. It stays as it was.
    """
    check(backup, path)
    if path.exists() and is_sealed(backup) != is_sealed(path):
        plain, sealed = (path, backup) if is_sealed(backup) else (backup, path)
        raise GalleryError(
            f"{sealed} is encrypted and {plain} is not; first do: recog gallery encrypt --gallery {plain}"
        )
    with explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        drop_orphans(path)
        # Checked, and of this version: the backup itself stays as it is.
        beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.resolve().parent))
    try:
        copy = beside / path.name
        with explained(backup), closing(opened(backup)) as source:
            model = source.fingerprint
            new = not path.exists()
            people, templates = back_up(source, path if new else copy)
        erased = True if new else _replace(path, copy)
    finally:
        shutil.rmtree(beside)
    return Restored(people, templates, model, erased)


def _replace(path: Path, copy: Path) -> bool:
    """Make a gallery hold what a copy does; whether nothing else is left in its file."""
    with explained(path):
        with closing(connect(copy)) as source, closing(_target(path)) as target:
            # Should this end before it is erased, whoever opens it next does that.
            source.execute("INSERT INTO meta VALUES ('unerased', 'yes') ON CONFLICT (key) DO NOTHING")
            source.backup(target, progress=_patience(path))
        with closing(Store(path, erase=False)) as store:
            return store.erase()


def _target(path: Path) -> sqlite3.Connection:
    """A gallery to be written over, which may be damaged.

    Raises GalleryError where it is another program's, or so damaged that SQLite cannot write into it.
    """
    try:
        db = connect(path)
        try:
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise GalleryError(
                    f"{path} is a database of another program; name another file with --gallery"
                )
        except BaseException:
            db.close()
            raise
        return db
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_NOTADB:
            raise
        raise GalleryError(
            f"{path} is no database, so nothing can be restored into it; end whatever uses it, move it and "
            "the -wal and -shm beside it away, and restore again"
        ) from error


def _patience(path: Path) -> Callable[[int, int, int], None]:
    """Ends a copy that waits for another writer, for SQLite itself would wait for ever."""
    until = time.monotonic() + BUSY_SECONDS

    def tell(status: int, left: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            raise BusyError(
                f"the gallery {path} is locked by another program; close that program, or try again later"
            )

    return tell
