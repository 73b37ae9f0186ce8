"""A copy of a gallery in one file, made while others have the gallery open."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

from gallery.database import connect, publish
from gallery.errors import GalleryError
from gallery.failures import damaged, explained
from gallery.progress import Progress, silent
from gallery.records import Records
from gallery.store import Store


def back_up(store: Records, path: Path, progress: Progress = silent) -> tuple[int, int]:
    """Write what a gallery holds at this moment to a new file, of mode 0600; how many people and templates.

    Others neither wait nor are waited for. Only what is stored is copied, no remains of what was deleted. The
    copy is read from end to end before it gets its name.

    Args:
        progress: as that of `Records.copy_into`.

    Raises:
        GalleryError: there is something at `path`, it cannot be written, or the copy is not whole; then
            nothing is left there.
        sqlite3.Error: the gallery cannot be read.
    """
    taken = GalleryError(f"{path} is there already, and a copy never replaces anything; name another file")
    if os.path.lexists(path):
        raise taken
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)  # of mode 0600
        os.close(handle)
        made = Path(name)
        store.copy_into(made, progress)
        counts = _checked(made, store.path)
        _to_disk(made)
        if not publish(made, path):
            raise taken
    except OSError as error:
        raise GalleryError(f"the backup {path} cannot be written: {error.strerror}") from error
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
    return counts


def _checked(made: Path, original: Path) -> tuple[int, int]:
    """How much is in the copy. Raises GalleryError where it cannot be read to its end."""
    try:
        with explained(made), closing(connect(made)) as db:
            if (said := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise damaged(made, said)
            db.execute("DELETE FROM meta WHERE key = 'unerased'")  # nothing that was deleted is in it
            db.execute("PRAGMA journal_mode = WAL")
        with explained(made), closing(Store(made)) as copied:
            for _ in copied.embeddings(aside=True):
                pass
            return copied.counts()
    except GalleryError as error:
        raise GalleryError(str(error).replace(str(made), str(original))) from error


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
