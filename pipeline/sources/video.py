"""Video files and cameras: frames out of an OpenCV capture."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.base import Source
from pipeline.types import Frame, Image

FRAMES_TOLERANCE = 0.05  # containers estimate their length; fewer frames than this share less is a complaint


class Video(Source):
    """Frames out of an OpenCV capture: a video file, a camera or a stream."""

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], cv2.VideoCapture],
        failure: str,
        *,
        always_live: bool,
    ) -> None:
        """Open the capture and read its first frame; SourceError with the text `failure` if there is none."""
        self._open_capture = open_capture
        self._capture = open_capture()
        # `close` may come from another thread while a frame is read, which OpenCV would not survive.
        self._reading, self._closed = threading.Lock(), threading.Event()
        self._first = self._grab()
        if self._first is None:
            self._capture.release()
            raise SourceError(failure)
        self._opened = time.monotonic()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)  # absurd values where the container has none
        frame_count = int(count) if 0 < count < 1e9 and not always_live else None
        super().__init__(
            name,
            live=frame_count is None,
            fps=fps if 0 < fps <= 1000 else None,  # NaN fails as well
            size=(self._first.shape[1], self._first.shape[0]),
            frame_count=frame_count,
        )

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames once, in order; see `complaint` afterwards."""
        index, seconds = 0, -math.inf
        image, self._first = self._first, None
        while image is not None:
            seconds = self._seconds_after(seconds)
            yield Frame(image, index, seconds, self.name, self._taken if self.live else None)
            index += 1
            image = self._grab()
            if image is None and self.live and not self._closed.is_set():
                image = self._recover(index)
        missing = (self.frame_count or 0) - index
        if not self._closed.is_set() and missing > max(2, FRAMES_TOLERANCE * (self.frame_count or 0)):
            self.complaint = (
                f"{self.name} is damaged or cut short: "
                f"{index} of about {self.frame_count} frames could be read"
            )

    def close(self) -> None:
        self._closed.set()
        with self._reading:
            self._capture.release()

    def _grab(self) -> Image | None:
        with self._reading:
            try:
                ok, image = self._capture.read()
            except cv2.error:  # a damaged stream can claim a size that cannot be allocated
                return None
        self._taken = datetime.now(UTC)
        return np.asarray(image, np.uint8) if ok else None

    def _recover(self, frames: int) -> Image | None:
        """The next frame of a live source that gave none after this many; None if there will be none."""
        self.complaint = f"{self.name} gave no more frames after {frames}; check its connection"
        return None

    def _seconds_after(self, previous: float) -> float:
        """The time of the frame just read, always later than that of the one before."""
        if self.live:
            return max(time.monotonic() - self._opened, math.nextafter(previous, math.inf))
        seconds = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        if previous == -math.inf:
            return seconds if 0 <= seconds < 86_400 else 0.0
        # A damaged container can claim any time; a sound one may stand still for long, but not for a day.
        return seconds if previous < seconds < previous + 86_400 else previous + 1 / (self.fps or 25.0)
