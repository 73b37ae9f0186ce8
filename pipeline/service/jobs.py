"""Long work: one thing at a time, with progress, ended at any moment; what became of it is kept a while."""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pipeline.api import ERRORS
from pipeline.errors import ServiceError
from pipeline.service.ids import new_id, now, utc
from pipeline.service.problems import Problem
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
State = Literal["queued", "running", "done", "failed", "cancelled"]
DAYS = 7  # for which ended jobs are kept
MOST_WAITING = 20
PACE = 0.5  # seconds between two notes of how far a job is
STOP_SECONDS = 1.5  # for which the present job is waited for at the end of the service


class CancelledError(Exception):
    """Raised inside a job that is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is told."""

    id: str
    kind: str
    state: State
    made: str
    ended: str | None
    what: str
    done: int
    total: int | None
    result: dict[str, Any] | None
    problem: str | None


class Handle:
    """What a job's work is given: it says how far it is, and asks whether to go on."""

    def __init__(self, number: str, note: Callable[[str, str, int, int | None], None]) -> None:
        self.id = number
        self.unwanted = threading.Event()
        self.stop: Callable[[], None] = lambda: None  # called, from any thread, once it is not wanted
        self._note, self._noted = note, 0.0

    def report(self, what: str, done: int, total: int | None) -> None:
        """Say how far it is.

        Raises:
            CancelledError: it is not wanted any more.
        """
        if self.unwanted.is_set():
            raise CancelledError
        if time.monotonic() - self._noted >= PACE or done == total:
            self._noted = time.monotonic()
            self._note(self.id, what, done, total)


Work = Callable[[Handle], dict[str, Any]]


class Jobs:
    """The jobs of a service. Any thread may use it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.Queue[tuple[Handle, Work] | None] = queue.Queue()
        self._handles: dict[str, Handle] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = False

    def start(self) -> None:
        """Begin to work. What an earlier process was doing is over."""
        old = utc(datetime.now(UTC) - timedelta(days=DAYS))
        with self._store.writing() as db:
            db.execute(
                """UPDATE jobs SET state = 'failed', ended = ?, problem = 'the service ended meanwhile'
                WHERE state IN ('queued', 'running')""",
                (now(),),
            )
            db.execute("DELETE FROM jobs WHERE ended < ?", (old,))
        self._thread = threading.Thread(target=self._work, name="recog jobs", daemon=True)
        self._thread.start()

    def add(self, kind: str, given: dict[str, Any], work: Work) -> Job:
        """Queue some work.

        Args:
            given: what was asked for, of JSON's types.
            work: does it, and returns its result, of JSON's types.

        Raises:
            Problem: too much is waiting already.
        """
        with self._lock:
            if len(self._handles) >= MOST_WAITING:
                raise Problem(
                    429, "too_many_jobs", "too many jobs are waiting; cancel some, or try again later",
                    headers={"retry-after": "30"},
                )  # fmt: skip
            handle = Handle(new_id(), self._note)
            with self._store.writing() as db:
                db.execute(
                    """INSERT INTO jobs (id, kind, state, made, what, done, given)
                    VALUES (?, ?, 'queued', ?, '', 0, ?)""",
                    (handle.id, kind, now(), json_text(given)),
                )
            self._handles[handle.id] = handle
        self._waiting.put((handle, work))
        found = self.get(handle.id)
        assert found is not None
        return found

    def get(self, number: str) -> Job | None:
        """The job of an id."""
        with self._store.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
        return None if row is None else _job(row)

    def newest(self, most: int, before: str | None) -> list[Job]:
        """The newest jobs, or those before one with an id."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT * FROM jobs WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2", (before, most)
            ).fetchall()
        return [_job(row) for row in rows]

    def cancel(self, number: str) -> None:
        """Have a job end soon; what it did stays done. One that has ended stays as it is."""
        with self._lock:
            handle = self._handles.get(number)
        if handle is not None:
            handle.unwanted.set()
            handle.stop()
            with self._store.writing() as db:
                db.execute(
                    "UPDATE jobs SET state = 'cancelled', ended = ? WHERE id = ? AND state = 'queued'",
                    (now(), number),
                )

    def halt(self) -> None:
        """Have all end soon, without waiting."""
        self._ending = True
        with self._lock:
            handles = list(self._handles.values())
        for handle in handles:
            handle.unwanted.set()
            handle.stop()
        self._waiting.put(None)

    def stop(self) -> None:
        """End the work; waits for `STOP_SECONDS` at most."""
        self.halt()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        while not self._ending and (taken := self._waiting.get()) is not None:
            handle, work = taken
            try:
                self._do(handle, work)
            except ServiceError as error:  # the disk is full, say: the next one may come through
                _log.warning("job %s: %s", handle.id, error)
            finally:
                with self._lock:
                    self._handles.pop(handle.id, None)

    def _do(self, handle: Handle, work: Work) -> None:
        with self._store.writing() as db:
            begun = db.execute(
                "UPDATE jobs SET state = 'running' WHERE id = ? AND state = 'queued'", (handle.id,)
            ).rowcount
        if not begun:  # cancelled while it waited
            return
        state: State
        result: dict[str, Any] | None = None
        problem: str | None = None
        try:
            result = work(handle)
            state = "done"
        except CancelledError:
            state = "cancelled"
        except ERRORS as error:
            state, problem = "failed", " ".join(str(error).split())
        except Problem as error:
            state, problem = "failed", error.detail
        except Exception:
            _log.exception("job %s failed", handle.id)
            state, problem = "failed", "an error of recog itself; the log says more"
        with self._store.writing() as db:
            db.execute(
                "UPDATE jobs SET state = ?, ended = ?, result = ?, problem = ? WHERE id = ?",
                (state, now(), None if result is None else json_text(result), problem, handle.id),
            )

    def _note(self, number: str, what: str, done: int, total: int | None) -> None:
        with self._store.writing() as db:
            db.execute(
                "UPDATE jobs SET what = ?, done = ?, total = ? WHERE id = ?", (what, done, total, number)
            )


def json_text(value: Any) -> str:
    """A value as it is kept. Names stay as they are written: `recog forget` looks for them in it.

    Half a character, as in the name of a file that is not UTF-8, is escaped: SQLite takes none.
    """
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()


def _job(row: sqlite3.Row) -> Job:
    return Job(
        row["id"], row["kind"], row["state"], row["made"], row["ended"], row["what"], row["done"],
        row["total"], None if row["result"] is None else json.loads(row["result"]), row["problem"],
    )  # fmt: skip
