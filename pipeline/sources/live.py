"""Cameras and streams: only the newest frame counts, and one that is lost is opened again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from pipeline.config import StreamSettings
from pipeline.errors import SourceError, UnreachableError
from pipeline.sources.base import Source
from pipeline.sources.watchdog import Condition, Watchdog
from pipeline.types import Frame, Image
from pipeline.words import counted

_EVERY = 16  # rows of a picture between two that are compared


class Connection(Protocol):
    """An opened camera or stream."""

    @property
    def fps(self) -> float | None:
        """Nominal frames a second, if it has such a rate."""
        ...

    def read(self) -> Image | None:
        """The next picture, (height, width, 3) uint8 BGR; None where none came: the connection is lost."""
        ...

    def close(self) -> None: ...


class Live(Source):
    """Frames of a camera or stream.

    One that gives no frame in time, or the very same picture for `settings.frozen` seconds, is opened again:
    after 1, 2, 4, ... 30, 30, ... seconds, for `settings.patience` seconds in all, or for ever. One that
    comes back with that picture is left alone until it changes: it shows a still.

    Attributes:
        failure: why it could not be reached at the latest attempt that failed; empty if none has.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Connection],
        settings: StreamSettings,
        report: Callable[[str], None],
        waiting: bool = False,
    ) -> None:
        """Connect, and read the first frame.

        Args:
            connect: makes a connection. Raises UnreachableError.
            report: called with one line whenever the source is lost or back, from any thread.
            waiting: where it cannot be reached, be lost from the start instead of raising.

        Raises:
            UnreachableError: no frame can be had.
        """
        self._connect, self._settings = connect, settings
        self._watchdog = Watchdog(name, settings.patience, report)
        # `close` may come from another thread while a frame is read, which no library here survives.
        self._reading, self._halted = threading.Lock(), threading.Event()
        self._connection: Connection | None = None
        self._sample: Image | None = None  # of the latest picture, when it last changed
        self._changed = self._opened = time.monotonic()
        self._is_still = False  # it was opened again for that, and may go on so
        self._stood = ""  # that the latest picture was one too many of the same
        self._taken = datetime.now(UTC)
        self.failure = ""  # of the latest attempt to reach it
        self._first = self._reach()
        if self._first is None and not waiting:
            raise UnreachableError(self.failure)
        if self._first is None:
            self._watchdog.lost("cannot be reached")
        size = None if self._first is None else (self._first.shape[1], self._first.shape[0])
        fps = None if self._connection is None else self._connection.fps
        super().__init__(name, live=True, fps=fps, size=size)

    @property
    def condition(self) -> Condition:
        return self._watchdog.condition

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until it is halted, closed or given up; see `complaint` afterwards.

        Raises:
            SourceError: it has been given up, and not a single frame came.
        """
        index, seconds = 0, -math.inf
        image, self._first = self._first, None
        while image is not None or (image := self._recover(index)) is not None:
            seconds = max(time.monotonic() - self._opened, math.nextafter(seconds, math.inf))
            yield Frame(image, index, seconds, self.name, self._taken)
            index += 1
            image = self._grab()
        if self._halted.is_set():
            return
        if not index:
            raise SourceError(self.failure)
        self.complaint = f"{self.name} gave no more frames after {index}; check its connection"

    def halt(self) -> None:
        self._halted.set()

    def close(self) -> None:
        self._halted.set()
        with self._reading:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _grab(self) -> Image | None:
        with self._reading:
            if self._halted.is_set() or self._connection is None:
                return None
            image = self._connection.read()
        self._taken = datetime.now(UTC)
        return image if image is None or not self._stands_still(image) else None

    def _reach(self) -> Image | None:
        """Connect again and take a first picture; None where that fails."""
        with self._reading:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._halted.is_set():
                return None
            try:
                self._connection = self._connect()
            except UnreachableError as error:
                self.failure = str(error)
                return None
        return self._grab()

    def _stands_still(self, image: Image) -> bool:
        """Whether the picture has not changed for too long, said once."""
        now, sample = time.monotonic(), image[::_EVERY]
        if self._sample is None or not np.array_equal(sample, self._sample):
            self._sample, self._changed, self._is_still = sample.copy(), now, False
        elif not self._is_still and now - self._changed > self._settings.frozen:
            self._is_still = True
            self._stood = f"has shown the same picture for {self._settings.frozen:g} s"
            return True
        self._stood = ""
        return False

    def _recover(self, frames: int) -> Image | None:
        """Wait until it gives frames again; None if it is halted or given up."""
        if self._halted.is_set():
            return None
        if self.condition.up:
            self._watchdog.lost(self._stood or f"was lost after {counted(frames, 'frame')}")
        while (pause := self._watchdog.pause()) is not None and not self._halted.wait(pause):
            if (image := self._reach()) is not None:
                self._watchdog.back()
                return image
        return None
