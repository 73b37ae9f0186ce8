"""What the service remembers: one SQLite file beside the gallery, readable by its owner only.

    with store.writing() as connection:
        connection.execute("UPDATE ...")

One process has it: another service on the same gallery is refused. Readers do not wait for the writer (WAL).
What is deleted is overwritten (`secure_delete`), and `forget` clears the log of it, too.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gallery.database import claim
from pipeline.errors import ServiceError
from pipeline.paths import beside
from pipeline.service.schema import SCRIPTS

APPLICATION = 0x72656373  # "recs": marks the file as ours
_BUSY = 10.0  # seconds that a statement waits for another connection


class Store:
    """The service's file. Any thread may use it; `close` it at the end."""

    def __init__(self, path: Path, alone: bool = True) -> None:
        """Open or make the file, and bring it to this version.

        Args:
            alone: False for a command beside a service that may be running: a token is made, say.

        Raises:
            ServiceError: another service has it, it is none of ours or of a later version, or it cannot be
                written.
        """
        self.path = path
        self._turn = threading.RLock()  # whose it is to write
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._lock = _locked(path, alone)
        try:
            with self._explained():
                claim(path)  # before SQLite makes it, which would let others read
                self._refuse_what_is_not_ours()
                self._writer = self._connect()
            with self._explained():
                self._migrate()
        except BaseException:
            self._unlock()
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with; what it sees does not change between two statements of one `with`.

        Raises:
            ServiceError: the file is damaged, or the service has ended.
        """
        with self._explained():
            connection = self._taken()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._given_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept at the end, or nothing after an exception. One at a time.

        Raises:
            ServiceError: the disk is full, the file is damaged or read-only, or the service has ended.
        """
        with self._turn, self._explained():
            if self._closed:
                raise ServiceError("the service has ended")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def setting(self, key: str, default: Any = None) -> Any:
        """A value that somebody has set, or the default."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def set_setting(self, key: str, value: Any) -> None:
        """Keep a value of JSON's types."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, json.dumps(value)))

    def forget(self) -> None:
        """After something was deleted that must be gone: no byte of it stays in the write-ahead log."""
        with self._turn, self._explained():
            if not self._closed:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @property
    def schema(self) -> int:
        """The version of the file."""
        return len(SCRIPTS)

    def close(self) -> None:
        """Close the file and let another service have it. May be called again."""
        with self._turn, self._guard:
            if self._closed:
                return
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._writer.close()
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "secure_delete = ON",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA temp_store = MEMORY")  # no copies of faces in a temporary folder
        return connection

    def _refuse_what_is_not_ours(self) -> None:
        """Raises ServiceError for another program's file, before anything in it is changed."""
        with closing(sqlite3.connect(self.path, timeout=_BUSY)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            mark = connection.execute("PRAGMA application_id").fetchone()[0]
        if mark != APPLICATION and (tables or mark):
            raise ServiceError(f"{self.path} exists and is not of this service; move it away")

    def _migrate(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > len(SCRIPTS):
            raise ServiceError(
                f"{self.path} is of a newer recog (format {version}, known here: {len(SCRIPTS)}); use that"
            )
        if version < len(SCRIPTS) and self._lock is None:
            raise ServiceError(f"the service that has {self.path} is of an older recog; start it again first")
        behind = range(version, len(SCRIPTS))
        for number in behind:
            try:
                self._writer.executescript(
                    f"BEGIN IMMEDIATE; {SCRIPTS[number]}; PRAGMA application_id = {APPLICATION}; "
                    f"PRAGMA user_version = {number + 1}; COMMIT;"
                )
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        if behind:  # a script may have erased something
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _taken(self) -> sqlite3.Connection:
        with self._guard:
            if self._closed:
                raise ServiceError("the service has ended")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _given_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise  # a bug of ours
            raise ServiceError(f"cannot use {self.path}: {error}") from error
        except OSError as error:
            raise ServiceError(f"cannot use {self.path}: {error.strerror or error}") from error


def store_path(gallery: Path) -> Path:
    """Where the service of a gallery keeps what it remembers: `people.service.db` beside `people.db`."""
    return _beside(gallery, "service.db")


def tape_path(gallery: Path) -> Path:
    """Where the service of a gallery keeps the looks of its sources: `people.service.tape`."""
    return _beside(gallery, "service.tape")


def demo_path(gallery: Path) -> Path:
    """Where the demo film is made, if somebody wants it: `people.service.demo.mp4`."""
    return _beside(gallery, "service.demo.mp4")


def _beside(gallery: Path, what: str) -> Path:
    own = beside(gallery)
    return own.with_name(f"{own.stem}.{what}")


def _locked(path: Path, alone: bool) -> sqlite3.Connection | None:
    """A lock beside the file that is gone with this process, however that ends."""
    lock = path.with_suffix(".lock")
    try:
        claim(lock)
        connection = sqlite3.connect(lock, timeout=0.2, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise ServiceError(f"cannot use {lock}: {getattr(error, 'strerror', None) or error}") from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        if busy and not alone:
            return None
        if busy:
            raise ServiceError(
                f"another recog serve has {path}; end that one first, or give this one another --gallery"
            ) from error
        raise ServiceError(f"cannot use {lock}: {error}") from error
    return connection
