"""What was said of events, taken back: the gallery forgets it, and the events are what they were.

By somebody who says so here, or by `undo` in the gallery, here or with another program.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gallery.address import is_server
from gallery.errors import GalleryError
from gallery.types import Merger
from pipeline.api import Recog
from pipeline.errors import ServiceError
from pipeline.service.ids import now
from pipeline.service.names import Names
from pipeline.service.said import Said, changes, known_name, set_event
from pipeline.service.store import Store


class TakingBack:
    """Takes back corrections. One thread at a time: `Corrections` holds the lock."""

    def __init__(
        self, recog: Recog, store: Store, names: Names, told: Callable[[Iterable[str]], None]
    ) -> None:
        """
        Args:
            told: is told of events that were changed in the table.
        """
        self._recog, self._store, self._names, self._told = recog, store, names, told
        self._looks_then: object = None  # of the gallery's file, when it was last asked for what was undone

    def take_back(self, row: Any) -> None:
        """Take back a correction, of a row of its table.

        Raises:
            Problem: it is of somebody who is not enrolled any more.
            GalleryError, ServiceError: gallery or service cannot be written.
        """
        if row["change"]:
            self._in_gallery(row)
        self._restore(row["id"])

    def undone(self) -> int:
        """Take back what was undone in the gallery; how many corrections that were.

        Costs microseconds if the gallery has not changed since this was called last.

        Raises:
            GalleryError, ServiceError: gallery or service cannot be read or written.
        """
        if (looks := _looks_of(self._recog.path)) == self._looks_then:
            return 0
        self._looks_then = looks
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT id, change, marks FROM corrections WHERE change AND withdrawn IS NULL"
            ).fetchall()
        if not rows:
            return 0
        try:
            opened = self._recog.gallery()
        except GalleryError:
            self._looks_then = None  # tried again
            raise
        with opened as gallery:
            undone = {each.id for each in gallery.log() if each.undone is not None}
            gone = [
                row["id"]
                for row in rows
                if row["change"] in undone and _is_of(row, gallery.entries(row["change"] - 1))
            ]
        try:
            for each in gone:
                self._restore(each)
        except (GalleryError, ServiceError):
            self._looks_then = None  # tried again
            raise
        return len(gone)

    def _in_gallery(self, row: Any) -> None:
        """Have the gallery forget what a correction added: by undo, or just that where more came since."""
        marks = json.loads(row["marks"])
        with self._recog.gallery() as gallery:
            if not _is_of(row, gallery.entries(row["change"] - 1)):
                return  # the gallery was replaced, and never had it
            last = gallery.undoable()
            if last is not None and last.id == row["change"]:
                gallery.undo()
                return
            if any(each.id == row["change"] and each.undone is not None for each in gallery.log()):
                return
            if row["kind"] == "not":
                gallery.withdraw(marks["face"])
                return
            name = known_name(self._names, _now_is(row["person"], gallery.mergers()))
            theirs = {each.id for each in gallery.templates(name)}
            gallery.set_aside(name, [each for each in marks["templates"] if each in theirs])

    def _restore(self, correction: str) -> None:
        """Give events back what they were before a correction, unless they are something else by now."""
        mergers = self._mergers()

        def today(said: Said) -> Said:  # of people who were made one since
            return said if said.person is None else replace(said, person=_now_is(said.person, mergers))

        with self._store.writing() as connection:
            connection.execute("UPDATE corrections SET withdrawn = ? WHERE id = ?", (now(), correction))
            restored = []
            for each in changes(connection, correction):
                row = connection.execute("SELECT * FROM events WHERE id = ?", (each.event,)).fetchone()
                if row is None or not today(Said.of(row)).same(today(each.becomes)):
                    continue
                still = connection.execute(
                    "SELECT 1 FROM corrected JOIN corrections ON id = correction "
                    "WHERE event = ? AND said AND withdrawn IS NULL", (each.event,)
                ).fetchone()  # fmt: skip
                set_event(connection, each.event, today(each.was), self._names, corrected=still is not None)
                restored.append(each.event)
        self._told(restored)

    def _mergers(self) -> Sequence[Merger]:
        try:
            with self._recog.gallery() as gallery:
                return gallery.mergers()
        except GalleryError:
            if self._recog.present():
                raise
            return ()


def _now_is(person: str, mergers: Iterable[Merger]) -> str:
    """The id of the person that somebody was merged into; their own if they were not."""
    for each in mergers:
        if str(each.person) == person and not each.undone:
            person = str(each.into)
    return person


def _is_of(row: Any, entries: Sequence[tuple[object, ...]]) -> bool:
    """Whether the first of these entries of the gallery's log is what a correction made there."""
    logged = json.loads(row["marks"]).get("logged")  # none in those of earlier versions
    return logged is None or (bool(entries) and list(entries[0]) == logged)


def _looks_of(gallery: Path) -> list[tuple[int, int]]:
    """What the gallery's file and its log look like: another one, and something was written."""
    if is_server(gallery):  # which cannot be looked at from outside: once a second counts as another
        return [(int(time.monotonic()), 0)]
    found = []
    for each in (gallery, gallery.with_name(f"{gallery.name}-wal")):
        with suppress(OSError):
            about = each.stat()
            found.append((about.st_mtime_ns, about.st_size))
    return found
