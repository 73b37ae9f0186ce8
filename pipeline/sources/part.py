"""A part of a film, whose frames have the numbers and times that they have in the whole film.

    index = index_of(path)
    with open_part(path, index.part(begin, end)) as source:
        for frame in source:  # the frames from `begin` on, before `end`
            ...

Only films whose frames can be counted without decoding them can be read in parts: `index_of` says which.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av.error
from av.container import InputContainer

from pipeline.errors import SourceError
from pipeline.sources.base import Source
from pipeline.sources.clock import GAP, MediaClock
from pipeline.sources.decoder import Decoder, Picture, video_of
from pipeline.sources.files import open_file, opened
from pipeline.types import Frame, Image


@dataclass(frozen=True, slots=True)
class Part:
    """Frames of a film, from `first` on, before `end`. Times are those of the container, seconds."""

    first: int  # its number in the film
    end: int
    begin: float  # time of the first, which is a key frame
    zero: float  # time of the film's first frame
    before: float  # time of the frame before the first
    fps: float | None  # of the film
    frames: int  # of the film


@dataclass(frozen=True, slots=True)
class Index:
    """When the frames of a film are shown, by the container's clock, read without decoding one."""

    times: tuple[float, ...]  # seconds, ascending
    keys: tuple[int, ...]  # numbers of the frames from which decoding can begin
    fps: float | None

    def seconds(self) -> list[float]:
        """Of each frame, on the film's clock, which begins at 0."""
        return [0.0, *(each - self.times[0] for each in self.times[1:])]

    def part(self, first: int, end: int) -> Part:
        """The frames from a key frame on, before another."""
        before = self.times[first - 1] if first else self.times[0]
        return Part(first, end, self.times[first], self.times[0], before, self.fps, len(self.times))


def index_of(path: Path) -> Index | None:
    """The index of a film; None for one that cannot be read in parts with the same result.

    That is one whose clock jumps, whose container does not say when each frame is shown, that is cut short,
    or that is interlaced.

    Raises:
        SourceError: there is no film that can be read.
    """
    failure = f"{path} is not a video that can be read, or it is damaged; try playing it elsewhere"
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    try:
        decoder = open_file(file, path.name, failure, "", lambda line: None, threads=1)
        try:
            first = decoder.read()
            if first is None:
                raise SourceError(failure)
            if decoder.jumps or decoder.interlaced or first.seconds is None:
                return None
            fps = decoder.fps
        finally:
            decoder.close()
        os.lseek(file, 0, os.SEEK_SET)  # FFmpeg reads from where the descriptor stands
        try:
            with opened(file) as container:
                found = _packets(container)
        except av.error.FFmpegError:
            return None  # what of it can be read, a run over all of it finds out
    finally:
        os.close(file)
    if found is None:
        return None
    times = [time for time, _ in found]
    steps = [later - time for time, later in pairwise(times)]
    if not times or times[0] != first.seconds or not all(0 < step < GAP for step in steps):
        return None
    keys = tuple(number for number, (_, key) in enumerate(found) if key)
    return Index(tuple(times), keys, fps)


def open_part(path: Path, part: Part, threads: int = 0) -> FilmPart:
    """Open a part of a film; as `open_source`."""
    failure = f"{path} is not the film any more that it was, or it is damaged"
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    try:
        decoder = open_file(file, path.name, failure, "", lambda line: None, threads)
    finally:
        os.close(file)
    return FilmPart(path, decoder, part, failure)


def key_frame(path: Path, index: Index, number: int) -> Image | None:
    """A frame from which decoding can begin, `(height, width, 3)` BGR; None where it cannot be had."""
    with open_part(path, index.part(number, number + 1), threads=1) as source:
        return next((frame.image for frame in source), None)


def frames_before(path: Path, index: Index, number: int) -> tuple[Image, Image] | None:
    """A frame and the one before it, `(height, width, 3)` BGR; None where they cannot be had."""
    before = index.keys[max(0, bisect_left(index.keys, number) - 1)]
    with open_part(path, index.part(before, number + 1), threads=1) as source:
        last: Image | None = None
        for frame in source:
            if frame.index == number:
                return None if last is None or source.interlaced else (last, frame.image)
            last = frame.image
    return None


class FilmPart(Source):
    """The frames of a part of a film.

    Raises SourceError in the middle where there are other frames than the film's index says.
    """

    def __init__(self, path: Path, decoder: Decoder, part: Part, failure: str) -> None:
        self._decoder, self._part, self._failure = decoder, part, failure
        super().__init__(path.name, fps=part.fps, frame_count=part.frames)
        self.file = path
        self.repeatable = False  # what is to be read again would be the whole film

    @property
    def interlaced(self) -> bool:
        """Whether frames so far were interlaced."""
        return self._decoder.interlaced

    def __iter__(self) -> Iterator[Frame]:
        part, clock = self._part, MediaClock(1 / (self.fps or 25.0), GAP)
        if part.first:
            clock.go_on(part.zero, part.before - part.zero)
        picture: Picture | None = self._begin()
        for index in range(part.first, part.end):
            if picture is None or picture.seconds is None:
                raise SourceError(f"{self._failure}: it ends at frame {index}")
            yield Frame(picture.image, index, clock.read(picture.seconds), self.name)
            picture = self._decoder.read()

    def close(self) -> None:
        self._decoder.close()

    def _begin(self) -> Picture:
        """The first picture. A container may lead to a later one than asked for: then from further back."""
        for back in (0.0, 1.0, 10.0, self._part.begin - self._part.zero):
            self._decoder.go_to(max(self._part.zero, self._part.begin - back))
            picture = self._decoder.read()
            while picture is not None and (picture.seconds is None or picture.seconds < self._part.begin):
                picture = self._decoder.read()
            if picture is not None and picture.seconds == self._part.begin:
                return picture
        raise SourceError(f"{self._failure}: frame {self._part.first} is not where it was")


def _packets(container: InputContainer) -> list[tuple[float, bool]] | None:
    """When each frame is shown, and whether decoding can begin there; None if the container does not say."""
    stream, found = video_of(container), []
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None or packet.time_base is None or packet.is_corrupt:
            return None
        if not packet.is_discard:
            found.append((float(packet.pts * packet.time_base), bool(packet.is_keyframe)))
    return sorted(found)
