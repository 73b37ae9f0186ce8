"""Pictures out of a container, by PyAV: deinterlaced, in square pixels, upright, with their times.

A damaged spot is concealed or skipped and counted; decoding goes on behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from pipeline.errors import SourceError
from pipeline.memory import keep_what_pictures_give_back
from pipeline.sources.ahead import look_ahead
from pipeline.sources.deinterlace import Deinterlacer
from pipeline.sources.display_matrix import matrix_of
from pipeline.sources.hdr import is_hdr, tone_mapped
from pipeline.sources.shape import squared, upright
from pipeline.types import Image

LONGEST_FILM = 86_400.0  # seconds; a container that claims more is not believed
FASTEST = 1000.0  # frames a second; the same
_ONE_PLACE = 10  # packets within which what is damaged is one place
_TORN, _SOON = 4, 10.0  # packets in which a clock jumps, if it does; seconds from which on it has
_FUTILE = 64  # errors of reading one after the other, after which the rest of a file is given up
_DISCONTINUOUS = 0x200  # FFmpeg's flag of formats whose clock may jump: MPEG transport and program streams


class Picture(NamedTuple):
    """A picture and its time on the container's clock, if it has one."""

    image: Image  # (height, width, 3) uint8 BGR
    seconds: float | None


class Decoder:
    """Reads the pictures of one video. It owns the container.

    Attributes:
        fps: nominal frames a second; None where there is no sane rate.
        length: seconds that the container claims to hold; None where it does not say, or says nonsense.
        frame_count: how many pictures that should be; without a length, only if they are over in a moment.
        jumps: the clock of this kind of container may jump.
        reached: seconds of the container that were read so far, whatever they held.
        damaged: places that were concealed or skipped so far.
        broken: reading ended by an error, not by the end.
        last: seconds of the container at which its last part begins, where it is whole by its own structure.
    """

    def __init__(
        self, container: InputContainer, live: bool = False, last: float | None = None, threads: int = 0
    ) -> None:
        """
        Args:
            last: as the attribute.
            threads: that decode at most; 0 for as many as FFmpeg likes, which is one a processor.
            live: give each picture as soon as it can be had, at some cost in speed.

        Raises:
            SourceError: there is no video in it that can be decoded here. The container is closed.
        """
        self._container = container
        try:
            self._stream = video_of(container)
        except SourceError:
            container.close()
            raise
        keep_what_pictures_give_back()
        # Threads that each decode a frame hold back as many frames as there are threads.
        self._stream.thread_type = "SLICE" if live else "AUTO"
        self._stream.codec_context.thread_count = threads
        self._live = live
        self._packets: Iterator[Packet[Any]] = iter(container.demux())
        self._reformatter = VideoReformatter()
        self._deinterlacer: Deinterlacer | None = None
        self._ready: deque[Picture] = deque()
        self._ended, self._errors, self._begun = False, 0, False
        self._turn: tuple[int, int, int, int] | None = None  # how the latest key frame has to be turned
        self._begin = (container.start_time or 0) / av.time_base
        self.jumps = clock_jumps(container)
        rate = self._stream.guessed_rate or self._stream.average_rate
        self.fps = float(rate) if rate and 0 < rate <= FASTEST else None
        self.length = _length_of(container, self._stream)
        self.frame_count = self._count()
        if self.frame_count is None and not live:
            step = 1 / (self.fps or 25.0)
            self.frame_count, self._packets = look_ahead(self._packets, self._stream.index, step)
        self.reached, self.damaged, self.broken, self.last = 0.0, 0, False, last
        self._fed, self._silent = 0, 0  # packets that were decoded, and those of them since a picture came
        self._hurt = -_ONE_PLACE  # the packet at which something was damaged last
        self._torn, self._shown = 0, 0.0  # packets to wait after one with a loss; the clock at the latest

    @property
    def interlaced(self) -> bool:
        """Whether pictures so far were interlaced: what is given then depends on those before."""
        return self._deinterlacer is not None

    def go_to(self, seconds: float) -> None:
        """Read on from the latest key frame that is not after this time of the container."""
        base = self._stream.time_base
        self._container.seek(round(seconds / (base or 1)), stream=self._stream)
        self._packets = iter(self._container.demux())
        self._ready.clear()
        self._ended = self._begun = False

    @property
    def uses_hardware(self) -> bool:
        """Whether decoding is done by hardware."""
        return bool(self._stream.codec_context.is_hwaccel)

    def read(self) -> Picture | None:
        """The next picture; None at the end, or where nothing came in time."""
        while not self._ready and not self._ended:
            self._feed()
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Close the container. May be called again."""
        self._ended = True
        self._container.close()

    def is_whole(self, tolerance: float) -> bool:
        """Whether what was claimed has been read, but for this share of it."""
        if self.broken or self._silent > max(2, tolerance * self._fed):
            return False
        # The length of one that jumps is an estimate from the file itself.
        if self.length is None or self.jumps:
            return True
        # What a container says of its length may be wrong; where all of its parts were read, that is the end.
        if self.last is not None and self._begin + self.reached >= self.last:
            return True
        return self.length - self.reached <= max(2 / (self.fps or 25.0), tolerance * self.length)

    def _feed(self) -> None:
        """Read and decode one packet."""
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError:
            self._errors += 1
            if self._live or self._errors > _FUTILE:
                self.broken = True
                self._finish()
            else:  # behind a damaged spot there may be more
                self._damage()
                self._packets = iter(self._container.demux())
            return
        if packet is None:
            self._finish()
            return
        if packet.size:
            self._errors = 0
            self._note(packet)
        if packet.stream.index == self._stream.index:
            self._decode(packet)

    def _decode(self, packet: Packet[Any] | None) -> None:
        """Decode a packet; None for what the decoder holds back at the end."""
        if packet is not None and packet.size and not packet.is_discard:
            self._fed, self._silent = self._fed + 1, self._silent + 1
            self._notice_loss(packet)
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, MemoryError):  # a damaged stream can claim a size that cannot be had
            self._damage()
            return
        if frames:  # at the end, one for each packet that was held back
            self._silent = 0 if packet is not None and packet.size else max(0, self._silent - len(frames))
        for frame in frames:
            if frame.is_corrupt:
                self._damage()
            self._take(frame)

    def _notice_loss(self, packet: Packet[Any]) -> None:
        """Count what a container misses; where its clock jumps soon after, another film begins instead."""
        ticks = packet.pts if packet.dts is None else packet.dts
        if ticks is None or packet.time_base is None:
            return
        before, self._shown = self._shown, float(ticks * packet.time_base)
        if packet.is_corrupt:
            self._torn = _TORN
        elif self._torn:
            self._torn -= 1
            if not 0 <= self._shown - before <= _SOON:
                self._torn = 0
            elif not self._torn:
                self._damage()

    def _damage(self) -> None:
        """Count a damaged place, unless it is the one that was counted just before."""
        self.damaged += self._fed - self._hurt >= _ONE_PLACE
        self._hurt = self._fed

    def _take(self, frame: VideoFrame) -> None:
        if self._deinterlacer is None and frame.interlaced_frame:
            self._deinterlacer = Deinterlacer()
        frames = [frame] if self._deinterlacer is None else self._deinterlacer.take(frame)
        self._ready.extend(self._picture(each) for each in frames)

    def _finish(self) -> None:
        self._ended = True
        if not self._live:
            self._decode(None)
            if self._deinterlacer is not None:
                self._ready.extend(self._picture(each) for each in self._deinterlacer.rest())

    def _picture(self, frame: VideoFrame) -> Picture:
        seconds = None
        if frame.pts is not None and frame.time_base is not None:
            seconds = float(frame.pts * frame.time_base)
        if is_hdr(frame):
            image = tone_mapped(
                self._reformatter.reformat(frame, format="rgb48le", threads=1), frame.color_trc
            )
        else:
            # One thread: the others belong to the networks, and a pool of them would be made for every frame.
            flat = self._reformatter.reformat(frame, format="bgr24", threads=1)
            image = _without_a_copy(flat)
            if flat is frame:  # the decoder's own memory, from which it goes on; takers may paint on theirs
                image = image.copy()
        if frame.key_frame or not self._begun:  # asking every frame would take as long as converting it
            self._begun, self._turn = True, matrix_of(frame)
        image = upright(squared(image, self._stream.sample_aspect_ratio), self._turn)
        return Picture(np.ascontiguousarray(image), seconds)

    def _note(self, packet: Packet[Any]) -> None:
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._begin
            self.reached = max(self.reached, end)

    def _count(self) -> int | None:
        rate = self._stream.average_rate
        fps = float(rate) if rate and 0 < rate <= FASTEST else self.fps  # Matroska has no average at 1,000
        if self.length is not None and fps is not None:
            return max(1, round(self.length * fps))
        return self._stream.frames or None


def clock_jumps(container: InputContainer) -> bool:
    """Whether the clock of this kind of container may jump."""
    return bool(container.format.flags & _DISCONTINUOUS)


def video_of(container: InputContainer) -> VideoStream:
    """The video that is meant: no cover of a song, the one marked as the default, the largest.

    Raises:
        SourceError: there is none that can be decoded here.
    """
    found = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    found = [each for each in found if each.codec_context is not None]
    if not found:
        raise SourceError("it holds no video that can be decoded here")
    return max(
        found, key=lambda each: (bool(each.disposition & Disposition.default), each.width * each.height)
    )


def _length_of(container: InputContainer, stream: VideoStream) -> float | None:
    length = None if container.duration is None else container.duration / av.time_base
    rate = stream.average_rate
    if container.format.name == "avi" and stream.frames and rate:  # the length would be that of what is left
        length = float(stream.frames / rate)
    if length is None and stream.duration is not None and stream.time_base is not None:
        length = float(stream.duration * stream.time_base)
    return length if length is not None and 0 < length <= LONGEST_FILM else None


def _without_a_copy(frame: VideoFrame) -> Image:
    """The pixels of a frame in `bgr24`, (height, width, 3). They live as long as the array does."""
    plane: Any = frame.planes[0]  # a buffer, which its types do not say
    row = 3 * frame.width
    pixels: Image = np.frombuffer(plane, np.uint8)
    lines = pixels[: frame.height * plane.line_size].reshape(frame.height, -1)
    return lines[:, :row].reshape(frame.height, frame.width, 3)  # copies only where lines are padded
