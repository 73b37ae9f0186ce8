"""What can be asked of an open gallery: who is enrolled, with which photos, and what was changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gallery.backup import back_up
from gallery.errors import GalleryError
from gallery.names import check_name, similar_names
from gallery.records import Marks, Records
from gallery.searched import Searched
from gallery.types import Card, Change, Denial, Floats, Ints, Merger, Person, Stats, StoredTemplate


class Reader(Searched):
    """An open gallery, for reading. Any thread may use it; one lock makes them take turns.

    Every method raises GalleryError where the file cannot be read or written: locked, damaged, disk full.
    """

    @property
    def remains(self) -> str:
        """Where bytes of what is erased may be nevertheless, and for how long; "" for a file."""
        return self._store.remains

    def must_write(self) -> None:
        """Raises GalleryError where the file can only be read; ask before work that ends in a change."""
        with self._using() as opened:
            opened.must_write()

    @property
    def people_count(self) -> int:
        """How many people are enrolled; once searched, how many are searched."""
        with self._lock:
            if self._matcher is not None:  # counting them in the file takes milliseconds for a million
                return self._matcher.held.people
        with self._using() as opened:
            return opened.counts()[0]

    def knows(self, name: str) -> bool:
        """Whether somebody of exactly this name is enrolled; once searched, is among those searched."""
        with self._lock:
            if self._matcher is not None:
                return name in self._matcher.held.names.values()
        with self._using() as opened:
            return opened.person_id(name) is not None

    def __len__(self) -> int:
        """How many templates are stored, those set aside among them."""
        with self._using() as opened:
            return opened.counts()[1]

    def people(self) -> list[Person]:
        """Everybody enrolled, by name."""
        with self._using() as opened:
            return opened.people()

    def templates(self, name: str, aside: bool = False) -> Iterator[StoredTemplate]:
        """The templates of a person that are searched, oldest first, each read when asked for.

        Args:
            aside: those that are set aside as well.

        Raises GalleryError at once for a name nobody has.
        """
        with self._using() as opened:
            return self.read(opened.template_ids(self._person(opened, name), aside))

    def photos(self, name: str, aside: bool = True) -> list[int]:
        """The ids of a person's templates, oldest first; all of them are numbered so where they are listed.

        Args:
            aside: those that are set aside as well.

        Raises GalleryError for an unknown name.
        """
        with self._using() as opened:
            return opened.template_ids(self._person(opened, name), aside)

    def cards(self, people: Iterable[int]) -> list[Card]:
        """The photos of people with these ids (`Person.id`), oldest first, as they are listed."""
        with self._using() as opened:
            return opened.cards(np.array(sorted(people), np.int64))

    def marks(self) -> Marks:
        """Where the history of the file is: while it is the same, nothing that is logged has changed."""
        with self._using() as opened:
            return opened.marks()

    def continues(self, marks: Marks) -> bool:
        """Whether this is the gallery that had these marks, then or later: no older copy, and no other."""
        with self._using() as opened:
            return opened.continues(marks)

    def entries(self, after: int = 0) -> list[tuple[object, ...]]:
        """The log after a change, oldest first, as ids: (id, at, action, person, other, count).

        None of these is ever changed, so two galleries with the same entry have the same past.
        """
        with self._using() as opened:
            return opened.entries(after)

    def qualities(self, name: str) -> dict[int, float]:
        """The quality of each template of a person by its id, oldest first, those set aside among them.

        Raises GalleryError for an unknown name.
        """
        with self._using() as opened:
            return opened.qualities(self._person(opened, name))

    def embeddings(self) -> tuple[Ints, Ints, Floats]:
        """All that is searched: ids (t,) int64 ascending, `Person.id` of each (t,), embeddings (t, d)."""
        with self._using() as opened:
            parts = list(opened.embeddings())
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, self.dimension), np.float32)
        ids, people, embeddings = (np.concatenate(column) for column in zip(*parts, strict=True))
        return ids, people, embeddings

    def denials(self, name: str | None = None) -> list[Denial]:
        """The looks of which somebody said whose they are not: all, or those of a person; oldest first.

        Raises GalleryError for a name nobody has.
        """
        with self._using() as opened:
            return list(opened.denials(None if name is None else self._person(opened, name)))

    def undoable(self) -> Change | None:
        """The change that `undo` takes back next; None where there is none."""
        with self._using() as opened:
            return opened.undoable()

    def mergers(self) -> list[Merger]:
        """Every time that two people were made one, oldest first."""
        with self._using() as opened:
            return opened.mergers()

    def log(self, most: int | None = None) -> list[Change]:
        """The latest changes, newest first."""
        with self._using() as opened:
            return opened.log(most)

    def stats(self) -> Stats:
        """How much there is of everything."""
        with self._using() as opened:
            return opened.stats()

    def crop_ids(self) -> tuple[list[int], list[int]]:
        """The ids of the templates that have a crop and of those that have none, ascending."""
        with self._using() as opened:
            return opened.crop_ids()

    def read(self, ids: Iterable[int]) -> Iterator[StoredTemplate]:
        """Templates by id, each read when asked for; those removed meanwhile are left out."""
        for template in ids:
            with self._using() as opened:  # not held between templates: a reader must not block an erasure
                stored = opened.template(template)
            if stored is not None:
                yield stored

    def back_up(self, path: Path) -> tuple[int, int]:
        """Copy the gallery to a new file while others have it open: how many people and templates it holds.

        Raises GalleryError also where there is something at `path`, or it cannot be written.
        """
        with self._using() as opened:
            return back_up(opened, path)

    def note(self, key: str) -> Any:
        """What `set_note` stored for the gallery, None if nothing."""
        with self._using() as opened:
            return opened.note(key)

    def newest(self) -> int:
        """The greatest id of a template, 0 where there is none."""
        with self._using() as opened:
            return opened.newest()

    def changed_since(self, template: int) -> int:
        """How many people were enrolled, or given photos, after the template with this id."""
        with self._using() as opened:
            return opened.changed_since(template)

    def person_notes(self, key: str) -> dict[str, Any]:
        """What `set_note` stored for people, by name."""
        with self._using() as opened:
            return opened.person_notes(key)

    def _person(self, opened: Records, name: str) -> int:
        name = check_name(name)
        person = opened.person_id(name)
        if person is None:
            raise self._unknown(name)
        return person

    def _unknown(self, name: str) -> GalleryError:
        near = similar_names(name, self._store.names().values())
        hint = f"did you mean {' or '.join(near)}?" if near else "see who is with: recog gallery list"
        return GalleryError(f"nobody named {name} is in the gallery {self.path}; {hint}")
