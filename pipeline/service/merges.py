"""People who are made one: what that would change, and their events, which go with them and come back."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from pipeline.api import ERRORS, Identity, Recog, State
from pipeline.service.names import Names
from pipeline.service.people import Entry
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
MOST = 1000  # of the newest events that a preview decides again


@dataclass(frozen=True, slots=True)
class WouldChange:
    """An event that is decided otherwise after a change: names, None for nobody's."""

    event: str
    was: str | None
    becomes: str | None


class Merges:
    """Follows the mergers of the gallery, whichever program makes or undoes them. Any thread may use it."""

    def __init__(self, recog: Recog, store: Store, tape: Path, names: Names) -> None:
        self._recog, self._store, self._tape, self._names = recog, store, tape, names

    def preview(self, entry: Entry, into: Entry) -> list[WouldChange]:
        """Whose events would be called otherwise if `entry` went on as `into`."""
        with self._store.reading() as db:
            rows = db.execute(
                """SELECT id, run, track, person FROM events
                WHERE corrected = 0 AND (person IS NULL OR person IN (?, ?)) ORDER BY at DESC LIMIT ?""",
                (str(entry.person.id), str(into.person.id), MOST),
            ).fetchall()
        tracks: dict[str, set[int]] = defaultdict(set)
        for _, run, track, _ in rows:
            tracks[run].add(track)
        after: dict[tuple[str, int], Identity] = {}
        if self._tape.exists() and tracks:
            after = self._recog.past(self._tape).would_decide(
                tracks, lambda gallery: gallery.merge(entry.person.name, into.person.name)
            )
        found = []
        for event, run, track, person in rows:
            was = None if person is None else self._names.name_of(person)
            if (run, track) in after:
                verdict = after[run, track]
                becomes = verdict.name if verdict.state is State.NAMED else None
            else:  # no looks are kept of it: it goes with its person
                becomes = into.person.name if person == str(entry.person.id) else was
            if was != becomes:
                found.append(WouldChange(event, was, becomes))
        return found

    def reconcile(self) -> None:
        """Give the events of people who were merged to who they are now; what was undone comes back."""
        try:
            if not self._recog.present():
                return
            with self._recog.gallery() as gallery:
                mergers = gallery.mergers()
        except ERRORS as error:
            _log.warning("events of merged people stay as they are for now: %s", error)
            return
        if not mergers:
            return
        with self._store.writing() as db:
            for each in reversed([each for each in mergers if each.undone]):
                for event, person in db.execute(
                    "SELECT event, person FROM merged WHERE change = ?", (each.change,)
                ).fetchall():
                    db.execute(
                        "UPDATE events SET person = ? WHERE id = ? AND person = ?",
                        (person, event, str(each.into)),
                    )
                db.execute("DELETE FROM merged WHERE change = ?", (each.change,))
            for each in mergers:
                if each.undone:
                    continue
                person = str(each.person)
                db.execute(
                    "INSERT OR IGNORE INTO merged SELECT ?, id, person FROM events WHERE person = ?",
                    (each.change, person),
                )
                db.execute("UPDATE events SET person = ? WHERE person = ?", (str(each.into), person))
