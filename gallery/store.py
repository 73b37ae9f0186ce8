"""The SQLite file that is the truth about who is enrolled."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gallery.database import APPLICATION_ID, Signature, drop_shortlist, open_file, signature
from gallery.errors import GalleryError
from gallery.failures import damaged
from gallery.progress import Progress, Report, silent, unheard
from gallery.records import Records
from gallery.schema import AS_READ, FORMAT, MIGRATIONS, migrate


class Store(Records):
    """An open gallery file. Not safe between threads: `Gallery` holds the lock.

    Raises GalleryError for a file that is not a gallery or is damaged, sqlite3.Error for what SQLite refuses.
    """

    _db: sqlite3.Connection

    def __init__(self, path: Path, erase: bool = True) -> None:
        """`erase`: make up for an erasure that an earlier removal could not do, which may take a while."""
        self.path = path
        self._closed = False
        if path.stat().st_size == 0:  # SQLite would take it for a new database
            raise damaged(path, "the file is empty")
        before = signature(path, with_log=True)  # first: what is written meanwhile is news
        self._db, self.read_only = open_file(path)
        self.signature = before if self.read_only else before._replace(log=0)
        try:
            self._check_format()
            super().__init__(self.made_with())
            if erase and self._db.execute("SELECT 1 FROM meta WHERE key = 'unerased'").fetchone():
                self.erase()
        except (KeyError, ValueError) as error:
            self._db.close()
            raise damaged(path, "it does not say which model made it") from error
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Where the file is gone, or another one has its name, the log beside it would pass for that of the next
        one: it is emptied while it is still known as ours.
        """
        if self._closed:
            return
        self._closed = True
        with closing(self._db):
            if not self.read_only and not self._has_its_name():
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def looks(self) -> Signature:
        """What the file looks like now. Raises OSError where it is gone."""
        return signature(self.path, with_log=bool(self.read_only))

    def version(self, ask: bool = False) -> int:
        """A number that changes when another connection has written. One's own writes do not change it."""
        return int(self._value("PRAGMA data_version"))

    def size(self) -> int:
        """How many bytes the file takes."""
        return self.path.stat().st_size

    def erase(self) -> bool:
        """Rewrite the file without what was deleted; False if another program or a full disk prevented it.

        `secure_delete` zeroes most of it at once, but copies that moved within the trees (names, digests) and
        the write-ahead log survive until the file is rebuilt and the log cut.
        """
        if self.read_only:
            return False
        try:
            drop_shortlist(self.path)
            self._db.execute("VACUUM")
            busy = self._value("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy:
                self._db.execute("DELETE FROM meta WHERE key = 'unerased'")
                self._db.execute(
                    "PRAGMA wal_checkpoint(TRUNCATE)"
                )  # a log that is left could be another file's
        except (sqlite3.OperationalError, OSError):
            return False
        return not busy

    def ids_given(self) -> dict[str, int]:
        """The last id that each table has given."""
        return {name: int(last) for name, last in self._db.execute("SELECT name, seq FROM sqlite_sequence")}

    def copy_into(self, path: Path, progress: Progress = silent) -> None:
        """Write one state of the file, without what was deleted, to `path`, an empty file."""
        self._db.execute("VACUUM INTO ?", (str(path.absolute()),))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads that see one state of the file."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    @contextmanager
    def writing(self, say: Report = unheard) -> Iterator[sqlite3.Connection]:
        """One transaction, for the functions of `edits` and `history`: all of it or nothing.

        Raises GalleryError where the file can only be read.
        """
        self.must_write()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself where the disk is full
                self._db.execute("ROLLBACK")
            raise

    def _has_its_name(self) -> bool:
        try:
            return self.looks()[:2] == self.signature[:2]
        except OSError:
            return False

    def _check_format(self) -> None:
        if self._value("PRAGMA application_id") != APPLICATION_ID:
            raise GalleryError(
                f"{self.path} is a database of another program; name another file with --gallery"
            )
        found = int(self._value("PRAGMA user_version"))
        if found > FORMAT:
            raise GalleryError(f"the gallery {self.path} was made by a newer version of recog; update recog")
        if found in AS_READ and self.read_only:
            for statement in AS_READ[found]:
                self._db.execute(statement)
        elif found in MIGRATIONS:
            self.must_write()
            migrate(self._db)
        elif found != FORMAT:
            raise damaged(self.path, f"format {found}")
