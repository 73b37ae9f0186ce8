"""Names of files as people type them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """`~/x` as the file in the home folder; `~backup.mp4` and what already exists stay as they are.

    Where nobody knows the home folder (no HOME, no entry for the user), the name stays as it is, too.
    """
    text = os.fspath(path)
    if text.startswith(("postgresql:/", "postgres:/")):  # a gallery on a server
        from gallery.address import place

        return place(path)
    return Path(text) if not text.startswith("~") or os.path.lexists(text) else Path(os.path.expanduser(text))


def beside(gallery: Path) -> Path:
    """Where this machine keeps what belongs to a gallery: beside its file, or one named for a server."""
    from gallery.address import is_server

    if not is_server(gallery):
        return gallery
    folder = Path("~/.local/share/recog/servers").expanduser()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in str(gallery).partition("://")[2])
    return folder / f"{name[:60]}-{hashlib.sha256(str(gallery).encode()).hexdigest()[:8]}.db"
