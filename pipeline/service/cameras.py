"""All sources of the service: what is watched is kept, and goes on after a restart."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.api import Following, Reach, shown_source
from pipeline.errors import ServiceError
from pipeline.service.camera import Camera, Status, kind_of, name_for
from pipeline.service.ids import new_id, now
from pipeline.service.run import Desk, Run
from pipeline.service.store import Store
from pipeline.service.versions import must_match

_log = logging.getLogger(__name__)
STOP_SECONDS = 2.0  # for which sources are waited for at the end; one may hang in a camera's driver
REVIEW_DAYS = 7  # how long looks are kept, unless the setting `review_days` says otherwise; 0 for not at all


@dataclass(frozen=True, slots=True)
class Stored:
    """A source as it is kept."""

    id: str
    name: str
    url: str  # with its login: for opening it, and nothing else
    trusted: bool  # given by the operator
    wanted: str  # running, paused, ended
    added: str
    version: int


class Cameras:
    """The sources. Any thread may use it."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        reach: Reach,
    ) -> None:
        """
        Args:
            reach: where sources that clients have added may be.
        """
        self._store, self._desk, self._reach = store, desk, reach
        self._board, self._metrics = desk.board, desk.metrics
        self._running: dict[str, Camera] = {}
        self._runs: dict[str, Run] = {}  # the latest of each source
        self._guard = threading.RLock()
        self._days = REVIEW_DAYS
        self._stopped = False

    def start(self, given: tuple[str, ...]) -> None:
        """Follow what was followed when the service ended last, and what the operator names now.

        Args:
            given: as `--source` takes them.
        """
        self.settings_changed()
        known = {each.url: each for each in self.all()}
        for url in given:
            if url not in known:
                self.add(url, None, trusted=True, begin=False)
            elif known[url].wanted != "running":
                self._want(known[url].id, "running")
        for each in self.all():
            camera = self._made(each)
            if each.wanted == "running":
                camera.run()

    def settings_changed(self) -> None:
        """Take over for how long looks are kept."""
        self._days = int(self._store.setting("review_days", REVIEW_DAYS))

    @property
    def trouble(self) -> str | None:
        """Why looks cannot be kept at present, in one line."""
        return next((each.trouble for each in list(self._runs.values()) if each.trouble), None)

    def all(self) -> list[Stored]:
        """Every source, in the order in which they were added."""
        with self._store.reading() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM sources ORDER BY added, id").fetchall()  # noqa: S608
        return [_stored(row) for row in rows]

    @property
    def days(self) -> int:
        """For how many days looks at faces are kept; 0 for not at all."""
        return self._days

    def name_of(self, number: str) -> str:
        """What a source is called, in words where it is no more."""
        found = self.get(number)
        return "a source that was removed" if found is None else found.name

    def get(self, number: str) -> Stored | None:
        """The source of this id."""
        with self._store.reading() as connection:
            return _find(connection, number)

    def status(self, number: str) -> Status:
        """How a source is."""
        camera = self._running.get(number)
        return Status("paused", now()) if camera is None else camera.status

    def told(self, source: Stored) -> dict[str, Any]:
        """A source as clients are told of it."""
        status = self.status(source.id)
        return {
            "id": source.id,
            "name": source.name,
            "kind": kind_of(source.url),
            "url": shown_source(source.url),
            "state": status.state,
            "since": status.since,
            "detail": status.detail,
            "fps": status.fps,
            "size": status.size,
            "dropped": status.dropped,
            "added": source.added,
            "version": source.version,
        }

    def add(self, url: str, name: str | None, *, trusted: bool, begin: bool = True) -> Stored:
        """Watch one more source."""
        made = Stored(new_id(), name or name_for(url, shown_source(url)), url, trusted, "running", now(), 1)
        with self._guard:
            with self._store.writing() as connection:
                connection.execute(
                    f"INSERT INTO sources ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                    (made.id, made.name, made.url, made.trusted, made.wanted, made.added, made.version),
                )
            if begin:
                self._made(made).run()
        self.tell()
        return made

    @contextmanager
    def scanning(self, film: str) -> Iterator[tuple[Stored, Following, Run]]:
        """A film that is looked through as fast as the caller takes its results: a source that ends then.

        Raises:
            SourceError: it cannot be read.
            GalleryError, ModelError, DetectorError: gallery or a model cannot be used.
        """
        recog = self._desk.recog
        with recog.follow(film, delay=0, looks=True) as following:
            source = self.add(film, None, trusted=True, begin=False)
            self._want(source.id, "ended")
            if (rested := self.get(source.id)) is not None:
                self._made(rested)
            with closing(Run(self._desk, source.id, following, lambda: self._days)) as run:
                yield source, following, run
        self.tell()

    def change(
        self, number: str, name: str | None, url: str | None, trusted: bool, if_match: str | None
    ) -> Stored | None:
        """Give a source another name or address; None if there is no such source.

        Raises:
            Problem: it is not the version that the caller means.
        """
        with self._guard:
            with self._store.writing() as connection:  # in which nobody else makes another version of it
                before = _find(connection, number)
                if before is None:
                    return None
                must_match(if_match, before.version)
                moved = url is not None and url != before.url
                connection.execute(
                    "UPDATE sources SET name = ?, url = ?, trusted = ?, version = version + 1 WHERE id = ?",
                    (name or before.name, url or before.url, trusted if moved else before.trusted, number),
                )
            after = self.get(number)
            assert after is not None
            if moved:
                self._let_go(number)
                if after.wanted == "running":
                    self._made(after).run()
        self.tell()
        return after

    def run(self, number: str) -> None:
        """Go on with a source."""
        self._want(number, "running")
        found = self.get(number)
        if found is not None:
            self._made(found).run()

    def pause(self, number: str) -> None:
        """Look no further for now."""
        self._want(number, "paused")
        found = self.get(number)
        if found is not None:
            self._made(found).pause()
            self._board.take_down(number)

    def remove(self, number: str, if_match: str | None) -> bool:
        """Watch it no more. Its events stay. Whether there was such a source.

        Raises:
            Problem: it is not the version that the caller means.
        """
        with self._guard:
            with self._store.writing() as connection:
                before = _find(connection, number)
                if before is None:
                    return False
                must_match(if_match, before.version)
                connection.execute("DELETE FROM sources WHERE id = ?", (number,))
            self._let_go(number)
        self._store.forget()  # its address may have held a login
        self._metrics.forget(number)
        self.tell()
        return True

    def tell(self) -> None:
        """Tell the pages how all sources are."""
        with suppress(ServiceError):  # ended, or its file cannot be read: then they are told later
            self._board.tell({"type": "sources", "items": [self.told(each) for each in self.all()]})

    def halt(self) -> None:
        """Have all end soon."""
        with self._guard:
            self._stopped = True
            cameras = list(self._running.values())
        for camera in cameras:
            camera.halt()

    def stop(self) -> None:
        """End all, with what they have seen handed over; waits for `STOP_SECONDS` at most."""
        self.halt()
        until = time.monotonic() + STOP_SECONDS
        for number, camera in list(self._running.items()):
            if not camera.join(max(0.0, until - time.monotonic())):
                _log.warning("source %s has not ended in time; it hangs in its camera or connection", number)

    def _want(self, number: str, wanted: str) -> None:
        with self._store.writing() as connection:
            connection.execute(
                "UPDATE sources SET wanted = ?, version = version + 1 WHERE id = ? AND wanted <> ?",
                (wanted, number, wanted),
            )

    def _made(self, source: Stored) -> Camera:
        """The camera of a source, made if there is none yet."""
        with self._guard:
            if source.id in self._running:
                return self._running[source.id]

            def follower(frames: Following) -> Run:
                home = self._desk.recog.telling(
                    source.url,
                    source.id[-4:].lower(),  # two sources may be called the same
                    lambda: frames.condition is None or frames.condition.up,
                )
                self._runs[source.id] = run = Run(self._desk, source.id, frames, lambda: self._days, home)
                return run

            def changed(status: Status) -> None:
                self._changed(source.id, status)

            def reconnected() -> None:
                self._metrics.reconnected(source.id)

            limit = None if source.trusted else self._reach
            rests: Literal["paused", "ended"] = "ended" if source.wanted == "ended" else "paused"
            recog = self._desk.recog
            made = Camera(recog, source.url, limit, follower, changed, reconnected, rests)
            self._running[source.id] = made
            return made

    def _let_go(self, number: str) -> None:
        camera = self._running.pop(number, None)
        if camera is not None:
            camera.halt()
        self._runs.pop(number, None)
        self._board.take_down(number)

    def _changed(self, number: str, status: Status) -> None:
        if self._stopped or number not in self._running:
            return
        self._metrics.state(number, status.state)
        if status.state == "ended":
            with suppress(ServiceError):  # the disk is full: it will be followed again after a restart
                self._want(number, "ended")
        self.tell()


_COLUMNS = "id, name, url, trusted, wanted, added, version"


def _find(connection: sqlite3.Connection, number: str) -> Stored | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM sources WHERE id = ?", (number,)).fetchone()  # noqa: S608
    return None if row is None else _stored(row)


def _stored(row: sqlite3.Row) -> Stored:
    number, name, url, trusted, wanted, added, version = tuple(row)
    return Stored(number, name, url, bool(trusted), wanted, added, version)
