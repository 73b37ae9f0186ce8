"""A video file made to behave like something else: a camera at work, or a film without end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.sources.base import Source
from pipeline.sources.open import open_source
from pipeline.types import Frame


class Rehearsal(Source):
    """A video file, repeated until enough frames have come; as a camera, if a rate is given.

    Attributes:
        began: `time.monotonic` at which second 0 of a camera's clock was; None until then.
        read_seconds: time spent on reading and decoding each frame.
    """

    def __init__(self, path: Path, frames: int, rate: float | None = None) -> None:
        """
        Args:
            frames: how many frames it yields.
            rate: frames a second at which they come, whether or not anyone takes them; None for a film.

        Raises:
            SourceError: the file is no video.
        """
        self._path, self._frames, self._rate = path, frames, rate
        self.began: float | None = None
        self.read_seconds: list[float] = []
        with open_source(str(path)) as film:
            super().__init__(
                film.name, live=rate is not None, fps=rate or film.fps, size=film.size, frame_count=frames
            )

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        while count < self._frames:
            for image in self._pictures():
                if count == self._frames:
                    break
                seconds = count / (self.fps or 25.0)
                if self._rate is not None:
                    self._wait_for(seconds)
                taken = None if self._rate is None else datetime.now(UTC)
                yield Frame(image.image, count, seconds, self.name, taken)
                count += 1

    def _pictures(self) -> Iterator[Frame]:
        with open_source(str(self._path)) as film:
            frames = iter(film)
            while True:
                started = time.perf_counter()
                frame = next(frames, None)
                if frame is None:
                    return
                self.read_seconds.append(time.perf_counter() - started)
                yield frame

    def _wait_for(self, seconds: float) -> None:
        """Sleep until the camera would have taken this frame."""
        if self.began is None:
            self.began = time.monotonic() - seconds
        time.sleep(max(0.0, self.began + seconds - time.monotonic()))
