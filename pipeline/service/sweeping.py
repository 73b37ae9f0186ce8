"""Deleting what is kept longer than the settings say, now and then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.api import ERRORS, Past, Recog
from pipeline.service.corrections import Corrections
from pipeline.service.ids import utc
from pipeline.service.review import Review
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
EVERY = 600.0  # seconds between two looks for what is too old


class Sweeper:
    """Deletes faces that nobody has named, the looks at them, and people whose time is over."""

    def __init__(
        self,
        recog: Recog,
        store: Store,
        past: Callable[[], Past],
        corrections: Corrections,
        review: Review,
        days: Callable[[], int],
    ) -> None:
        """
        Args:
            past: gives the service's tape.
            days: for how many days faces are kept.
        """
        self._recog, self._store, self._past = recog, store, past
        self._corrections, self._review, self._days = corrections, review, days
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def sweep(self) -> None:
        """Delete what is kept longer than the settings say: pictures of faces, looks on the tape, people.

        Raises:
            GalleryError, ServiceError, SourceError: something cannot be written now.
        """
        self._recog.expire()
        self._corrections.reconcile()
        self._corrections.forget()
        before = datetime.now(UTC) - timedelta(days=self._days())
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
        self._past().forget(before)
        self._review.forget()

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
        wait = 5.0  # models and sources first
        while not self._stopping.wait(wait):
            wait = EVERY
            try:
                self.sweep()
            except ERRORS as error:
                _log.warning("what is too old cannot be deleted now: %s", error)
