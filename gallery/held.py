"""Which galleries this process has open: nobody may open such a file past SQLite, not even to look at it.

POSIX drops every lock that a process has on a file as soon as the process closes any descriptor of it,
whoever took the lock (https://sqlite.org/howtocorrupt.html, section 2.2). The next program that closes the
gallery then takes itself for the last one, and deletes the log from under the connections still open.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

HEAD = 16  # bytes: they tell whether a file is encrypted, and hold the salt of its key

_guard = threading.RLock()  # again by the same thread, where it collects a connection meanwhile
_open: dict[tuple[int, int], tuple[bytes, int]] = {}  # by device and inode: head, connections


class Hold:
    """That a connection has a file open: from before it is opened until it is closed or collected."""

    def __init__(self, path: Path) -> None:
        """A file that is missing or cannot be read has an empty head; SQLite says what is wrong with it."""
        with _guard:
            try:
                self._file: tuple[int, int] | None = _identity(path)
                self.head = head(path)
            except OSError:
                self._file, self.head = None, b""
                return
            _, count = _open.get(self._file, (b"", 0))
            _open[self._file] = self.head, count + 1

    def release(self) -> None:
        """The connection is closed. May be called again."""
        with _guard:
            file, self._file = self._file, None
            if file is None:
                return
            remembered, count = _open.pop(file)
            if count > 1:
                _open[file] = remembered, count - 1

    def __del__(self) -> None:
        self.release()


class Connection(sqlite3.Connection):
    """A connection that lets go of its file when it is closed."""

    hold: Hold | None = None

    def close(self) -> None:
        super().close()
        if self.hold is not None:
            self.hold.release()


def head(path: Path) -> bytes:
    """The first bytes of a file, as they were when it was opened. Raises OSError."""
    with _guard:  # nobody takes a lock on the file between its opening and closing here
        found = _open.get(_identity(path))
        if found is not None:
            return found[0]
        with path.open("rb") as file:
            return file.read(HEAD)


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino
