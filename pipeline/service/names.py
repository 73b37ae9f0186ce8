"""Who is enrolled, by the gallery's ids and by names: events keep ids, results tell names."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from gallery import Person
from pipeline.api import ERRORS, Recog

_log = logging.getLogger(__name__)
SOON = 0.25  # seconds after which a name that nobody has is looked up again
EVERY = 1.0  # seconds between two looks at what other processes have written


class Names:
    """The people enrolled, as of a second ago at most."""

    def __init__(
        self,
        recog: Recog,
        changed: Callable[[], None],
        seen: Callable[[Sequence[Person]], None] = lambda people: None,
    ) -> None:
        """
        Args:
            changed: called, from any thread, when people, their names or their photos are others. Where it
                fails with one of `ERRORS`, as on a full disk, it is called again with the next look.
            seen: called with who is enrolled, each time that is read, before `changed` is.
        """
        self._recog, self._changed, self._seen = recog, changed, seen
        self._known: dict[str, str] = {}  # id: name
        self._ids: dict[str, str] = {}  # name: id
        self._stamp: object = None
        self._read = 0.0  # when it was read last
        self._turn = threading.Lock()
        self.trouble: str | None = None  # why the gallery cannot be read, in one line
        self.behind: str | None = None  # why what follows from its last change cannot be done

    def id_of(self, name: str) -> str | None:
        """The id of the person enrolled under a name; None where nobody is."""
        found = self._ids.get(name)
        if found is None and time.monotonic() - self._read > SOON:  # enrolled just now, or gone
            self.refresh()
            found = self._ids.get(name)
        return found

    def name_of(self, person: str) -> str | None:
        """The name of a person; None where nobody has that id."""
        return self._known.get(person)

    def refresh(self) -> None:
        """Read who is enrolled, and tell if that has changed."""
        with self._turn:
            self._read = time.monotonic()
            try:
                people = self._recog.people()
            except ERRORS as error:  # whoever was known stays known until it can be read again
                self.trouble = str(error)
                return
            self.trouble = None
            stamp = [(each.id, each.name, each.templates, each.aside, each.last_added) for each in people]
            same = stamp == self._stamp
            if not same:
                self._known = {str(each.id): each.name for each in people}
                self._ids = {each.name: str(each.id) for each in people}
            self._seen(people)
            if same:
                return
            if self._stamp is None:
                self._stamp = stamp
                return
        self._follow(stamp)

    def _follow(self, stamp: object) -> None:
        """Tell of a change. Sources ask for names, too, so what fails here must not end them."""
        try:
            self._changed()
        except ERRORS as error:
            if self.behind is None:
                _log.error("what follows from a change of the gallery cannot be done yet: %s", error)
            self.behind = str(error)
            return
        self._stamp, self.behind = stamp, None

    def __len__(self) -> int:
        return len(self._known)
