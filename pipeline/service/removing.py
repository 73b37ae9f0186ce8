"""Somebody who is removed from the gallery is erased from events, pictures and tape, too, until all is done.

A removal is noted before the gallery is changed, and the note goes once everything is erased. What cannot be
erased now (the disk is full, the tape is in use) is tried again by the sweeper, after a restart, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.api import ERRORS, Past, Recog
from pipeline.service.corrections import Corrections
from pipeline.service.ids import now
from pipeline.service.portraits import Keeper, Key
from pipeline.service.sightings import Sightings
from pipeline.service.store import Store

_log = logging.getLogger(__name__)


class Removals:
    """Removals that were begun. Any thread may use it.

    Attributes:
        trouble: why something of somebody removed cannot be erased at present, in one line.
    """

    def __init__(
        self,
        recog: Recog,
        store: Store,
        sightings: Sightings,
        keeper: Keeper,
        corrections: Corrections,
        past: Callable[[], Past],
        after: Callable[[], None],
    ) -> None:
        """
        Args:
            past: gives the service's tape.
            after: what follows from a removal beside that: others are told.
        """
        self._recog, self._store, self._sightings, self._keeper = recog, store, sightings, keeper
        self._corrections, self._past, self._after = corrections, past, after
        self._unwritten: dict[str, set[Key]] = {}  # tracks of events that were never written
        self._turn = threading.Lock()  # whose it is to finish: the sweeper may come to it at the same time
        self.trouble: str | None = None

    @contextmanager
    def begun(self, person: str) -> Iterator[None]:
        """Somebody is removed from the gallery inside; `finish` has to follow. Nothing is, if that fails.

        Raises:
            ServiceError: the file cannot be written, so nothing was begun.
        """
        with self._store.writing() as connection:
            new = connection.execute("INSERT OR IGNORE INTO removals VALUES (?, ?)", (person, now())).rowcount
        try:
            yield
        except BaseException:
            if new:
                self._drop(person)
            raise

    def finish(self, person: str) -> bool:
        """Erase what is left of somebody whom the gallery no longer has, as far as it can be; whether all is.

        Each part is tried, whatever became of the others.
        """
        with self._turn:
            return self._finish(person)

    def _finish(self, person: str) -> bool:
        trouble = None
        for part in (
            self._events,
            lambda each: self._keeper.forget(self._tracks(each)),
            self._corrections.forget_person,
            lambda each: self._past().erase(self._tracks(each)),
            lambda each: self._after(),
        ):
            try:
                part(person)
            except ERRORS as error:
                trouble = trouble or str(error)
        if trouble is None:
            try:
                self._drop(person)
            except ERRORS as error:
                trouble = str(error)
        if trouble is not None and self.trouble is None:
            _log.error("not all of somebody who was removed can be erased yet: %s", trouble)
        self.trouble = trouble
        return trouble is None

    def go_on(self) -> None:
        """Erase what is left of earlier removals. To be called while nobody changes the gallery.

        Raises:
            GalleryError, ServiceError: gallery or service cannot be read.
        """
        with self._store.reading() as connection:
            left = [str(row[0]) for row in connection.execute("SELECT person FROM removals")]
        if not left:
            self.trouble = None
            return
        enrolled = {str(each.id) for each in self._recog.people()}
        for person in left:
            if person in enrolled:  # it ended before the gallery was changed
                self._drop(person)
            else:
                self.finish(person)

    def _events(self, person: str) -> None:
        # Which tracks were theirs is known by their events alone, so it is noted before those go.
        with self._store.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO removals VALUES (?, ?)", (person, now()))
            connection.execute(
                "INSERT OR IGNORE INTO removed_tracks "
                "SELECT DISTINCT ?1, run, track FROM events WHERE person = ?1",
                (person,),
            )
        for event in self._sightings.forget(person):
            run, _, track = event.rpartition("-")
            self._unwritten.setdefault(person, set()).add((run, int(track)))

    def _tracks(self, person: str) -> set[Key]:
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT run, track FROM removed_tracks WHERE person = ?1 "
                "UNION SELECT run, track FROM events WHERE person = ?1", (person,)
            ).fetchall()  # fmt: skip
        return {(row[0], row[1]) for row in rows} | self._unwritten.get(person, set())

    def _drop(self, person: str) -> None:
        with self._store.writing() as connection:
            connection.execute("DELETE FROM removals WHERE person = ?", (person,))
        self._store.forget()
        self._unwritten.pop(person, None)
