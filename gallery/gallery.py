"""The gallery: who is enrolled, and who a face is nearest to.

The file is the truth; the index is made from it when first searched, and again when others have written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from gallery import database, encoding
from gallery.errors import GalleryError
from gallery.failures import damaged, explained
from gallery.matching import Matcher
from gallery.names import check_name, similar_names
from gallery.store import Row, Store
from gallery.types import Added, Floats, Matches, NewTemplate, Person, Removed, StoredTemplate


class Gallery:
    """An open gallery. Any thread may use it; one lock makes them take turns.

    Every method raises GalleryError where the file cannot be read or written: locked, damaged, disk full.
    """

    def __init__(self, opened: Store, with_model: bool) -> None:
        """Use `Gallery.open`."""
        self._store = opened
        self._with_model = with_model
        self._lock = threading.RLock()
        self._matcher: Matcher | None = None
        self._seen = opened.version()

    @classmethod
    def open(
        cls, path: Path, fingerprint: str | None, dimension: int | None, create: bool = False
    ) -> Gallery:
        """Open the gallery at `path`, or make it where `create` allows and there is none.

        `fingerprint` names the model and the alignment that embeddings come from, `dimension` their length.
        With None for both, the gallery can be listed and pruned without a model, but not added to or
        searched.

        Raises GalleryError where there is no gallery, where another model made it and where it is unusable;
        ValueError for a fingerprint without a dimension, and for `create` without either.
        """
        if (fingerprint is None) != (dimension is None):
            raise ValueError("fingerprint and dimension go together")
        with explained(path):
            if path.is_dir():
                raise GalleryError(f"{path} is a folder; name a file with --gallery")
            if not path.exists():
                if not create:
                    raise GalleryError(
                        f"there is no gallery at {path}; make one with: recog enroll --name NAME --images DIR"
                    )
                if fingerprint is None or dimension is None or dimension < 1:
                    raise ValueError("a new gallery needs a fingerprint and a dimension")
                database.create(path, fingerprint, dimension)
            opened = Store(path)
            try:
                made_with = (opened.fingerprint, opened.dimension)
                if fingerprint is not None and made_with != (fingerprint, dimension):
                    raise GalleryError(
                        f"the gallery {path} was made with the model {made_with[0]} (embeddings of "
                        f"{made_with[1]}), but {fingerprint} (of {dimension}) is in use; enroll again into "
                        "a new file with --gallery, or use the model it was made with"
                    )
                return cls(opened, with_model=fingerprint is not None)
            except BaseException:
                opened.close()
                raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def fingerprint(self) -> str:
        """The model and the alignment that made this gallery."""
        return self._store.fingerprint

    @property
    def dimension(self) -> int:
        """The length of an embedding, d."""
        return self._store.dimension

    @property
    def people_count(self) -> int:
        """How many people are enrolled."""
        with self._using() as opened:
            return opened.counts()[0]

    def __len__(self) -> int:
        """How many templates are stored."""
        with self._using() as opened:
            return opened.counts()[1]

    def add(self, name: str, templates: Sequence[NewTemplate]) -> Added:
        """Store templates for a person, new or known: all of them or, if anything fails, none.

        A template whose digest this person already has is skipped and counted. No templates, no person.

        Raises GalleryError for a name that `check_name` refuses; ValueError for embeddings of another length.
        """
        self._need_model()
        name = check_name(name)
        for template in templates:
            if template.embedding.shape != (self.dimension,):
                raise ValueError(f"embeddings are ({self.dimension},) here, not {template.embedding.shape}")
        if not templates:
            return Added(stored=0, duplicates=0)
        rows = [_to_row(template) for template in templates]  # encodes crops, so before the lock
        with self._using() as opened:
            person, ids = opened.add(name, rows)
            new = [(i, t.embedding) for i, t in zip(ids, templates, strict=True) if i is not None]
            if new and (matcher := self._following()):
                fresh = np.array([i for i, _ in new], np.int64)
                owners = np.full(len(new), person, np.int64)
                matcher.add(fresh, owners, np.stack([e for _, e in new]), {person: name})
        return Added(stored=len(new), duplicates=len(rows) - len(new))

    def remove(self, name: str) -> Removed:
        """Remove a person with templates and crops, and rewrite the file so that no byte of them is left.

        Raises GalleryError for a name nobody has, listing those that come near.
        """
        name = check_name(name)
        with self._using() as opened:
            removed = opened.remove(name)
            if removed is None:
                raise self._unknown(name)
            person, templates = removed
            if matcher := self._following():
                matcher.remove(person)
            return Removed(templates, erased=opened.erase())

    def people(self) -> list[Person]:
        """Everybody enrolled, by name."""
        with self._using() as opened:
            return opened.people()

    def templates(self, name: str) -> Iterator[StoredTemplate]:
        """The templates of a person, oldest first, each read when asked for.

        Raises GalleryError at once for a name nobody has.
        """
        name = check_name(name)
        with self._using() as opened:
            ids = opened.template_ids(name)
            if not ids:
                raise self._unknown(name)
        return self._read(ids)

    def search(self, embeddings: Floats, people: int = 5) -> Matches:
        """The `people` nearest people of each of `embeddings` (m, d) float32, exactly.

        Sees what this object has written; call `refresh` to see what other processes have.

        Raises ValueError for embeddings that are misshapen or not finite, and for `people` below 1.
        """
        self._need_model()
        with self._using():
            if self._matcher is None:
                self._matcher = self._load()
            return self._matcher.search(embeddings, people)

    def refresh(self) -> bool:
        """Take in what others have written; True if there was anything. Costs microseconds if not."""
        with self._using() as opened:
            version = opened.version()
            if version == self._seen:
                return False
            self._seen = version
            if self._with_model:
                self._matcher = self._load()
            return True

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._using() as opened:
            self._matcher = None
            opened.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _using(self) -> Iterator[Store]:
        with self._lock, explained(self.path):
            yield self._store

    def _need_model(self) -> None:
        if not self._with_model:
            raise ValueError("this gallery was opened without a model; give a fingerprint and a dimension")

    def _unknown(self, name: str) -> GalleryError:
        near = similar_names(name, self._store.names().values())
        hint = f"did you mean {' or '.join(near)}?" if near else "see who is with: recog gallery list"
        return GalleryError(f"nobody named {name} is in the gallery {self.path}; {hint}")

    def _read(self, ids: list[int]) -> Iterator[StoredTemplate]:
        for template in ids:
            with self._using() as opened:  # not held between templates: a reader must not block an erasure
                stored = opened.template(template)
            if stored is not None:  # else it was removed meanwhile
                yield stored

    def _following(self) -> Matcher | None:
        """The index, to be told of a write of ours; dropped, and None, where others have written as well."""
        if self._store.version() != self._seen:
            self._matcher = None
        return self._matcher

    def _load(self) -> Matcher:
        """The index of what the file holds now."""
        matcher = Matcher(self.dimension)
        with self._store.snapshot() as version:
            names = self._store.names()
            for templates, owners, embeddings in self._store.embeddings():
                try:
                    theirs = {owner: names[owner] for owner in owners.tolist()}
                except KeyError as error:
                    raise damaged(self.path, "a template belongs to nobody") from error
                matcher.add(templates, owners, embeddings, theirs)
        self._seen = version
        return matcher


def _to_row(template: NewTemplate) -> Row:
    embedding = encoding.embedding_to_bytes(template.embedding)
    crop = None if template.crop is None else encoding.crop_to_bytes(template.crop)
    # A file name that is not UTF-8 reaches Python as lone surrogates, which SQLite cannot store.
    origin = template.origin.encode(errors="backslashreplace").decode()
    return Row(embedding, crop, template.quality, origin, template.digest)
