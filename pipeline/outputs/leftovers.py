"""What runs that were killed have left behind: the next run in that folder names it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from pipeline.locks import held

_PART = re.compile(r"\..+-[0-9a-f]{8}\.part\.\w+(\.whole)?")  # as OutputFile names them
_PLAYABLE = frozenset({".m4v", ".mkv", ".mov", ".mp4"})


def left_behind(folder: Path) -> list[str]:
    """A line for each unfinished file in `folder` that nobody writes any more; [] if it cannot be listed."""
    try:
        parts = sorted(path for path in folder.iterdir() if _PART.fullmatch(path.name) and not _in_use(path))
    except OSError:
        return []
    return [_told(path) for path in parts]


def _told(path: Path) -> str:
    if not path.stat().st_size:
        what = "it is empty, and can be deleted"
    elif path.suffix.lower() in _PLAYABLE:
        what = "it plays as far as it goes; rename it to keep it, or delete it"
    else:
        what = "it may have to be repaired before it plays; delete it if it is not wanted"
    return f"{path} was left behind by a run that was killed: {what}"


def _in_use(path: Path) -> bool:
    if sys.platform == "win32":
        try:
            path.rename(path)  # refused while somebody has it open
        except OSError:
            return True
        return False
    file = os.open(path, os.O_RDONLY)
    try:
        return not held(file, shared=True)
    finally:
        os.close(file)
