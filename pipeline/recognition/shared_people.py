"""A gallery that the recognisers of several sources search, one at a time, each told of every change."""

from __future__ import annotations

import threading
from typing import Any

from gallery.types import Matches
from pipeline.protocols import People
from pipeline.types import Floats


class SharedPeople:
    """A gallery that several recognisers search, one at a time."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._lock = threading.Lock()
        self._changes = 0

    @property
    def people_count(self) -> int:
        """How many people are enrolled."""
        with self._lock:
            return self._people.people_count

    @property
    def fingerprint(self) -> str:
        """What the gallery is made with."""
        return self._people.fingerprint

    def note(self, key: str) -> Any:
        """As `Gallery.note`."""
        with self._lock:
            return self._people.note(key)

    def person_notes(self, key: str) -> dict[str, Any]:
        """As `Gallery.person_notes`."""
        with self._lock:
            return self._people.person_notes(key)

    def changed_since(self, template: int) -> int:
        """As `Gallery.changed_since`."""
        with self._lock:
            return self._people.changed_since(template)

    def knows(self, name: str) -> bool:
        """As `Gallery.knows`."""
        with self._lock:
            return self._people.knows(name)

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches:
        """As `Gallery.search`."""
        with self._lock:
            return self._people.search(embeddings, people, pooled)

    def changes(self) -> int:
        """How often the gallery was seen to have changed, after looking once more."""
        with self._lock:
            self._changes += self._people.refresh()
            return self._changes

    def view(self) -> PeopleView:
        """The gallery for one more recogniser."""
        return PeopleView(self)


class PeopleView:
    """A shared gallery as one recogniser sees it: each is told of every change, whoever noticed it first."""

    def __init__(self, shared: SharedPeople) -> None:
        self._shared, self._seen = shared, shared.changes()

    @property
    def people_count(self) -> int:
        """How many people are enrolled."""
        return self._shared.people_count

    @property
    def fingerprint(self) -> str:
        """What the gallery is made with."""
        return self._shared.fingerprint

    def note(self, key: str) -> Any:
        """As `Gallery.note`."""
        return self._shared.note(key)

    def person_notes(self, key: str) -> dict[str, Any]:
        """As `Gallery.person_notes`."""
        return self._shared.person_notes(key)

    def changed_since(self, template: int) -> int:
        """As `Gallery.changed_since`."""
        return self._shared.changed_since(template)

    def knows(self, name: str) -> bool:
        """As `Gallery.knows`."""
        return self._shared.knows(name)

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches:
        """As `Gallery.search`."""
        return self._shared.search(embeddings, people, pooled)

    def refresh(self) -> bool:
        """Whether the gallery has changed since this was asked last."""
        before, self._seen = self._seen, self._shared.changes()
        return self._seen != before
