"""A recorded video, from a file, a pipe or an address: every frame of it, on the film's own clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pipeline.errors import SourceError
from pipeline.sources.base import Source
from pipeline.sources.clock import BROADCAST_GAP, GAP, MediaClock
from pipeline.sources.decoder import Decoder, Picture
from pipeline.types import Frame
from pipeline.words import counted

TOLERANCE = 0.05  # containers estimate their length; an end that lacks less than this share is no complaint


class Film(Source):
    """The frames of a decoder, each once, in order."""

    def __init__(self, name: str, decoder: Decoder, failure: str) -> None:
        """Read the first frame; SourceError with the text `failure` if there is none."""
        self._decoder = decoder
        # `close` may come from another thread while a frame is read, which FFmpeg would not survive.
        self._reading, self._closed = threading.Lock(), threading.Event()
        self._first = self._read()
        if self._first is None:
            decoder.close()
            raise SourceError(failure)
        height, width = self._first.image.shape[:2]
        super().__init__(name, fps=decoder.fps, size=(width, height), frame_count=decoder.frame_count)
        self.begins = self._first.seconds

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames once, in order; see `complaint` and `remark` afterwards."""
        clock = MediaClock(1 / (self.fps or 25.0), BROADCAST_GAP if self._decoder.jumps else GAP)
        index, picture, self._first = 0, self._first, None
        while picture is not None:
            yield Frame(picture.image, index, clock.read(picture.seconds), self.name)
            index += 1
            picture = self._read()
        if not self._closed.is_set():
            self._sum_up(index)

    def close(self) -> None:
        self._closed.set()
        with self._reading:
            self._decoder.close()

    def _read(self) -> Picture | None:
        with self._reading:
            return None if self._closed.is_set() else self._decoder.read()

    def _sum_up(self, frames: int) -> None:
        """Say what could not be read. A film whose frames are all there has its end, whatever it claims."""
        expected = self.frame_count
        if not self._decoder.is_whole(TOLERANCE) and (expected is None or frames < expected):
            of = f"{frames} of about {counted(expected, 'frame')}" if expected else counted(frames, "frame")
            self.complaint = f"{self.name} is damaged or cut short: {of} could be read"
        if damaged := self._decoder.damaged:
            places = "1 damaged place was" if damaged == 1 else f"{damaged} damaged places were"
            self.remark = f"{self.name}: {places} concealed or skipped"
