"""A whole gallery from one place to another: file to server, server to file, file to file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gallery.address import is_server
from gallery.backup import back_up
from gallery.failures import explained
from gallery.opening import opened
from gallery.progress import Progress, Report, silent, unheard


def copy(source: Path, target: Path, say: Report = unheard, progress: Progress = silent) -> tuple[int, int]:
    """Copy all that a gallery holds, with its history and the ids that it gave; the source stays as it is.

    Args:
        say: is told in a line what takes long on a server.
        progress: is told how far it is.

    Returns how many people and templates were copied.

    Raises:
        GalleryError: one of both cannot be used, or there is something at the target: nothing is replaced.
    """
    with explained(source), closing(opened(source)) as store:
        if not is_server(target):
            return back_up(store, target, progress)
        from gallery.server.store import fill

        fill(target, store, say, progress)
    with explained(target), closing(opened(target)) as copied:
        return copied.counts()
