"""The sound of a film as it is stored, on the clock of the film's pictures.

Where the container's clock jumps, pictures go on from where they were (`sources.clock`), and the sound goes
with them: it is heard with the pictures that are stored beside it. What fits nowhere is left out and counted.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.errors import SourceError
from pipeline.sources.clock import BROADCAST_GAP, GAP, MediaClock
from pipeline.sources.decoder import clock_jumps, video_of
from pipeline.sources.files import opened

_OVERLAP = 0.1  # seconds by which a packet may begin before the end of the one before it
_WAITING = 4096  # packets that wait for the pictures to make the same jump
WORTH_SAYING = 0.5  # seconds that are missing
_FIRST = 8  # packets by which it is found out whether an output can carry the sound
_SOON = 10.0  # seconds within which they are looked for


class Sound:
    """The packets of the first sound track of a file, in order, as they are needed.

    Attributes:
        stream: the track; None if there is none.
    """

    def __init__(self, path: Path, begins: float | None = None) -> None:
        """Open the file. What has no sound, or cannot be read, is silent.

        Args:
            begins: what the container's clock shows at second 0; its first picture's if None.
        """
        self.stream: AudioStream | None = None
        self._left_out = 0.0  # seconds
        self._packets: Iterator[Packet[Any]] = iter(())
        self._container: InputContainer | None = None
        self._due: deque[tuple[Packet[AudioStream], float]] = deque()
        self._waiting: deque[Packet[AudioStream]] = deque()
        self._now, self._end = 0.0, -math.inf  # seconds of the pictures read so far, and of the sound
        self._zeros: tuple[float, ...] = ()  # of the pictures' clock: the newest, and the one before it
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                self._container = opened(file)
            finally:
                os.close(file)
            self._begin(self._container, begins)
        except (av.error.FFmpegError, OSError, SourceError):
            self.close()  # frames could be read of it; that there is no sound must not end the run

    @property
    def left_out(self) -> float:
        """Seconds of sound so far that fit nowhere on the pictures' clock."""
        return self._left_out + sum(map(_length, self._waiting))

    def beginning(self) -> list[Packet[AudioStream]]:
        """The first packets, which stay to be taken; none where the sound begins late, or never."""
        while len(self._due) < _FIRST and self._now < _SOON and self._read():
            pass
        return [packet for packet, _ in islice(self._due, _FIRST)]

    def until(self, seconds: float) -> Iterator[tuple[Packet[AudioStream], float]]:
        """The packets that begin before `seconds` and were not taken yet, each with its second."""
        while True:
            while self._due:
                if self._due[0][1] > seconds:
                    return
                yield self._due.popleft()
            if not self._read():
                return

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._container is not None:
            self._container.close()
            self._container = None
        self.stream, self._packets = None, iter(())

    def _begin(self, container: InputContainer, begins: float | None) -> None:
        video: VideoStream = video_of(container)
        for audio in container.streams.audio[:1]:
            self.stream, self._packets = audio, container.demux(audio, video)
        if begins is None and video.start_time is not None and video.time_base is not None:
            begins = float(video.start_time * video.time_base)
        rate = video.guessed_rate or video.average_rate
        self._longest = BROADCAST_GAP if clock_jumps(container) else GAP
        self._clock = MediaClock(1 / float(rate or 25), self._longest)
        self._starts, self._lead = begins, math.nan

    def _read(self) -> bool:
        """Read one packet; False at the end, which comes earlier where the sound is damaged."""
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError:
            packet = None
        if packet is None:
            return False
        if packet.pts is None and packet.dts is None:
            return True
        if isinstance(packet.stream, VideoStream):
            self._follow(_time(packet, packet.pts if packet.dts is None else packet.dts))
        elif not self._place(packet):
            self._waiting.append(packet)
            if len(self._waiting) > _WAITING:
                self._left_out += _length(self._waiting.popleft())
        return True

    def _follow(self, shown: float) -> None:
        """Take in what the container's clock shows at a picture, in the order in which they are decoded."""
        if not self._zeros:
            self._lead = (shown if self._starts is None else self._starts) - shown
        self._now = self._clock.read(shown)
        zero = self._clock.zero
        if self._zeros and zero == self._zeros[0]:
            return
        self._zeros = (zero, *self._zeros[:1])
        waiting, self._waiting = self._waiting, deque()
        self._left_out += sum(_length(packet) for packet in waiting if not self._place(packet))

    def _place(self, packet: Packet[AudioStream]) -> bool:
        """Find the second of a packet by the clock of the pictures beside it; whether there is one."""
        shown = _time(packet, packet.dts if packet.pts is None else packet.pts)
        seconds = [shown - zero - self._lead for zero in self._zeros]
        fit = [at for at in seconds if self._end - _OVERLAP <= at <= self._now + self._longest]
        if not fit:
            return False
        at = fit[0] if self._end == -math.inf else min(fit, key=lambda each: abs(each - self._end))
        self._end = at + _length(packet)
        self._due.append((packet, at))
        return True


def _time(packet: Packet[Any], ticks: int | None) -> float:
    assert ticks is not None
    return float(ticks * packet.time_base)


def _length(packet: Packet[Any]) -> float:
    """Seconds that a packet lasts."""
    return float((packet.duration or 0) * packet.time_base)
