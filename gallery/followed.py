"""Who a running recogniser knows: the gallery, followed while others write to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gallery import Gallery
from gallery.types import Floats, Matches


class Enrolled:
    """The gallery at a path. While there is no such file, nobody is enrolled.

    What other processes write is read by another thread, so that no frame waits for it.
    """

    def __init__(self, path: Path, fingerprint: str, dimension: int) -> None:
        """
        Raises:
            gallery.errors.GalleryError: there is a file, but damaged or made with another model.
        """
        self._path, self._made_with = path, (fingerprint, dimension)
        self._gallery = Gallery.open(path, *self._made_with) if path.exists() else None

    @property
    def people_count(self) -> int:
        """How many people are enrolled."""
        return self._gallery.people_count if self._gallery else 0

    @property
    def fingerprint(self) -> str:
        """What the gallery is made with."""
        return self._made_with[0]

    def note(self, key: str) -> Any:
        """As `Gallery.note`."""
        return self._gallery.note(key) if self._gallery else None

    def person_notes(self, key: str) -> dict[str, Any]:
        """As `Gallery.person_notes`."""
        return self._gallery.person_notes(key) if self._gallery else {}

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches:
        """As `Gallery.search`; nobody can be searched for before there is anybody."""
        assert self._gallery is not None
        return self._gallery.search(embeddings, people, pooled)

    def refresh(self) -> bool:
        """Whether what others have written has been taken in just now.

        Raises:
            gallery.errors.GalleryError: the file is damaged by now, or not for this model.
        """
        if self._gallery is not None:
            return self._gallery.refresh(wait=False)
        if not self._path.exists():
            return False
        self._gallery = Gallery.open(self._path, *self._made_with)
        return True

    def close(self) -> None:
        """Close the file, if there is one by now."""
        if self._gallery is not None:
            self._gallery.close()
