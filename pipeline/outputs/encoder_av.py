"""H.264 and the input's sound through PyAV.

Frames keep the times they were taken at, so a live camera that drops frames plays at its true speed.
"""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.video.stream import VideoStream

from pipeline.outputs.encoding import EncodingError
from pipeline.outputs.sound import WORTH_SAYING, Sound
from pipeline.types import Image

# Measured against the alternatives in docs/experiments.md: twice as fast as mp4v, as small, and sharper.
PRESET, QUALITY = "ultrafast", "23"
CLOCK = 90_000  # ticks a second; every usual frame rate is a whole number of them
# What these containers can carry as it is; other sound is left out.
SOUNDS = {
    "mp4": frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}),
    "mov": frozenset({"aac", "ac3", "alac", "eac3", "mp3", "pcm_s16le", "pcm_s24le"}),
}
ROOM = 64 << 20  # bytes that a copy has to leave free
# A fragment each second (in microseconds), written out at once and not when a buffer is full.
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000", "flush_packets": "1"}
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
        options = _FRAGMENTS if self._fragments else {}
        try:
            self._container = av.open(str(path), "w", format=kind, options=options)
        except (av.error.FFmpegError, OSError) as error:
            raise EncodingError(str(error)) from error
        rate = Fraction(fps).limit_denominator(1001)
        self._stream: VideoStream = self._container.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = Fraction(1, CLOCK)
        context.options = {"preset": PRESET, "crf": QUALITY}
        context.colorspace, context.color_range = 5, 1  # BT.601, limited: what cv2.cvtColor makes
        self._sound = Sound(sound, SOUNDS.get(kind), begins) if sound is not None else None
        self._target = self._sound.join(self._container) if self._sound is not None else None
        self._start: float | None = None
        self._ticks, self._heard = -1, -1

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
            raise EncodingError(str(error)) from error

    @property
    def lost(self) -> str | None:
        if self._sound is None:
            return None
        if self._sound.refused is not None:
            return f"its sound ({self._sound.refused}) has no place in this kind of file; .mkv takes it"
        if self._sound.left_out < WORTH_SAYING:
            return None
        return f"{self._sound.left_out:.1f} s of its sound did not fit the clock of the pictures"

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            if self._fragments:
                _make_whole(self._path)
        except (av.error.FFmpegError, OSError) as error:
            raise EncodingError(str(error)) from error
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
