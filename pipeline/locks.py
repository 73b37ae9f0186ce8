"""Files by which programs tell each other what they are at, until they close them or end, however they do."""

from __future__ import annotations


def held(file: int, *, shared: bool = False, wait: bool = False) -> bool:
    """Whether this opening of a file now has it, alone or with others that share it.

    It counts as held where the system or the file system has no such locks.

    Args:
        file: its descriptor.
        wait: until it is free.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
