"""The best looks at each track of every source, kept with their pictures: to enroll from, and as evidence.

A thread of its own writes them, so that no source waits for the disk. What cannot be written is tried again,
and given up when too much waits: the looks themselves are on the tape.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from pipeline.api import Portrait, Portraits, Recog, Result
from pipeline.errors import ServiceError
from pipeline.service.ids import now
from pipeline.service.models import same_crops
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
PACE = 1.0  # seconds between two transactions
MOST_WAITING = 2_000  # tracks that wait to be written
LEFT = 60.0  # seconds after which a track that is not looked at has left
_QUALITY = 95  # of the JPEG: what is made of it later is to be embedded again by another model

Key = tuple[str, int]  # a run, and a track of it


class Keeper:
    """Keeps portraits of every source. Its `take` is called in each source's own thread."""

    def __init__(self, recog: Recog, store: Store, days: Callable[[], int]) -> None:
        """
        Args:
            days: for how many days they are kept; 0 for not at all.
        """
        self._recog, self._store, self._days = recog, store, days
        self._runs: dict[str, tuple[Portraits, dict[int, float]]] = {}
        self._waiting: dict[Key, tuple[Portrait, ...]] = {}
        self._gone: dict[str, set[int]] = {}  # tracks of runs that were forgotten, and are not to come back
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # whose it is to write
        self._ending = False
        self._thread: threading.Thread | None = None

    def take(self, run: str, result: Result) -> None:
        """One more result of a run."""
        if not self._days():
            return
        if run not in self._runs:
            self._runs[run] = self._recog.portraits(), {}
        portraits, seen = self._runs[run]
        changed = portraits.take(result)
        seconds = result.frame.seconds
        seen |= dict.fromkeys((look.track for look in result.looks), seconds)
        if changed:
            with self._changed:
                for track in changed - self._gone.get(run, set()):
                    self._waiting[run, track] = portraits.of(track)
                while len(self._waiting) > MOST_WAITING:
                    self._waiting.pop(next(iter(self._waiting)))
                self._changed.notify_all()
        for track in [track for track, last in seen.items() if seconds - last > LEFT]:
            portraits.forget(track)
            del seen[track]
        for track in tuple(self._gone.get(run, ())):
            portraits.forget(track)

    def ended(self, run: str) -> None:
        """A run has ended."""
        self._runs.pop(run, None)
        with self._changed:
            self._gone.pop(run, None)

    def of(self, keys: Collection[Key]) -> dict[Key, list[Portrait]]:
        """What is kept of some tracks, best first; tracks of which nothing is are left out.

        Raises:
            ServiceError: the file cannot be read.
            ModelError: what another model made cannot be embedded again.
        """
        self.flush()
        found: dict[Key, list[Any]] = {}
        with self._store.reading() as connection:
            for key in keys:
                rows = connection.execute(
                    "SELECT seconds, embedding, quality, jpeg, flaw, model FROM portraits "
                    "WHERE run = ? AND track = ? ORDER BY quality DESC", key
                ).fetchall()  # fmt: skip
                if rows:
                    found[key] = rows
        read = {key: self._read(rows) for key, rows in found.items()}
        return {key: portraits for key, portraits in read.items() if portraits}

    def _read(self, rows: Sequence[Any]) -> list[Portrait]:
        """Portraits of rows; the embedding of one that another model made is made again from its picture."""
        model = self._recog.model
        rows = [row for row in rows if same_crops(row["model"], model)]
        read = [_portrait(*tuple(row)[:5]) for row in rows]
        others = [number for number, row in enumerate(rows) if row["model"] != model]
        again = self._recog.embed_again([read[number] for number in others])
        for number, portrait in zip(others, again, strict=True):
            read[number] = portrait
        return read

    def forget(self, keys: Collection[Key]) -> None:
        """Delete what is kept of some tracks, for good, and keep nothing more of them while they are in view.

        Raises:
            ServiceError: the file cannot be written.
        """
        with self._turn:
            with self._changed:
                for run, track in keys:
                    self._waiting.pop((run, track), None)
                    self._gone.setdefault(run, set()).add(track)
            with self._store.writing() as connection:
                connection.executemany("DELETE FROM portraits WHERE run = ? AND track = ?", list(keys))
        self._store.forget()

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._work, name="recog portraits", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left. May be called again."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def flush(self) -> None:
        """Write what waits.

        Raises:
            ServiceError: it cannot be written; then it waits on.
        """
        with self._turn:
            with self._changed:
                waiting, self._waiting = self._waiting, {}
            try:
                self._write(waiting)
            except ServiceError:
                with self._changed:
                    self._waiting = waiting | self._waiting
                raise

    def _write(self, waiting: Mapping[Key, Sequence[Portrait]]) -> None:
        if not waiting:
            return
        at, model = now(), self._recog.model
        rows = [
            (*key, place, at, each.seconds, each.quality, each.flaw, each.embedding.astype("<f4").tobytes(),
             _jpeg(each), model)
            for key, portraits in waiting.items()
            for place, each in enumerate(portraits)
        ]  # fmt: skip
        with self._store.writing() as connection:
            connection.executemany("DELETE FROM portraits WHERE run = ? AND track = ?", list(waiting))
            connection.executemany("INSERT INTO portraits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _work(self) -> None:
        failed = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending)
                ending = self._ending
            try:
                self.flush()
                failed = False
            except ServiceError as error:
                if not failed:
                    _log.error("pictures of faces cannot be kept: %s", error)
                failed = True
            if ending:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._ending, timeout=PACE)


def _jpeg(portrait: Portrait) -> bytes:
    assert portrait.crop is not None
    return bytes(cv2.imencode(".jpg", portrait.crop, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def _portrait(seconds: float, embedding: bytes, quality: float, jpeg: bytes, flaw: str) -> Portrait:
    crop = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    face = np.frombuffer(embedding, "<f4").astype(np.float32)
    return Portrait(seconds, face, quality, np.asarray(crop, np.uint8), flaw)
