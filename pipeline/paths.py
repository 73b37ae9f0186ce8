"""Names of files as people type them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """`~/x` as the file in the home folder; `~backup.mp4` and what already exists stay as they are.

    Where nobody knows the home folder (no HOME, no entry for the user), the name stays as it is, too.
    """
    text = os.fspath(path)
    return Path(text) if not text.startswith("~") or os.path.lexists(text) else Path(os.path.expanduser(text))
