"""The gallery: `Reader`, and every change that can be made to it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gallery import denials, edits, encoding, history
from gallery.errors import ChangedError, GalleryError
from gallery.names import check_new_name
from gallery.progress import Report, unheard
from gallery.reader import Reader
from gallery.records import Marks, Records
from gallery.rows import Row
from gallery.sql import Database
from gallery.types import Added, Change, Floats, Merged, NewTemplate, Removed


class Gallery(Reader):
    """An open gallery. Any thread may use it; one lock makes them take turns.

    Every method raises GalleryError where the file cannot be read or written: locked, damaged, disk full.
    """

    _expected: Marks | None = None

    def add(self, name: str, templates: Sequence[NewTemplate], action: str = "enroll") -> Added:
        """Store templates for a person, new or known: all of them or, if anything fails, none.

        A template whose digest this person already has is skipped and counted. No templates, no person.

        Raises GalleryError for a name that `check_new_name` refuses; ValueError for embeddings of another
        length.
        """
        return self.add_people({name: templates}, action)

    def add_people(
        self,
        people: Mapping[str, Sequence[NewTemplate]],
        action: str,
        denied: Mapping[str, Sequence[Sequence[NewTemplate]]] | None = None,
    ) -> Added:
        """As `add`, for several people in one change.

        Args:
            denied: for some of them, looks that are not theirs (see `deny`); those at one face together.
        """
        rows: dict[str, list[Row]] = {}
        for name, templates in people.items():
            if templates:  # encodes crops, so before the lock
                rows.setdefault(check_new_name(name), []).extend(self._rows(templates))
        against = {
            check_new_name(name): [self._rows(looks) for looks in faces]
            for name, faces in (denied or {}).items()
        }
        with self._changing() as (_, db):
            stored, change = edits.add(db, rows, action, against)
        return Added(stored, sum(map(len, rows.values())) - stored, change)

    def deny(self, name: str, looks: Sequence[NewTemplate]) -> int:
        """Keep that these looks at one face are not of a person; the change's number, 0 for nothing new.

        From now on `search` says how near a probe is to that face (`Matches.denied`). Enrolling a look of the
        same digest as theirs takes the denial back: what was said last holds.

        Raises GalleryError for a name nobody has; ValueError for embeddings of another length.
        """
        rows = self._rows(looks)
        with self._changing() as (opened, db):
            return edits.deny(db, self._person(opened, name), rows)

    def withdraw(self, face: int) -> int:
        """Take back that a face (`Denial.face`) is not of whom it was taken for; the change's number.

        Raises GalleryError where there is no such face.
        """
        with self._changing() as (_, db):
            ids = denials.of_face(db, face)
            if not ids:
                raise GalleryError(
                    f"the gallery {self.path} has no denied face {face}; it may be withdrawn already"
                )
            return edits.withdraw(db, ids)

    def rename(self, name: str, new: str) -> None:
        """Give a person another name.

        Raises GalleryError for a name nobody has, a name that somebody else has, and one that
        `check_new_name` refuses.
        """
        new = check_new_name(new)
        with self._changing() as (opened, db):
            person = self._person(opened, name)
            if edits.person_id(db, new) not in (None, person):
                raise GalleryError(
                    f"there is somebody else named {new}; if they are one person, "
                    f"use: recog gallery merge {shlex.quote(name)} {shlex.quote(new)}"
                )
            edits.rename(db, person, new)

    def merge(self, name: str, into: str) -> Merged:
        """Make one person of two, who goes on as `into`; photos that both have are kept once.

        Raises GalleryError for names that nobody has and for twice the same.
        """
        with self._changing() as (opened, db):
            person, other = self._person(opened, name), self._person(opened, into)
            if person == other:
                raise GalleryError(f"{name} cannot be merged with themselves")
            return Merged(*edits.merge(db, person, other))

    def set_aside(self, name: str, templates: Sequence[int], aside: bool = True) -> int:
        """Keep photos of a person but search them no more, or (`aside` false) search them again.

        Args:
            templates: ids, of this person.

        Returns how many were not so before.

        Raises GalleryError for a name nobody has, and for templates that are of somebody else.
        """
        with self._changing() as (opened, db):
            person = self._person(opened, name)
            self._must_be_theirs(opened, name, person, templates)
            return edits.set_aside(db, person, templates, aside)

    def remove(self, name: str, templates: Sequence[int] | None = None) -> Removed:
        """Remove a person, or only the `templates` with these ids, for good.

        Templates and crops, and what the history holds of them, are deleted and the file is rewritten, so
        that no byte of them is left.

        Raises GalleryError for a name nobody has, listing those that come near, and for templates that are
        of somebody else, or all that this person has.
        """
        with self._changing() as (opened, db):
            person = self._person(opened, name)
            if templates is None:
                removed, crops = edits.remove(db, person)
            else:
                theirs = self._must_be_theirs(opened, name, person, templates)
                if len(set(templates)) == len(theirs):
                    raise GalleryError(
                        f"these are all photos of {name}; remove the person instead, or enroll others first"
                    )
                removed, crops = edits.remove_templates(db, person, sorted(set(templates)))
        return Removed(removed, crops, self._erase(), self._store.remains)

    def undo(self, say: Report = unheard) -> Change | None:
        """Take back the last change that is no removal; None where there is none.

        What an undone enrolment had stored is erased as by `remove`.

        Args:
            say: is told in a line what takes long on a server.
        """
        with self._changing(say) as (_, db):
            change = history.last_undoable(db)
            if change is None:
                return None
            undone = next(each for each in history.log(db, None) if each.id == change)
            deleted = history.undo(db, change)
        if deleted:
            self._erase()
        return undone

    def set_note(
        self, key: str, value: Any, people: Mapping[str, Any] | None = None, undoable: bool = True
    ) -> None:
        """Keep something with the gallery, such as its calibration: JSON values, replaced as a whole.

        Args:
            key: whose note it is; a letter of the alphabet to a word.
            value: for the gallery; None takes it away. It must not name people: a removed person's name
                would stay. Refer to them by `Person.id`.
            people: for single people, by name; these go when the person goes. Others have none from now on.
            undoable: whether `undo` takes it back; not for what is merely derived again.

        Raises GalleryError for a name nobody has.
        """
        with self._changing() as (opened, db):
            notes = {self._person(opened, name): note for name, note in (people or {}).items()}
            edits.set_note(db, key, value, notes, undoable)

    def migrate(
        self,
        embeddings: Mapping[int, Floats],
        fingerprint: str,
        dimension: int,
        leave_out: bool = False,
        denied: Mapping[int, Floats] | None = None,
        say: Report = unheard,
    ) -> int:
        """Go over to another model: every template gets a new embedding, in one transaction.

        Args:
            embeddings: by template, (dimension,) float32; of every template that has a crop.
            leave_out: delete the templates that have none; how many is returned. Undoing brings them back.
            denied: likewise, by the id of the look of a `Denial`.
            say: is told in a line what takes long on a server.

        Raises:
            GalleryError: templates came or went meanwhile, or some have no embedding and may not be left out.
        """
        blobs = {template: encoding.embedding_to_bytes(row) for template, row in embeddings.items()}
        against = {denial: encoding.embedding_to_bytes(row) for denial, row in (denied or {}).items()}
        with self._changing(say) as (opened, db):
            everything = {each for ids in opened.crop_ids() for each in ids}
            missing = sorted(everything - blobs.keys())
            every = {denial.look.id for denial in opened.denials()}
            lost = missing or every - against.keys()
            if not (blobs.keys() <= everything and against.keys() <= every) or (lost and not leave_out):
                raise GalleryError(f"the gallery {self.path} was changed meanwhile; start again")
            edits.migrate(db, blobs, missing, against, fingerprint, dimension)
            self._with_model, self._matcher = False, None  # this object was opened for the model before
            self._made = fingerprint, dimension
        self._store.fingerprint, self._store.dimension = fingerprint, dimension
        return len(missing)

    def _rows(self, templates: Sequence[NewTemplate]) -> list[Row]:
        """Templates as they are stored. Raises ValueError for embeddings of another length."""
        self._need_model()
        for template in templates:
            if template.embedding.shape != (self.dimension,):
                raise ValueError(f"embeddings are ({self.dimension},), not {template.embedding.shape}")
        return [_to_row(template) for template in templates]

    def _must_be_theirs(self, opened: Records, name: str, person: int, templates: Sequence[int]) -> set[int]:
        """All templates of a person; raises GalleryError where one of these is none of them."""
        theirs = set(opened.template_ids(person))
        if not set(templates) <= theirs:
            raise GalleryError(f"{name} has no such photo; see which there are with: recog gallery show")
        return theirs

    @contextmanager
    def expecting(self, marks: Marks) -> Iterator[None]:
        """Have the change inside refused if the gallery is not as it was at these `marks` any more.

        Raises ChangedError, before anything is changed.
        """
        with self._lock:
            self._expected = marks
            try:
                yield
            finally:
                self._expected = None

    @contextmanager
    def _changing(self, say: Report = unheard) -> Iterator[tuple[Records, Database]]:
        """One change to the file, all or nothing; the index follows."""
        with self._using() as opened:
            with opened.writing(say) as db:
                if self._with_model and opened.made_with() != self._made:
                    raise GalleryError(
                        f"the gallery {self.path} was migrated to the model {opened.made_with()[0]} "
                        "meanwhile; start again"
                    )
                if self._expected is not None and opened.marks() != self._expected:
                    raise ChangedError(f"the gallery {self.path} was changed meanwhile; look again first")
                yield opened, db
            if self._matcher is not None:
                self._catch_up()

    def _erase(self) -> bool:
        with self._using() as opened:
            return opened.erase()


def _to_row(template: NewTemplate) -> Row:
    embedding = encoding.embedding_to_bytes(template.embedding)
    crop = None if template.crop is None else encoding.crop_to_bytes(template.crop)
    # A file name that is not UTF-8 reaches Python as lone surrogates, which SQLite cannot store.
    origin = template.origin.encode(errors="backslashreplace").decode()
    details = json.dumps(dict(template.details), allow_nan=False)
    return Row(
        embedding,
        crop,
        template.quality,
        origin,
        template.digest,
        template.detector,
        details,
        aside=template.aside,
    )
