"""Whether the gallery is still the one that the service's events speak of, or an older copy, or another.

Events, corrections and mergers keep the gallery's ids. A gallery that is restored from a backup gives the ids
that came after the backup once more, to other people and other changes. So what the gallery has logged and
whom it has enrolled is remembered, as ids and dates; where that does not go on, nothing keeps an id of what
was lost.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence

from gallery import Person
from gallery.records import Marks
from pipeline.api import ERRORS, Recog
from pipeline.service.ids import now
from pipeline.service.store import Store

_log = logging.getLogger(__name__)


_LET_GO = (
    "UPDATE events SET person = NULL WHERE person NOT IN (SELECT id FROM ours)",
    # What was said stays to be read, but cannot be taken back: nothing of it is in the gallery.
    """UPDATE corrections SET withdrawn = coalesce(withdrawn, :now), change = 0, marks = '{}',
    person = CASE WHEN person IN (SELECT id FROM ours) THEN person ELSE '' END
    WHERE change > :common OR person NOT IN (SELECT id FROM ours) OR id IN (
        SELECT correction FROM corrected
        WHERE json_extract(was, '$.person') NOT IN (SELECT id FROM ours)
        OR json_extract(becomes, '$.person') NOT IN (SELECT id FROM ours))""",
    """UPDATE corrected SET was = json_set(was, '$.person', NULL)
    WHERE json_extract(was, '$.person') NOT IN (SELECT id FROM ours)""",
    """UPDATE corrected SET becomes = json_set(becomes, '$.person', NULL)
    WHERE json_extract(becomes, '$.person') NOT IN (SELECT id FROM ours)""",
    "DELETE FROM idempotency WHERE status IS NOT NULL",  # what they made is no more
    "DELETE FROM seen_changes WHERE id > :common",
    "DELETE FROM seen_people WHERE id NOT IN (SELECT id FROM ours)",
)


class Lineage:
    """Follows the gallery's past. One thread at a time: `Names` holds the lock."""

    def __init__(self, recog: Recog, store: Store, part: Callable[[Collection[str]], None]) -> None:
        """
        Args:
            part: is told who is in both, by their ids, before ids are taken away from events.
        """
        self._recog, self._store, self._part = recog, store, part
        self._then: object = None  # what was found last
        self._troubled = False

    def see(self, people: Sequence[Person]) -> None:
        """Remember where the gallery is, and let go of what it is not any more.

        What cannot be read or written is said once and tried again the next time.

        Args:
            people: who is enrolled.
        """
        try:
            if self._recog.present():
                self._see({str(each.id): each.added for each in people})
            self._troubled = False
        except ERRORS as error:
            if not self._troubled:
                _log.warning("whether the gallery is another one cannot be told for now: %s", error)
            self._troubled = True

    def _see(self, people: Mapping[str, str]) -> None:
        with self._recog.gallery() as gallery:
            marks = gallery.marks()
            if self._then == (marks, people):
                return
            with self._store.reading() as db:
                last = db.execute("SELECT id, what FROM seen_changes ORDER BY id DESC LIMIT 1").fetchone()
                known = dict(db.execute("SELECT id, added FROM seen_people").fetchall())
            seen = 0 if last is None else int(last["id"])
            before = Marks(seen, 0, () if last is None else (seen, *json.loads(last["what"])))
            goes_on = gallery.continues(before)
            goes_on &= all(known.get(each, added) == added for each, added in people.items())
            entries = gallery.entries(seen if goes_on else 0)
        logged = {int(str(number)): json.dumps(what) for number, *what in entries}
        if not goes_on:
            _log.warning("the gallery was replaced: events keep their names, but not whom it has no more")
            self._let_go(logged, people, known)
        with self._store.writing() as db:
            db.executemany("INSERT OR REPLACE INTO seen_changes VALUES (?, ?)", logged.items())
            db.executemany("INSERT OR REPLACE INTO seen_people VALUES (?, ?)", people.items())
        self._then = marks, people

    def _let_go(self, logged: Mapping[int, str], people: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Take away every id that the gallery gives to somebody or something else, or will."""
        with self._store.reading() as db:
            seen = dict(db.execute("SELECT id, what FROM seen_changes").fetchall())
        common = 0  # the last change that both have
        ours = {each for each, added in people.items() if known.get(each) == added}
        for number, what in logged.items():
            if seen.get(number) != what:
                break
            common = number
            _, action, person, *_ = json.loads(what)
            if action == "merge":  # somebody of both, who goes by another id now
                ours.add(str(person))
        self._part(ours)
        with self._store.writing() as db:
            _part_mergers(db, {number: what for number, what in seen.items() if number > common})
            db.execute("CREATE TEMP TABLE ours (id TEXT PRIMARY KEY)")
            db.executemany("INSERT INTO ours VALUES (?)", [(each,) for each in ours])
            for statement in _LET_GO:
                db.execute(statement, {"common": common, "now": now()})
            db.execute("DROP TABLE ours")


def _part_mergers(db: sqlite3.Connection, lost: Mapping[int, str]) -> None:
    """Give events back to whom they were of before mergers that the gallery knows nothing of any more."""
    for number, what in sorted(lost.items(), reverse=True):
        for event, person in db.execute(
            "SELECT event, person FROM merged WHERE change = ?", (number,)
        ).fetchall():
            db.execute(
                "UPDATE events SET person = ? WHERE id = ? AND person = ?",
                (person, event, str(json.loads(what)[3])),
            )
        db.execute("DELETE FROM merged WHERE change = ?", (number,))
