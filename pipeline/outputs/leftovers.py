"""What runs that were killed have left behind: the next run in that folder names it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

_PART = re.compile(r"\..+-[0-9a-f]{8}\.part\.\w+(\.whole)?")  # as OutputFile names them
_PLAYABLE = frozenset({".m4v", ".mkv", ".mov", ".mp4"})


def lock(file: int) -> None:
    """Say of an open file that it is in use, until it is closed or this process ends, however it does."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):  # without locks, it may be named while it is still written
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
    import fcntl

    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False
