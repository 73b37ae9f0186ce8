"""H.264 and the input's sound through PyAV.

Frames keep the times they were taken at, so a live camera that drops frames plays at its true speed.
"""

from __future__ import annotations

import errno
import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from pipeline.outputs.carrying import WAYS, way, why_not
from pipeline.outputs.encoding import EncodingError
from pipeline.outputs.sound import WORTH_SAYING, Sound
from pipeline.types import Image

# Measured against the alternatives in docs/experiments.md: twice as fast as mp4v, as small, and sharper.
PRESET, QUALITY = "ultrafast", "23"
CLOCK = 90_000  # ticks a second; every usual frame rate is a whole number of them
_FULL = frozenset({errno.EDQUOT, errno.EFBIG, errno.ENOSPC})
ROOM = 64 << 20  # bytes that a copy has to leave free
_FAST = {"movflags": "+faststart"}  # plays before all has come
_FORMATS = {".m4v": "mp4", ".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}


def has_encoder() -> bool:
    """Whether this build of PyAV can write H.264."""
    return "libx264" in av.codecs_available


class AvEncoder:
    """H.264 (4:2:0, BT.601) in MP4, QuickTime or Matroska, with the sound of another file."""

    promised: int | None = None

    def __init__(
        self,
        path: Path,
        fps: float,
        size: tuple[int, int],
        sound: Path | None = None,
        begins: float | None = None,
    ) -> None:
        """Open the file; EncodingError if that fails. Sound that cannot be read is left out.

        Args:
            begins: what the clock of the film `sound` shows at second 0; its first picture's if None.
        """
        kind = _FORMATS[path.suffix.lower()]
        # In fragments, a file plays up to its last second even if this process is killed.
        self._path, self._fragments = path, kind != "matroska"
        self._sound = Sound(sound, begins) if sound is not None else None
        self._refused: str | None = None
        self._target: AudioStream | None = None
        self._start: float | None = None
        self._ticks, self._heard = -1, -1
        try:
            options = self._way(kind)
            self._container = av.open(str(path), "w", format=kind, options=options)
            self._stream = self._pictures(fps, size)
            if self._sound is not None and self._sound.stream is not None:
                self._target = self._container.add_stream_from_template(self._sound.stream)
        except (av.error.FFmpegError, OSError) as error:
            self._release()
            raise _failure(error) from error

    def _way(self, kind: str) -> dict[str, str]:
        """The options for the container; sound that it cannot carry is closed, and why is kept."""
        if self._sound is None or self._sound.stream is None:
            return WAYS[kind][0]
        begin = self._sound.beginning()
        found = way(kind, self._sound.stream, begin)
        if found is not None:
            return found
        self._refused = why_not(kind, self._sound.stream, begin)
        self._sound.close()
        return WAYS[kind][0]

    def _pictures(self, fps: float, size: tuple[int, int]) -> VideoStream:
        """The track of the pictures, with its encoder at work: what cannot be encoded fails here."""
        rate = Fraction(fps).limit_denominator(1001)
        stream: VideoStream = self._container.add_stream("libx264", rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, CLOCK)
        context.options = {"preset": PRESET, "crf": QUALITY}
        context.colorspace, context.color_range = 5, 1  # BT.601, limited: what cv2.cvtColor makes
        context.open()
        return stream

    def write(self, image: Image, seconds: float) -> None:
        if self._start is None:
            self._start = seconds
        planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        self._ticks = max(self._ticks + 1, round((seconds - self._start) * CLOCK))
        frame.pts, frame.time_base = self._ticks, Fraction(1, CLOCK)
        try:
            self._container.mux(self._stream.encode(frame))
            self._play_until(seconds)
        except (av.error.FFmpegError, OSError) as error:
            raise _failure(error) from error

    @property
    def lost(self) -> str | None:
        if self._refused is not None:
            return self._refused
        if self._sound is None or self._sound.left_out < WORTH_SAYING:
            return None
        return f"{self._sound.left_out:.1f} s of its sound did not fit the clock of the pictures"

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            if self._fragments:
                _make_whole(self._path)
        except (av.error.FFmpegError, OSError) as error:
            raise _failure(error) from error
        finally:
            self._release()

    def abandon(self) -> None:
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError):
            pass  # the file is about to be removed
        finally:
            self._release()

    def _release(self) -> None:
        if self._sound is not None:
            self._sound.close()
            self._sound = None

    def _play_until(self, seconds: float) -> None:
        """Copy the sound up to this time on the source's clock."""
        if self._sound is None or self._target is None:
            return
        assert self._start is not None
        for packet, at in self._sound.until(seconds):
            ticks = round((at - self._start) / packet.time_base)
            if ticks > self._heard:
                packet.pts = packet.dts = self._heard = ticks
                packet.stream = self._target
                self._container.mux(packet)


def _failure(error: av.error.FFmpegError | OSError) -> EncodingError:
    """What went wrong, as the encoder or the container said it."""
    said = error.log[1] if isinstance(error, av.error.FFmpegError) and error.log else None
    why = error.strerror or str(error) if said is None else said[2].strip()
    return EncodingError(why, error.errno in _FULL)


def _make_whole(path: Path) -> None:
    """Copy a fragmented file into one with its index in front, which every player and browser seeks in.

    Where there is no room for a copy the file stays as it is: it plays as well, and only seeking is slower.
    """
    if shutil.disk_usage(path.parent).free < path.stat().st_size + ROOM:
        return
    whole = path.with_name(f"{path.name}.whole")
    try:
        with (
            av.open(str(path)) as source,
            av.open(str(whole), "w", format=_FORMATS[path.suffix.lower()], options=_FAST) as target,
        ):
            copies = {each.index: target.add_stream_from_template(each) for each in source.streams}
            for packet in source.demux():
                if packet.dts is not None:  # the last ones are empty
                    packet.stream = copies[packet.stream.index]
                    target.mux(packet)
        shutil.copymode(path, whole)
        os.replace(whole, path)
    except (av.error.FFmpegError, OSError):
        whole.unlink(missing_ok=True)
