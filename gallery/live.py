"""Keeping the index up with the file: what differs between them, and finding that out in the background."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gallery.errors import GalleryError
from gallery.failures import damaged, explained
from gallery.store import Store
from gallery.types import Floats, Ints

PATIENCE = 0.005  # seconds a frame may be held up: an enrolment of a few photos is read in less


@dataclass(frozen=True, slots=True)
class Difference:
    """What the file holds that an index does not, and the other way round."""

    removed: Ints  # templates (r,)
    added: tuple[tuple[Ints, Ints, Floats], ...]  # batches of templates (n,), owners (n,), embeddings (n, d)
    templates: Ints  # everything that the file holds, ascending (t,)
    owners: Ints  # (t,)
    names: dict[int, str]  # of every owner


def difference(store: Store, known: Ints, made_with: tuple[str, int]) -> Difference:
    """How the file differs from an index of the templates `known` (k,) int64, ascending.

    Raises:
        GalleryError: the file is damaged, or another model than `made_with` (fingerprint, dimension) has
            taken it over.
    """
    with store.snapshot():
        if store.made_with() != made_with:
            raise GalleryError(
                f"the gallery {store.path} was migrated to the model {store.made_with()[0]} meanwhile; "
                "start again"
            )
        names = store.names()
        templates, owners = store.owners()
        if not set(np.unique(owners).tolist()) <= names.keys():
            raise damaged(store.path, "a template belongs to nobody")
        new = np.setdiff1d(templates, known, assume_unique=True)
        added = tuple(store.embeddings(new if len(known) else None))
    return Difference(np.setdiff1d(known, templates, assume_unique=True), added, templates, owners, names)


class Background:
    """One look at the file in a thread of its own, with a connection of its own."""

    def __init__(self, path: Path, known: Ints, made_with: tuple[str, int]) -> None:
        self.known = known
        self._path, self._made_with = path, made_with
        self._found: Difference | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._look, name="gallery refresh", daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Whether there is a result; waits `PATIENCE` for one."""
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def result(self) -> Difference:
        """What was found, waiting for it; an error of the thread is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._found is not None
        return self._found

    def _look(self) -> None:
        try:
            with explained(self._path), closing(Store(self._path, erase=False)) as store:
                self._found = difference(store, self.known, self._made_with)
        except Exception as error:  # handed to whoever asks for the result
            self._error = error
