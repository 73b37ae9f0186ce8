"""Keeping the index up with the file: what differs between them, and finding that out in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from gallery.errors import GalleryError
from gallery.failures import damaged, explained
from gallery.opening import opened
from gallery.pooled import pool
from gallery.records import Marks, Records
from gallery.types import Floats, Ints

Found = TypeVar("Found")
PATIENCE = 0.005  # seconds a frame may be held up: an enrolment of a few photos is read in less


@dataclass(frozen=True, slots=True)
class Denied:
    """Faces that are not of whom they were taken for: each is all that was denied of it, pooled."""

    people: Ints  # whose they are not, ascending (f,)
    faces: Floats  # (f, d)


NOBODY = Denied(np.zeros(0, np.int64), np.zeros((0, 0), np.float32))


@dataclass(frozen=True, slots=True)
class Held:
    """What an index holds."""

    templates: Ints  # ascending (t,)
    owners: Ints  # the person of each (t,)
    names: dict[int, str]  # of every owner
    people: int  # owners
    marks: Marks | None  # where the history was then; None for nothing held
    denied: Denied = NOBODY
    by_owner: Ints | None = None  # the places of `templates` (t,) by owner, where they were found already


NOTHING = Held(np.zeros(0, np.int64), np.zeros(0, np.int64), {}, 0, None)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the file holds that an index does not, and the other way round."""

    removed: Ints  # templates (r,)
    added: tuple[tuple[Ints, Ints, Floats | None], ...]  # batches, each as `Records.searched` yields it
    held: Held  # afterwards
    anew: bool = False  # nothing of what was held is left: the file is another one
    migrated_to: str | None = None  # the model that the file has gone over to, if it has


def difference(store: Records, held: Held, made_with: tuple[str, int], live: bool = False) -> Difference:
    """How the file differs from what an index holds.

    Args:
        live: when another model takes the file over, go on with who is held and still enrolled.

    Raises:
        GalleryError: the file is damaged, or another model than `made_with` (fingerprint, dimension) has
            taken it over.
    """
    with store.snapshot():
        marks = store.marks()
        anew = held.marks is not None and not store.continues(held.marks)
        if anew:
            held = NOTHING
        if store.made_with() != made_with:
            model = store.made_with()[0]
            if not live:
                raise GalleryError(
                    f"the gallery {store.path} was migrated to the model {model} meanwhile; start again"
                )
            return _without_newcomers(store, held, marks, anew, model)
        if held.marks is not None and store.only_added_since(held.marks):
            # The usual case, and short however large the gallery: a frame waits while Python is busy here.
            added = tuple(store.searched(after=int(held.templates[-1]) if len(held.templates) else 0))
            templates = np.concatenate([held.templates, *(ids for ids, _, _ in added)])
            owners = np.concatenate([held.owners, *(people for _, people, _ in added)])
            new = np.unique(owners[len(held.owners) :])
            names = held.names | store.names(new)
            unknown = [person for person in new.tolist() if person not in held.names]
            people = held.people + len(unknown)
            removed = held.templates[:0]
        else:
            names = store.names()
            templates, owners = store.owners()
            new = np.unique(owners)
            people = len(new)
            missing = np.setdiff1d(templates, held.templates, assume_unique=True)
            added = tuple(store.searched(missing if len(held.templates) else None))
            removed = np.setdiff1d(held.templates, templates, assume_unique=True)
        if not set(new.tolist()) <= names.keys():
            raise damaged(store.path, "a template belongs to nobody")
        denied = _denied(store)
    by_owner = np.argsort(owners, kind="stable")  # here, where no frame waits for it
    held = Held(templates, owners, names, people, marks, denied, by_owner)
    return Difference(removed, added, held, anew)


def _without_newcomers(store: Records, held: Held, marks: Marks, anew: bool, model: str) -> Difference:
    """What is left of those held. Embeddings of another model cannot be compared with them."""
    templates, owners = store.owners()
    stays = np.isin(templates, held.templates, assume_unique=True)
    templates, owners = templates[stays], owners[stays]
    left = np.unique(owners)
    names = store.names(left)
    if not set(left.tolist()) <= names.keys():
        raise damaged(store.path, "a template belongs to nobody")
    removed = np.setdiff1d(held.templates, templates, assume_unique=True)
    held = Held(templates, owners, names, len(left), marks, held.denied)
    return Difference(removed, (), held, anew, model)


def _denied(store: Records) -> Denied:
    """What the file says is whose not. The looks at one face are pooled, as those of a track are."""
    people, said, embeddings = store.denied()
    if not len(people):
        return NOBODY
    faces, first, place = np.unique(said, return_index=True, return_inverse=True)
    pooled = np.stack([pool(embeddings[place == number]) for number in range(len(faces))])
    order = np.argsort(people[first], kind="stable")
    return Denied(people[first][order], pooled[order])


class _Aside(Generic[Found]):
    """Something that is done in a thread of its own."""

    def __init__(self, do: Callable[[], Found]) -> None:
        self._do = do
        self._found: list[Found] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="gallery refresh", daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Whether there is a result; waits `PATIENCE` for one."""
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def result(self) -> Found:
        """What was found, waiting for it; an error of the thread is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found[0]

    def _run(self) -> None:
        try:
            self._found.append(self._do())
        except Exception as error:  # handed to whoever asks for the result
            self._error = error


class Background(_Aside[Difference]):
    """One look at the gallery, with a connection of its own."""

    def __init__(self, path: Path, held: Held, made_with: tuple[str, int], live: bool) -> None:
        def look() -> Difference:
            with explained(path), closing(opened(path, erase=False)) as store:
                return difference(store, held, made_with, live)

        super().__init__(look)


class Reopening(_Aside[Records]):
    """Opening a gallery again whose server was lost: it may not answer for seconds."""

    def __init__(self, path: Path) -> None:
        self._lock, self._unwanted = threading.Lock(), False
        self._opened: Records | None = None

        def again() -> Records:
            with explained(path):
                store = opened(path, erase=False)
            with self._lock:
                self._opened = store
                if self._unwanted:
                    store.close()
            return store

        super().__init__(again)

    def give_up(self) -> None:
        """Close what was opened, or will be: nobody takes it any more."""
        with self._lock:
            self._unwanted = True
            if self._opened is not None:
                self._opened.close()
