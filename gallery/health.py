"""Whether a gallery is whole."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gallery.address import is_server
from gallery.database import connect
from gallery.failures import damaged, explained
from gallery.opening import opened


def check_whole(path: Path) -> None:
    """Read a gallery from end to end; nothing is changed.

    Raises:
        GalleryError: it is damaged, or cannot be read.
    """
    if is_server(path):  # which looks after its own disk; what can be seen is whether it can be used
        opened(path).close()
        return
    with explained(path), closing(connect(path)) as database:
        if (said := database.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise damaged(path, said)
