"""Who was seen when: visits are written down beside the sources, which never wait for the disk.

One thread writes what the sources have handed over, a few times a second. While it cannot (the disk is full),
the newest state of each visit waits, `trouble` says why, and sources and pages go on.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.errors import ServiceError
from pipeline.service.ids import utc
from pipeline.service.store import Store
from pipeline.service.visits import Visit

_log = logging.getLogger(__name__)
PACE = 0.2  # seconds between two transactions
AGAIN = 2.0  # seconds after which a disk that was full is tried again
MOST_WAITING = 20_000  # visits that are kept in memory while nothing can be written
EVENTS_DAYS = 30  # how long events are kept, unless the setting `events_days` says otherwise; 0 for ever
_PRUNE = 600.0  # seconds between two looks for events that are too old


class Sightings:
    """The events of all sources. Any thread may use it.

    Attributes:
        trouble: why events cannot be kept at present, in one line.
        lost: how many events could not be kept.
    """

    def __init__(
        self, store: Store, tell: Callable[[dict[str, Any]], None], name_of: Callable[[str], str | None]
    ) -> None:
        """
        Args:
            tell: is given a message for the pages.
            name_of: the present name of a person, by id.
        """
        self._store, self._tell, self._name_of = store, tell, name_of
        self.trouble: str | None = None
        self.lost = 0
        self._waiting: dict[str, Visit] = {}
        self._writing: dict[str, Visit] = {}  # what is being written
        self._news: set[str] = set()
        self._gone: set[str] = set()  # events that were erased, and are not to come back
        self._forgotten: set[str] = set()  # people whose events were, by their ids
        self._changed = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many visits are yet to be written."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to write. What a run that was killed left as present has ended."""
        with self._store.writing() as connection:
            connection.execute("UPDATE events SET present = 0 WHERE present")
        self._thread = threading.Thread(target=self._work, name="recog events", daemon=True)
        self._thread.start()

    def put(self, visits: Iterable[tuple[Visit, bool]]) -> None:
        """Keep visits as they are now, and tell the pages of those that are news."""
        given = list(visits)  # before the lock: who it is may be looked up meanwhile, which waits for `part`
        with self._changed:
            for visit, news in given:
                if visit.id in self._gone or visit.person in self._forgotten:
                    continue
                before = self._waiting.pop(visit.id, None)
                if before is not None and visit.thumbnail is None:
                    visit = replace(visit, thumbnail=before.thumbnail)
                if len(self._waiting) >= MOST_WAITING:
                    self._waiting.pop(next(iter(self._waiting)))
                    self.lost += 1
                self._waiting[visit.id] = visit
                if news:
                    self._news.add(visit.id)
            self._changed.notify_all()

    def told(self, events: Iterable[str]) -> None:
        """Tell the pages of events that somebody else has changed in the table."""
        with self._store.reading() as connection:
            for each in events:
                row = connection.execute(f"{SELECT} WHERE id = ?", (each,)).fetchone()
                if row is not None:
                    self._tell({"type": "event", "event": as_event(row, self._name_of)})

    def erased(self, event: str) -> bool:
        """Whether an event was erased, so that nothing more of it is to be kept."""
        return event in self._gone

    def forget(self, person: str) -> set[str]:
        """Erase the events of a person for good, pictures and all; which that were.

        What a run had decided and not put yet is not kept either: an id is never given twice.
        """
        with self._changed:
            pending = [*self._waiting.values(), *self._writing.values()]
            ids = {each.id for each in pending if each.person == person}
            with self._store.writing() as connection:
                rows = connection.execute(
                    "DELETE FROM events WHERE person = ? RETURNING id", (person,)
                ).fetchall()
                ids |= {row[0] for row in rows}
                self._gone |= ids
                self._forgotten.add(person)
            self._waiting = {number: each for number, each in self._waiting.items() if number not in ids}
        self._store.forget()
        return ids

    def part(self, people: Collection[str]) -> None:
        """Before the gallery is another: visits that are not written yet lose whom that does not have.

        Whoever was removed may be enrolled again by it, and is seen again then.

        Args:
            people: those who are in both, by their ids.
        """
        with self._changed:
            for visits in (self._waiting, self._writing):  # in place: they may be on their way
                for number, each in visits.items():
                    if each.person is not None and each.person not in people:
                        visits[number] = replace(each, person=None)
            self._forgotten.clear()

    def stop(self) -> None:
        """Write what is left. May be called again."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        pruned = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending, timeout=60)
                ending = self._ending
            done = self._write()
            if ending:
                if not done:
                    _log.error("%d events are lost: %s", len(self._waiting), self.trouble)
                return
            if done and time.monotonic() - pruned > _PRUNE:
                pruned = time.monotonic()
                self._prune()
            with self._changed:
                self._changed.wait_for(lambda: self._ending, timeout=PACE if done else AGAIN)

    def _write(self) -> bool:
        """Write what waits; whether that could be done."""
        with self._changed:
            visits, self._waiting = self._waiting, {}
            self._writing = visits
            news, self._news = self._news, set()
        failed: ServiceError | None = None
        try:
            if visits:
                with self._store.writing() as connection:
                    rows = [_row(each) for each in visits.values() if each.id not in self._gone]
                    connection.executemany(_KEEP, rows)
        except ServiceError as error:
            failed = error
            with self._changed:  # the newer state counts, with the picture that is not kept yet
                for number, visit in self._waiting.items():
                    if visit.thumbnail is None and number in visits:
                        self._waiting[number] = replace(visit, thumbnail=visits[number].thumbnail)
                kept = {number: each for number, each in visits.items() if number not in self._gone}
                self._waiting = kept | self._waiting
        self._writing = {}
        if failed is not None and self.trouble is None:
            _log.error("events cannot be kept: %s", failed)
        elif failed is None and self.trouble is not None:
            _log.warning("events are kept again")
        self.trouble = None if failed is None else str(failed)
        self._tell_of(news, visits)
        return failed is None

    def _tell_of(self, news: set[str], visits: dict[str, Visit]) -> None:
        if not news:
            return
        try:
            self.told(news)
        except ServiceError:  # the pages are told what is known without the table
            for each in news:
                if each in visits:
                    self._tell({"type": "event", "event": as_event(_fields(visits[each]), self._name_of)})

    def _prune(self) -> None:
        try:
            days = self._store.setting("events_days", EVENTS_DAYS)
            if not days:
                return
            before = utc(datetime.now(UTC) - timedelta(days=days))
            with self._store.writing() as connection:
                count = connection.execute(
                    "DELETE FROM events WHERE until < ? AND NOT present", (before,)
                ).rowcount
            if count:
                self._store.forget()
        except ServiceError as error:
            _log.warning("old events cannot be deleted: %s", error)


COLUMNS = (
    "id, source, run, track, at, until, seconds, present, state, name, person, confidence, why, looks, box"
)
SELECT = f"SELECT {COLUMNS}, corrected, ignored, thumbnail IS NOT NULL AS pictured FROM events"  # noqa: S608
_CHANGING = "name", "person", "state", "confidence", "why"  # that a correction takes over
_KEEP = (
    f"INSERT INTO events ({COLUMNS}, thumbnail) VALUES ({', '.join('?' * 16)}) "  # noqa: S608 (constants)
    "ON CONFLICT (id) DO UPDATE SET until = excluded.until, present = excluded.present, "
    "looks = excluded.looks, box = excluded.box, thumbnail = coalesce(excluded.thumbnail, thumbnail), "
    + ", ".join(f"{each} = CASE WHEN corrected THEN {each} ELSE excluded.{each} END" for each in _CHANGING)
)


def as_event(row: sqlite3.Row | dict[str, Any], name_of: Callable[[str], str | None]) -> dict[str, Any]:
    """An event as clients are told of it.

    Args:
        row: of `SELECT`.
        name_of: the present name of a person; the name of then where there is none.
    """
    person, number = row["person"], row["id"]
    name = row["name"] if person is None else name_of(person) or row["name"]
    return {
        "id": number,
        "source": row["source"],
        "track": row["track"],
        "at": row["at"],
        "until": row["until"],
        "seconds": round(row["seconds"], 3),
        "present": bool(row["present"]),
        "state": row["state"],
        "name": name,
        "person": person,
        "confidence": row["confidence"],
        "why": row["why"],
        "looks": row["looks"],
        "box": json.loads(row["box"]),
        "thumbnail": f"/api/v1/events/{number}/thumbnail.jpg" if row["pictured"] else None,
        "corrected": bool(row["corrected"]),
        "ignored": bool(row["ignored"]),
    }


def _row(visit: Visit) -> tuple[object, ...]:
    """The values of `_KEEP`."""
    return (
        *(getattr(visit, name) for name in COLUMNS.split(", ") if name != "box"),
        json.dumps(visit.box),
        visit.thumbnail,
    )


def _fields(visit: Visit) -> dict[str, Any]:
    values = {name: getattr(visit, name) for name in visit.__dataclass_fields__}
    return values | {"box": json.dumps(visit.box), "corrected": 0, "ignored": 0, "pictured": False}
