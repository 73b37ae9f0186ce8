"""The SQLite file that is the truth about who is enrolled.

Everything here speaks SQL and raises `sqlite3.Error`; `Gallery` adds the lock, the index and readable errors.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gallery import edits, encoding, history
from gallery.database import APPLICATION_ID, Signature, drop_shortlist, open_file, signature
from gallery.errors import GalleryError, UnusableError
from gallery.failures import damaged
from gallery.schema import AS_READ, FORMAT, MIGRATIONS, migrate
from gallery.types import Card, Change, Denial, Floats, Ints, Merger, Person, Stats, StoredTemplate


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the history of a file is: two files with the same marks hold the same."""

    change: int  # the last
    undone: int  # how many were
    last: tuple[object, ...]  # the last change itself: another file may have had as many


_EMBEDDINGS = "SELECT id, person, embedding FROM templates WHERE aside <= ? AND"


class Store:
    """An open gallery file. Not safe between threads: `Gallery` holds the lock.

    Raises GalleryError for a file that is not a gallery or is damaged, sqlite3.Error for what SQLite refuses.

    Attributes:
        read_only: why it cannot be written, "" where it can.
        signature: what the file looked like when it was opened.
    """

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
            self.fingerprint, self.dimension = self.made_with()
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

    def made_with(self) -> tuple[str, int]:
        """Fingerprint and dimension, as the file says now.

        Raises KeyError or ValueError where it does not.
        """
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        return str(meta["fingerprint"]), int(meta["dimension"])

    def version(self) -> int:
        """A number that changes when another connection has written. One's own writes do not change it."""
        return int(self._value("PRAGMA data_version"))

    def counts(self) -> tuple[int, int]:
        """How many people and how many templates there are."""
        people, templates = self._db.execute(
            "SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM templates)"
        ).fetchone()
        return int(people), int(templates)

    def newest(self) -> int:
        """The greatest id of a template, 0 where there is none. Ids only grow."""
        return int(self._value("SELECT coalesce(max(id), 0) FROM templates"))

    def changed_since(self, template: int) -> int:
        """How many people have templates newer than this one."""
        return int(self._value("SELECT count(DISTINCT person) FROM templates WHERE id > ?", template))

    def people(self) -> list[Person]:
        """Everybody, by name."""
        rows = self._db.execute(
            """SELECT people.id, name, count(templates.id), people.added,
                coalesce(max(templates.added), people.added), coalesce(sum(templates.aside), 0)
            FROM people LEFT JOIN templates ON templates.person = people.id
            GROUP BY people.id ORDER BY name COLLATE NOCASE, name"""
        )
        people = [Person(*row) for row in rows]
        self._check_names([person.name for person in people])
        return people

    def marks(self) -> Marks:
        """Where the history is."""
        change, undone = self._db.execute("SELECT max(id), count(undone) FROM changes").fetchone()
        return Marks(int(change or 0), int(undone), self._change(change))

    def continues(self, marks: Marks) -> bool:
        """Whether this is the file that had these marks, then or later: no older copy, and no other."""
        return self._change(marks.change) == marks.last

    def only_added_since(self, marks: Marks) -> bool:
        """Whether every change since then has only added templates, or changed nothing that is searched.

        Of a file that `continues` the marks.
        """
        others = self._value(
            "SELECT count(*) FROM changes WHERE id > ? AND action NOT IN "
            "('enroll', 'import', 'note', 'deny', 'withdraw')",
            marks.change,
        )
        return self.marks().undone == marks.undone and not others

    def names(self, people: Ints | None = None) -> dict[int, str]:
        """The names of everybody, or of `people` (p,), by id."""
        if people is None:
            rows = self._db.execute("SELECT id, name FROM people")
        else:
            wanted = json.dumps(people.tolist())
            rows = self._db.execute(
                "SELECT id, name FROM people WHERE id IN (SELECT value FROM json_each(?))", (wanted,)
            )
        names = dict(rows.fetchall())
        self._check_names(names.values())
        return names

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
        except (sqlite3.OperationalError, OSError):
            return False
        return not busy

    def vacuum_into(self, path: Path) -> None:
        """Write one state of the file, without what was deleted, to `path`, an empty file."""
        self._db.execute("VACUUM INTO ?", (str(path.absolute()),))

    def person_id(self, name: str) -> int | None:
        """Whose name it is."""
        return edits.person_id(self._db, name)

    def template_ids(self, person: int, aside: bool = True) -> list[int]:
        """The templates of a person, oldest first; unless `aside`, without those that are set aside."""
        rows = self._db.execute(
            "SELECT id FROM templates WHERE person = ? AND aside <= ? ORDER BY id", (person, aside)
        )
        return [int(row[0]) for row in rows]

    def cards(self, people: Ints) -> list[Card]:
        """The photos of some people (p,), oldest first, without embeddings and pictures."""
        rows = self._db.execute(
            """SELECT templates.id, person, quality, origin, digest, added, aside, crops.template IS NOT NULL
            FROM templates LEFT JOIN crops ON template = id
            WHERE person IN (SELECT value FROM json_each(?)) ORDER BY templates.id""",
            (json.dumps(people.tolist()),),
        )
        return [
            Card(number, person, quality, origin, digest, added, bool(aside), bool(crop))
            for number, person, quality, origin, digest, added, aside, crop in rows.fetchall()
        ]

    def qualities(self, person: int) -> dict[int, float]:
        """The quality of each template of a person by its id, oldest first."""
        rows = self._db.execute("SELECT id, quality FROM templates WHERE person = ? ORDER BY id", (person,))
        return {int(row[0]): float(row[1]) for row in rows}

    def template(self, template: int) -> StoredTemplate | None:
        """One template, or None if it has been removed."""
        found = self._db.execute(
            """SELECT id, embedding, png, quality, origin, digest, added, detector, details, aside
            FROM templates LEFT JOIN crops ON template = id WHERE id = ?""",
            (template,),
        ).fetchone()
        if found is None:
            return None
        return self._stored(found)

    def denials(self, person: int | None = None) -> Iterator[Denial]:
        """The looks that are not of whom they were taken for: all, or a person's; oldest first."""
        rows = self._db.execute(
            """SELECT denials.id, embedding, png, quality, origin, digest, denials.added, detector, details,
            0, name, said FROM denials JOIN people ON people.id = person
            WHERE ?1 IS NULL OR person = ?1 ORDER BY denials.id""",
            (person,),
        ).fetchall()
        for row in rows:
            yield Denial(row[10], row[11], self._stored(row[:10]))

    def denied(self) -> tuple[Ints, Ints, Floats]:
        """All of them without pictures: whose they are not (n,), at which face (n,), embeddings (n, d)."""
        rows = self._db.execute("SELECT person, said, embedding FROM denials ORDER BY id").fetchall()
        try:
            embeddings = encoding.embeddings_from_bytes([row[2] for row in rows], self.dimension)
        except ValueError as error:
            raise damaged(self.path, str(error)) from error
        about = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
        return about[:, 0], about[:, 1], embeddings

    def note(self, key: str) -> Any:
        """A note of the gallery, None if there is none."""
        found = self._db.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return None if found is None else self._parsed(found[0])

    def person_notes(self, key: str) -> dict[str, Any]:
        """The notes of people under a key, by name."""
        rows = self._db.execute(
            "SELECT name, value FROM person_notes JOIN people ON id = person WHERE key = ?", (key,)
        )
        return {name: self._parsed(value) for name, value in rows.fetchall()}

    def crop_ids(self) -> tuple[list[int], list[int]]:
        """The templates with a crop and those without, ascending."""
        with_crop = {int(row[0]) for row in self._db.execute("SELECT template FROM crops")}
        every = [int(row[0]) for row in self._db.execute("SELECT id FROM templates ORDER BY id")]
        return [i for i in every if i in with_crop], [i for i in every if i not in with_crop]

    def stats(self) -> Stats:
        """How much there is of everything."""
        people, templates = self.counts()
        detectors = self._db.execute(
            "SELECT detector, count(*) FROM templates GROUP BY detector ORDER BY 2 DESC"
        )
        return Stats(
            people,
            templates,
            int(self._value("SELECT count(*) FROM crops")),
            *self.made_with(),
            dict(detectors.fetchall()),
            int(self._value("SELECT count(*) FROM changes")),
            self.path.stat().st_size,
            int(
                self._value(
                    """SELECT (SELECT coalesce(sum(length(embedding)), 0) FROM old_templates)
                    + (SELECT coalesce(sum(length(png)), 0) FROM old_crops)
                    + (SELECT coalesce(sum(length(embedding) + ifnull(length(png), 0)), 0)
                        FROM old_denials)"""
                )
            ),
            int(self._value("SELECT count(*) FROM denials")),
        )

    def mergers(self) -> list[Merger]:
        """Every time that two people were made one, oldest first."""
        rows = self._db.execute(
            "SELECT id, person, other, undone IS NOT NULL FROM changes WHERE action = 'merge' ORDER BY id"
        )
        return [
            Merger(change, person, into, bool(undone)) for change, person, into, undone in rows.fetchall()
        ]

    def undoable(self) -> Change | None:
        """The change that is taken back next, if there is one."""
        change = history.last_undoable(self._db)
        return next((each for each in history.log(self._db, None) if each.id == change), None)

    def log(self, most: int | None) -> list[Change]:
        """The latest changes, newest first."""
        return history.log(self._db, most)

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        """Several reads that see one state of the file; yields that state's `version`."""
        self._db.execute("BEGIN")
        try:
            yield self.version()
        finally:
            self._db.execute("ROLLBACK")

    def owners(self) -> tuple[Ints, Ints]:
        """All templates that are searched, ascending (t,) int64, and whose they are (t,) int64."""
        rows = self._db.execute("SELECT id, person FROM templates WHERE aside = 0 ORDER BY id").fetchall()
        table = np.array(rows, np.int64).reshape(-1, 2)
        return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])

    def embeddings(
        self, wanted: Ints | None = None, after: int = 0, batch: int = 4096, aside: bool = False
    ) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Templates by id, in batches: all whose id is greater than `after`, or those `wanted` (w,) int64.

        Without those that are set aside, unless `aside`.

        Yields ids (n,) int64, people (n,) int64, embeddings (n, d) float32.
        """
        if wanted is None:
            cursors = iter([self._db.execute(f"{_EMBEDDINGS} id > ? ORDER BY id", (aside, after))])
        else:
            cursors = (
                self._db.execute(
                    f"{_EMBEDDINGS} id IN (SELECT value FROM json_each(?)) ORDER BY id", (aside, text)
                )
                for text in (json.dumps(part.tolist()) for part in _parts(wanted, batch))
            )
        for cursor in cursors:
            with closing(cursor):
                while rows := cursor.fetchmany(batch):
                    ids, people, blobs = zip(*rows, strict=True)
                    try:
                        embeddings = encoding.embeddings_from_bytes(blobs, self.dimension)
                    except ValueError as error:
                        raise damaged(self.path, str(error)) from error
                    yield np.array(ids, np.int64), np.array(people, np.int64), embeddings

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
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

    def must_write(self) -> None:
        """Raises GalleryError where the file can only be read."""
        if self.read_only:
            raise UnusableError(
                f"the gallery {self.path} can only be read here: {self.read_only}; a copy that can be "
                "written is made with: recog gallery backup FILE"
            )

    def _has_its_name(self) -> bool:
        try:
            return self.looks()[:2] == self.signature[:2]
        except OSError:
            return False

    def _change(self, number: int | None) -> tuple[object, ...]:
        found = self._db.execute(
            "SELECT id, at, action, person, other, count FROM changes WHERE id = ?", (number or 0,)
        ).fetchone()
        return () if found is None else tuple(found)

    def _value(self, sql: str, *parameters: object) -> Any:
        return self._db.execute(sql, parameters).fetchone()[0]

    def _parsed(self, value: str) -> Any:
        try:
            return json.loads(value)
        except (TypeError, ValueError) as error:
            raise damaged(self.path, "a note is not JSON") from error

    def _stored(self, row: tuple[Any, ...]) -> StoredTemplate:
        number, embedding, crop, quality, origin, digest, added, detector, details, aside = row
        try:
            return StoredTemplate(
                number,
                encoding.embeddings_from_bytes([embedding], self.dimension)[0],
                None if crop is None else encoding.crop_from_bytes(crop),
                quality, origin, digest, added, detector,
                encoding.details_from_text(details), bool(aside),
            )  # fmt: skip
        except ValueError as error:
            raise damaged(self.path, str(error)) from error

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
        if found in AS_READ and self.read_only:
            for statement in AS_READ[found]:
                self._db.execute(statement)
        elif found in MIGRATIONS:
            self.must_write()
            migrate(self._db)
        elif found != FORMAT:
            raise damaged(self.path, f"format {found}")


def _parts(ids: Ints, size: int) -> Iterator[Ints]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
