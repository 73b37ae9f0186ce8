"""A gallery that the recognisers of several sources search, one at a time, each told of every change."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from gallery.followed import Enrolled
from gallery.types import Matches
from pipeline.progress import Report, unheard
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

    def view(self, report: Report = unheard) -> PeopleView:
        """The gallery for one more recogniser.

        Args:
            report: is told in a line, in the recogniser's thread, what `FollowedPeople` is told of the file.
        """
        return PeopleView(self, report)

    def joined(self, view: PeopleView) -> None:
        """A recogniser has begun."""

    def left(self, view: PeopleView) -> None:
        """A recogniser has ended."""


class FollowedPeople(SharedPeople):
    """The gallery of a process: for those who follow sources, and for whoever asks about a picture.

    It is closed once its owner and the last recogniser have let go of it.
    """

    def __init__(self, opened: Callable[[Report], Enrolled]) -> None:
        """
        Args:
            opened: opens the gallery, given what is to be told of the file from then on.
        """
        self._views: set[PeopleView] = set()
        self._owned = True
        self._enrolled = opened(self._hear)
        super().__init__(self._enrolled)

    def catch_up(self) -> None:
        """Take in all that was written by now; piece by piece, so that no recogniser waits for it.

        Raises:
            gallery.errors.GalleryError: the file cannot be read, or another model has taken it over.
        """
        done = False
        while not done:
            with self._lock:
                news, done = self._enrolled.catch_up()
                self._changes += news

    def joined(self, view: PeopleView) -> None:
        """A recogniser has begun."""
        with self._lock:
            self._views.add(view)

    def left(self, view: PeopleView) -> None:
        """A recogniser has ended."""
        with self._lock:
            self._views.discard(view)
            self._close_if_unused()

    def close(self) -> None:
        """Let go of it. May be called again."""
        with self._lock:
            self._owned = False
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._owned and not self._views:
            self._enrolled.close()

    def _hear(self, line: str) -> None:
        """Called while somebody holds the lock: everybody tells it later."""
        for view in self._views:
            view.hear(line)


_UNSAID = 20  # lines that wait at most for a recogniser whose source stands still


class PeopleView:
    """A shared gallery as one recogniser sees it: each is told of every change, whoever noticed it first."""

    def __init__(self, shared: SharedPeople, report: Report = unheard) -> None:
        self._shared, self._seen = shared, shared.changes()
        self._report, self._lines = report, deque[str](maxlen=_UNSAID)
        shared.joined(self)

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
        while self._lines:
            self._report(self._lines.popleft())
        return self._seen != before

    def hear(self, line: str) -> None:
        """Have a line reported at the next `refresh`; from any thread."""
        self._lines.append(line)

    def close(self) -> None:
        """Need it no more. May be called again."""
        self._shared.left(self)
