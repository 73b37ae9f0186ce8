"""Who a running recogniser knows: the gallery, followed while others write to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from gallery.address import exists
from gallery.errors import GalleryError, LostError, MissingError
from gallery.gallery import Gallery
from gallery.types import Floats, Matches

PAUSE = 1.0  # seconds before a gallery that could not be read is tried again


class Enrolled:
    """The gallery at a path. While there is no such file, nobody is enrolled.

    What other processes write is read by another thread, so that no frame waits for it. Nothing that happens
    to the file ends a run: whoever was known stays known until it can be read again, and that is said once.
    """

    def __init__(
        self, path: Path, fingerprint: str, dimension: int, report: Callable[[str], None] = lambda line: None
    ) -> None:
        """
        Args:
            report: is told in a line when the gallery cannot be followed any more, and when it can again.

        Raises:
            gallery.errors.GalleryError: there is a file, but damaged or made with another model.
        """
        self._path, self._made_with = path, (fingerprint, dimension)
        self._report = report
        self._said = ""  # what keeps the gallery from being followed
        self._lost = False  # its server is not heard of, and that was said
        self._again = 0.0  # when to try next, by the monotonic clock
        self._partly = inf  # when to ask again about those of whom a part of it was asked
        self._missing = False  # there was no file when it was tried last
        self._gallery = self._opened()

    @property
    def people_count(self) -> int:
        """How many people are enrolled."""
        return self._gallery.people_count if self._gallery is not None else 0

    def knows(self, name: str) -> bool:
        """As `Gallery.knows`."""
        return self._gallery is not None and self._gallery.knows(name)

    @property
    def fingerprint(self) -> str:
        """What the gallery is made with."""
        return self._made_with[0]

    def note(self, key: str) -> Any:
        """As `Gallery.note`."""
        return self._gallery.note(key) if self._gallery is not None else None

    def person_notes(self, key: str) -> dict[str, Any]:
        """As `Gallery.person_notes`."""
        return self._gallery.person_notes(key) if self._gallery is not None else {}

    def changed_since(self, template: int) -> int:
        """As `Gallery.changed_since`."""
        return self._gallery.changed_since(template) if self._gallery is not None else 0

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches:
        """As `Gallery.search`."""
        if self._gallery is None:
            return Matches(
                ((),) * len(embeddings), np.full((len(embeddings), people), np.inf, np.float32), 0, 0
            )
        found = self._gallery.search(embeddings, people, pooled)
        if not found.whole:
            self._partly = time.monotonic() + PAUSE
        return found

    def refresh(self) -> bool:
        """Whether there is more to know: others have written, or all of it can be asked again."""
        if time.monotonic() < self._again:
            return False
        try:
            news = self._follow()
        except GalleryError as error:
            self._again = time.monotonic() + PAUSE
            if isinstance(error, LostError):
                if self._lost:  # each try may say it in other words
                    return False
                self._lost = True
            if self._gallery is not None and (isinstance(error, MissingError) or not exists(self._path)):
                return self._is_gone()
            said = f"{error}; until then, {self._meanwhile()}"
            self._say(said if self._gallery is not None else str(error))
            return False
        self._missing = self._lost = False
        model = self._gallery.migrated_to if self._gallery is not None else None
        if model is not None:
            self._say(
                f"the gallery {self._path} went over to the model {model}: {self._meanwhile()}, and nobody "
                "new is known; start again with that model"
            )
            return news
        if self._gallery is not None and self._gallery.behind:
            return news  # what was missed is being read: only then is it followed again
        back = bool(self._said) and self._gallery is not None
        if back:
            self._report(f"the gallery {self._path} is followed again")
            self._said = ""
        if back or time.monotonic() >= self._partly:
            news, self._partly = news or self._partly < inf, inf
        return news

    def catch_up(self) -> tuple[bool, bool]:
        """Begin, or go on, to take in what others have written, however long that takes.

        Returns whether something was taken in just now, and whether there is nothing left to take in.

        Raises:
            gallery.errors.GalleryError: the file cannot be read, or another model has taken it over.
        """
        if self._gallery is None:
            self._gallery = self._opened()
            return self._gallery is not None, True
        news = self._gallery.refresh(wait=False, ask=True)
        if self._gallery.migrated_to is not None:
            raise GalleryError(
                f"the gallery {self._path} was migrated to the model {self._gallery.migrated_to} meanwhile; "
                "start again with that model"
            )
        return news, not news and not self._gallery.behind

    def close(self) -> None:
        """Close the file, if there is one by now."""
        if self._gallery is not None:
            self._gallery.close()

    def _follow(self) -> bool:
        if self._gallery is not None:
            return self._gallery.refresh(wait=False)
        self._gallery = self._opened()
        return self._gallery is not None

    def _is_gone(self) -> bool:
        """Know nobody any more, if the file is missing for longer than it takes to replace it."""
        if self._missing and self._gallery is not None:
            self._gallery.close()
            self._gallery = None
            self._say(f"the gallery {self._path} is gone, so nobody is enrolled until there is one again")
            return True
        self._missing = True
        return False

    def _meanwhile(self) -> str:
        """Who is recognised as long as the gallery cannot be followed."""
        gallery = self._gallery
        if gallery is not None and gallery.remote and (self._lost or gallery.migrated_to is not None):
            return (
                "verdicts that stand are kept, and everybody else is undecided, for there are more enrolled "
                "than are kept here"
            )
        return "those known so far are recognised"

    def _opened(self) -> Gallery | None:
        if not exists(self._path):
            return None
        try:
            return Gallery.open(self._path, *self._made_with, live=True)
        except MissingError:  # on a server, which was asked
            self._again = time.monotonic() + PAUSE
            return None

    def _say(self, line: str) -> None:
        if line != self._said:
            self._report(line)
            self._said = line
