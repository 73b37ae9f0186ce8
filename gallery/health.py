"""Whether a gallery's file is whole."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gallery.database import connect
from gallery.failures import damaged, explained


def check_whole(path: Path) -> None:
    """Read a gallery from end to end; nothing is changed.

    Raises:
        GalleryError: it is damaged, or cannot be read.
    """
    with explained(path), closing(connect(path)) as database:
        if (said := database.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise damaged(path, said)
