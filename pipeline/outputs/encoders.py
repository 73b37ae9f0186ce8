"""What turns frames into a video file: H.264 where there is an encoder, else what every OpenCV carries.

H.264 comes with PyAV, unless it was built without x264, which is under the GPL: see
docs/decisions/0011-films-are-read-with-pyav.md. Browsers play it, and it keeps the sound.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2

from pipeline.outputs.encoding import Encoder, EncodingError
from pipeline.outputs.plain_name import plain_name
from pipeline.types import Image

OPENCV_CODECS = {".avi": "MJPG", ".m4v": "mp4v", ".mkv": "XVID", ".mov": "mp4v", ".mp4": "mp4v"}
H264_SUFFIXES = frozenset({".m4v", ".mkv", ".mov", ".mp4"})
VIDEO_SUFFIXES = frozenset(OPENCV_CODECS)
_LONGEST_SIDE, _MOST_PIXELS = 65_500, 2**31 // 8  # of JPEG, and of what FFmpeg reads, each side 128 longer
LONGEST_STILL = 10.0  # seconds for which a frame is repeated at most


def open_encoder(
    path: Path, fps: float, size: tuple[int, int], sound: Path | None = None, begins: float | None = None
) -> Encoder:
    """The best encoder there is for the suffix of `path`.

    Args:
        fps: nominal frames a second.
        size: `(width, height)`, both even.
        sound: a film whose sound goes along; only H.264 files take it.
        begins: what the film's own clock shows at second 0; its first picture's if None.

    Raises:
        EncodingError: there is none for this size.
    """
    if path.suffix.lower() in H264_SUFFIXES and has_h264():
        from pipeline.outputs.encoder_av import AvEncoder

        return AvEncoder(path, fps, size, sound, begins)
    return OpenCvEncoder(path, fps, size)


def fits_motion_jpeg(size: tuple[int, int]) -> bool:
    """Whether an `.avi` of this size can be played; OpenCV writes larger ones, too."""
    return max(size) <= _LONGEST_SIDE and (size[0] + 128) * (size[1] + 128) < _MOST_PIXELS


@cache
def has_h264() -> bool:
    """Whether H.264 can be written here: PyAV is installed and was built with an encoder."""
    if find_spec("av") is None:
        return False
    from pipeline.outputs.encoder_av import has_encoder

    return has_encoder()


class OpenCvEncoder:
    """MPEG-4 or Motion JPEG at a constant rate.

    Frames that come late or early are repeated or left out, so that the file plays as fast as what it shows
    happened: the frame on show at any time is the newest, give or take half a frame's length.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        """Open the file; EncodingError if this OpenCV cannot."""
        if path.suffix.lower() == ".avi" and not fits_motion_jpeg(size):
            raise EncodingError("nothing plays it")
        self.promised: int | None = 0
        self.lost: str | None = None  # it is silent, as it is documented to be
        self._fps = fps
        self._start: float | None = None
        self._latest: Image | None = None
        codec = cv2.VideoWriter.fourcc(*OPENCV_CODECS[path.suffix.lower()])
        with plain_name(path) as name:
            self._writer = cv2.VideoWriter(name, codec, fps, size)
        if not self._writer.isOpened():
            self._writer.release()
            raise EncodingError("OpenCV opened no encoder for them")

    def write(self, image: Image, seconds: float) -> None:
        assert self.promised is not None
        if self._start is None:
            self._start = seconds
        ahead = (seconds - self._start) * self._fps - self.promised  # frames missing before this one is due
        most = LONGEST_STILL * self._fps
        if ahead > most:  # a stream that was away for an hour is not an hour of stills
            self._start += (ahead - most) / self._fps
            ahead = most
        if ahead < -1.5:
            return
        if self._latest is not None:
            for _ in range(round(ahead - 0.25)):
                self._put(self._latest)
        self._put(image)
        self._latest = image

    def close(self) -> None:
        self._writer.release()

    def abandon(self) -> None:
        self._writer.release()

    def _put(self, image: Image) -> None:
        assert self.promised is not None
        try:
            written = self._writer.write(image)  # None from OpenCV 4, which cannot tell
        except cv2.error as error:
            raise EncodingError(" ".join(str(error).split())) from error  # of several lines
        if written is False:
            raise EncodingError("OpenCV could not write a frame and did not say why; is the disk full?")
        self.promised += 1
