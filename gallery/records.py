"""What a gallery holds, read with SQL that a file and a server both speak.

Everything here raises what the database raises; `Gallery` adds the lock, the index and readable errors.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gallery import edits, encoding, history
from gallery.database import Signature
from gallery.errors import UnusableError
from gallery.failures import damaged
from gallery.progress import Progress, Report, silent, unheard
from gallery.sql import Database
from gallery.types import Card, Change, Denial, Floats, Ints, Merger, Person, Stats, StoredTemplate


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the history of a file is: two files with the same marks hold the same."""

    change: int  # the last
    undone: int  # how many were
    last: tuple[object, ...]  # the last change itself: another file may have had as many


_EMBEDDINGS = "SELECT id, person, embedding FROM templates WHERE aside <= ? AND"


class Records(ABC):
    """An open gallery. Not safe between threads: `Gallery` holds the lock.

    Raises GalleryError for what is not a gallery or is damaged, and what its database refuses.

    Attributes:
        path: the file, or what stands for a server (`gallery.address`).
        read_only: why it cannot be written, "" where it can.
        signature: what it looked like from outside when it was opened.
        remains: where bytes of what was erased may be nevertheless, and for how long.
    """

    path: Path
    read_only: str
    remains = ""
    signature: Signature
    _db: Database

    def __init__(self, made_with: tuple[str, int]) -> None:
        self.fingerprint, self.dimension = made_with

    @property
    def lost(self) -> bool:
        """Whether it is on a server that is not heard of any more; open it again then."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Close it; a second call does nothing."""

    @abstractmethod
    def looks(self) -> Signature:
        """What it looks like from outside now. Raises OSError where it is gone."""

    @abstractmethod
    def version(self, ask: bool = False) -> int:
        """A number that changes when another connection has written. One's own writes do not change it.

        Args:
            ask: make sure; else a server's word may take a moment to come.
        """

    @abstractmethod
    def size(self) -> int:
        """How many bytes it takes."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Several reads that see one state of it."""

    @abstractmethod
    def writing(self, say: Report = unheard) -> AbstractContextManager[Database]:
        """One transaction, for the functions of `edits` and `history`: all of it or nothing.

        Args:
            say: is told in a line what takes long.

        Raises GalleryError where it can only be read.
        """

    @abstractmethod
    def copy_into(self, path: Path, progress: Progress = silent) -> None:
        """Write one state of it, without what was deleted, to `path`, an empty file: a gallery of SQLite.

        Args:
            progress: is told how many rows are copied, where that is known.
        """

    @abstractmethod
    def ids_given(self) -> dict[str, int]:
        """The last id that was given, by the table that gives them; they are never given again."""

    @abstractmethod
    def erase(self) -> bool:
        """See to it that no byte of what was deleted is left; False where that cannot be said."""

    def made_with(self) -> tuple[str, int]:
        """Fingerprint and dimension, as the file says now.

        Raises KeyError or ValueError where it does not.
        """
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        return str(meta["fingerprint"]), int(meta["dimension"])

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

    def entries(self, after: int) -> list[tuple[object, ...]]:
        """The log after a change, oldest first, as ids: (id, at, action, person, other, count)."""
        return self.rows(
            "SELECT id, at, action, person, other, count FROM changes WHERE id > ? ORDER BY id", (after,)
        )

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

    def person_id(self, name: str) -> int | None:
        """Whose name it is."""
        return edits.person_id(self._db, name)

    def template_ids(self, person: int, aside: bool = True) -> list[int]:
        """The templates of a person, oldest first; unless `aside`, without those that are set aside."""
        rows = self._db.execute(
            "SELECT id FROM templates WHERE person = ? AND aside <= ? ORDER BY id", (person, int(aside))
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
            WHERE CAST(? AS BIGINT) IS NULL OR person = ? ORDER BY denials.id""",
            (person, person),
        ).fetchall()
        for row in rows:
            yield Denial(row[10], row[11], self._stored(row[:10]))

    def denied(self) -> tuple[Ints, Ints, Floats]:
        """All of them without pictures: whose they are not (n,), at which face (n,), embeddings (n, d)."""
        rows = self._db.execute("SELECT person, said, embedding FROM denials ORDER BY id").fetchall()
        embeddings = self._embeddings([row[2] for row in rows])
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
            self.size(),
            int(
                self._value(
                    """SELECT (SELECT coalesce(sum(length(embedding)), 0) FROM old_templates)
                    + (SELECT coalesce(sum(length(png)), 0) FROM old_crops)
                    + (SELECT coalesce(sum(length(embedding) + coalesce(length(png), 0)), 0)
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

    def owners(self, after: int = 0) -> tuple[Ints, Ints]:
        """All templates that are searched, ascending (t,) int64, and whose they are (t,) int64.

        Args:
            after: only those with a greater id.
        """
        rows = self._db.execute(
            "SELECT id, person FROM templates WHERE aside = 0 AND id > ? ORDER BY id", (after,)
        ).fetchall()
        table = np.array(rows, np.int64).reshape(-1, 2)
        return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])

    def embeddings(
        self, wanted: Ints | None = None, after: int = 0, batch: int = 4096, aside: bool = False
    ) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Templates by id, in batches: all whose id is greater than `after`, or those `wanted` (w,) int64.

        Without those that are set aside, unless `aside`.

        Yields ids (n,) int64, people (n,) int64, embeddings (n, d) float32.
        """
        if wanted is not None:
            for start in range(0, len(wanted), batch):
                text = json.dumps(wanted[start : start + batch].tolist())
                yield from self._batch("id IN (SELECT value FROM json_each(?)) ORDER BY id", aside, text)
            return
        while True:
            found = list(self._batch("id > ? ORDER BY id LIMIT ?", aside, after, batch))
            yield from found
            if not found or len(found[0][0]) < batch:
                return
            after = int(found[0][0][-1])

    def searched(
        self, wanted: Ints | None = None, after: int = 0
    ) -> Iterator[tuple[Ints, Ints, Floats | None]]:
        """As `embeddings`, for an index; None in place of embeddings that are better left where they are."""
        yield from self.embeddings(wanted, after)

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """What a SELECT answers."""
        return self._db.execute(sql, parameters).fetchall()

    def must_write(self) -> None:
        """Raises GalleryError where the file can only be read."""
        if self.read_only:
            raise UnusableError(
                f"the gallery {self.path} can only be read here: {self.read_only}; a copy that can be "
                "written is made with: recog gallery backup FILE"
            )

    def _batch(self, where: str, *values: object) -> Iterator[tuple[Ints, Ints, Floats]]:
        aside, *others = values
        rows = self._db.execute(f"{_EMBEDDINGS} {where}", (int(bool(aside)), *others)).fetchall()
        if rows:
            ids, people, blobs = zip(*rows, strict=True)
            yield np.array(ids, np.int64), np.array(people, np.int64), self._embeddings(blobs)

    def _embeddings(self, blobs: Sequence[bytes]) -> Floats:
        try:
            return encoding.embeddings_from_bytes(blobs, self.dimension)
        except ValueError as error:
            raise damaged(self.path, str(error)) from error

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
