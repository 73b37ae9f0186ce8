"""The SQLite file that is the truth about who is enrolled.

Everything here speaks SQL and raises `sqlite3.Error`; `Gallery` adds the lock, the index and readable errors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gallery import encoding
from gallery.database import APPLICATION_ID, FORMAT, connect
from gallery.errors import GalleryError
from gallery.failures import damaged
from gallery.types import Floats, Ints, Person, StoredTemplate


@dataclass(frozen=True, slots=True)
class Row:
    """A template on its way into the file."""

    embedding: bytes  # little-endian float32
    crop: bytes | None  # PNG
    quality: float
    origin: str
    digest: str


class Store:
    """An open gallery file. Not safe between threads: `Gallery` holds the lock.

    Raises GalleryError for a file that is not a gallery or is damaged, sqlite3.Error for what SQLite refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.stat().st_size == 0:  # SQLite would take it for a new database
            raise damaged(path, "the file is empty")
        self._db = connect(path)
        try:
            self._check_format()
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            self.fingerprint = str(meta["fingerprint"])
            self.dimension = int(meta["dimension"])
            if "unerased" in meta:
                self.erase()
        except (KeyError, ValueError) as error:
            self._db.close()
            raise damaged(path, "it does not say which model made it") from error
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._db.close()

    def version(self) -> int:
        """A number that changes when another connection has written. One's own writes do not change it."""
        return int(self._value("PRAGMA data_version"))

    def counts(self) -> tuple[int, int]:
        """How many people and how many templates there are."""
        people, templates = self._db.execute(
            "SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM templates)"
        ).fetchone()
        return int(people), int(templates)

    def people(self) -> list[Person]:
        """Everybody, by name."""
        rows = self._db.execute(
            """SELECT name, count(templates.id), people.added, coalesce(max(templates.added), people.added)
            FROM people LEFT JOIN templates ON templates.person = people.id
            GROUP BY people.id ORDER BY name COLLATE NOCASE, name"""
        )
        people = [Person(*row) for row in rows]
        self._check_names([person.name for person in people])
        return people

    def names(self) -> dict[int, str]:
        """Every person's name, by id."""
        names = dict(self._db.execute("SELECT id, name FROM people").fetchall())
        self._check_names(names.values())
        return names

    def add(self, name: str, rows: Sequence[Row]) -> tuple[int, list[int | None]]:
        """Store rows for a person, who is made if new, in one transaction: all or nothing.

        Returns the person's id and the id of each row, None where they already have one with that digest.
        """
        added = datetime.now(UTC).isoformat(timespec="seconds")
        ids: list[int | None] = []
        with self._transaction():
            self._db.execute(
                "INSERT INTO people (name, added) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, added)
            )
            person = int(self._value("SELECT id FROM people WHERE name = ?", name))
            for row in rows:
                cursor = self._db.execute(
                    """INSERT INTO templates (person, embedding, quality, origin, digest, added, crop)
                    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, digest) DO NOTHING""",
                    (person, row.embedding, row.quality, row.origin, row.digest, added, row.crop),
                )
                ids.append(cursor.lastrowid if cursor.rowcount else None)
        return person, ids

    def remove(self, name: str) -> tuple[int, int] | None:
        """Delete a person and their templates: the person's id and the number of templates, None if unknown.

        Call `erase` next. The file remembers that it must be done, even if the process dies in between.
        """
        with self._transaction():
            found = self._db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
            if found is None:
                return None
            templates = int(self._value("SELECT count(*) FROM templates WHERE person = ?", found[0]))
            self._db.execute("DELETE FROM people WHERE id = ?", found)
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('unerased', 'yes')")
        return int(found[0]), templates

    def erase(self) -> bool:
        """Rewrite the file without what was deleted; False if another program or a full disk prevented it.

        `secure_delete` zeroes most of it at once, but copies that moved within the trees (names, digests) and
        the write-ahead log survive until the file is rebuilt and the log cut.
        """
        try:
            self._db.execute("VACUUM")
            busy = self._value("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy:
                self._db.execute("DELETE FROM meta WHERE key = 'unerased'")
        except sqlite3.OperationalError:
            return False
        return not busy

    def template_ids(self, name: str) -> list[int]:
        """The templates of a person, oldest first; none for an unknown one."""
        rows = self._db.execute(
            """SELECT templates.id FROM templates JOIN people ON people.id = person
            WHERE name = ? ORDER BY templates.id""",
            (name,),
        )
        return [int(row[0]) for row in rows]

    def template(self, template: int) -> StoredTemplate | None:
        """One template, or None if it has been removed."""
        found = self._db.execute(
            "SELECT embedding, crop, quality, origin, digest, added FROM templates WHERE id = ?", (template,)
        ).fetchone()
        if found is None:
            return None
        try:
            embedding = encoding.embeddings_from_bytes(found[:1], self.dimension)[0]
            crop = None if found[1] is None else encoding.crop_from_bytes(found[1])
        except ValueError as error:
            raise damaged(self.path, str(error)) from error
        return StoredTemplate(embedding, crop, *found[2:])

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        """Several reads that see one state of the file; yields that state's `version`."""
        self._db.execute("BEGIN")
        try:
            yield self.version()
        finally:
            self._db.execute("ROLLBACK")

    def embeddings(self, batch: int = 4096) -> Iterator[tuple[Ints, Ints, Floats]]:
        """All templates by id, in batches: ids (n,) int64, people (n,) int64, embeddings (n, d) float32."""
        cursor = self._db.execute("SELECT id, person, embedding FROM templates ORDER BY id")
        with closing(cursor):
            while rows := cursor.fetchmany(batch):
                ids, people, blobs = zip(*rows, strict=True)
                try:
                    embeddings = encoding.embeddings_from_bytes(blobs, self.dimension)
                except ValueError as error:
                    raise damaged(self.path, str(error)) from error
                yield np.array(ids, np.int64), np.array(people, np.int64), embeddings

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself where the disk is full
                self._db.execute("ROLLBACK")
            raise

    def _value(self, sql: str, *parameters: object) -> Any:
        return self._db.execute(sql, parameters).fetchone()[0]

    def _check_names(self, names: Iterable[object]) -> None:
        if not all(isinstance(name, str) for name in names):  # SQLite's columns hold what the file says
            raise damaged(self.path, "a name is not text")

    def _check_format(self) -> None:
        if self._value("PRAGMA application_id") != APPLICATION_ID:
            raise GalleryError(
                f"{self.path} is a database of another program; name another file with --gallery"
            )
        found = int(self._value("PRAGMA user_version"))
        if found > FORMAT:
            raise GalleryError(f"the gallery {self.path} was made by a newer version of recog; update recog")
        if found != FORMAT:
            raise damaged(self.path, f"format {found}")
