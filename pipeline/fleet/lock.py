"""A file that one program at a time has for itself, so that two never write into one folder."""

from __future__ import annotations


def locked(file: int) -> bool:
    """Whether this program now has the file for itself; yes where the file system has no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
