"""Deleting what is kept longer than the settings say, now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from pipeline.api import ERRORS, Past, Recog
from pipeline.service.corrections import Corrections
from pipeline.service.ids import utc
from pipeline.service.removing import Removals
from pipeline.service.review import Review
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
EVERY = 600.0  # seconds between two looks for what is too old
AGAIN = 10.0  # seconds after which what a removal has left is tried again


class Sweeper:
    """Deletes faces that nobody has named, the looks at them, and people whose time is over."""

    def __init__(
        self,
        recog: Recog,
        store: Store,
        past: Callable[[], Past],
        corrections: Corrections,
        review: Review,
        removals: Removals,
        changes: AbstractContextManager[object],
        days: Callable[[], int],
    ) -> None:
        """
        Args:
            past: gives the service's tape.
            changes: held by whoever changes the gallery.
            days: for how many days faces are kept.
        """
        self._recog, self._store, self._past = recog, store, past
        self._corrections, self._review, self._days = corrections, review, days
        self._removals, self._changes = removals, changes
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def sweep(self) -> None:
        """Delete what is kept longer than the settings say: pictures of faces, looks on the tape, people.

        And what removals have left. Each part is tried, whatever became of the others.

        Raises:
            GalleryError, ServiceError, SourceError: something cannot be written now.
        """
        before = datetime.now(UTC) - timedelta(days=self._days())
        failed: Exception | None = None
        for part in (
            self._go_on,
            self._recog.expire,
            self._corrections.reconcile,
            self._corrections.forget,
            lambda: self._pictures(before),
            lambda: self._past().forget(before),
            self._review.forget,
        ):
            try:
                part()
            except ERRORS as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def _go_on(self) -> None:
        with self._changes:
            self._removals.go_on()

    def _pictures(self, before: datetime) -> None:
        with self._store.writing() as connection:
            gone = connection.execute("DELETE FROM portraits WHERE at < ?", (utc(before),)).rowcount
            gone += connection.execute(
                "UPDATE events SET thumbnail = NULL "
                "WHERE state != 'named' AND until < ? AND thumbnail IS NOT NULL",
                (utc(before),),
            ).rowcount
            gone += connection.execute(
                "DELETE FROM clusters WHERE event NOT IN (SELECT id FROM events)"
            ).rowcount
            # Those of people who were removed: their events went with them.
            gone += connection.execute(
                "DELETE FROM portraits WHERE NOT EXISTS (SELECT 1 FROM events "
                "WHERE events.run = portraits.run AND events.track = portraits.track) AND at < ?",
                (utc(datetime.now(UTC) - timedelta(minutes=1)),),
            ).rowcount
        if gone:
            self._store.forget()

    def start(self) -> None:
        """Begin to do that now and then."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._work, name="recog sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End that. May be called again."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        wait, swept = 5.0, 0.0  # models and sources first
        while not self._stopping.wait(wait):
            try:
                if time.monotonic() >= swept + EVERY or not swept:
                    swept = time.monotonic()
                    self.sweep()
                else:
                    self._go_on()
            except ERRORS as error:
                _log.warning("what is too old cannot be deleted now: %s", error)
            wait = AGAIN
