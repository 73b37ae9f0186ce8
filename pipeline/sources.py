"""Where frames come from: a camera, a video file, a picture, a folder of pictures, a network stream.

    with open_source("street.mp4") as source:
        for frame in source:
            ...
    if source.complaint:  # what could not be read, in one line
        ...

A source that yields nothing at all raises SourceError. Once frames have come, what was processed is worth
keeping: iteration then simply ends (or leaves a picture out), and `complaint` says what was lost.
"""

from __future__ import annotations

import math
import re
import stat
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.photos import MAX_PIXELS, PHOTO_SUFFIXES, is_photo, list_photos, read_photo
from pipeline.quiet import quiet_opencv
from pipeline.types import Frame, Image

NETWORK_SCHEMES = frozenset({"http", "https", "rtmp", "rtsp", "rtsps", "udp"})
TIMEOUT_SECONDS = 10.0  # to connect to a stream, and to wait for its next packet
FRAMES_TOLERANCE = 0.05  # containers estimate their length; fewer frames than this share less is a complaint


class Source(ABC):
    """An opened source. It owns what it opened; `close` it or use it in a `with` statement.

    Attributes:
        name: what people call it; a password in an address is never part of it.
        live: frames arrive whether or not anyone takes them.
        fps: nominal frames a second, where it has such a rate.
        size: `(width, height)` of the first frame in pixels; None for a folder, whose pictures vary.
        frame_count: how many frames it promises; an estimate for videos, None for live sources.
        complaint: after iteration, what could not be read, in one line; None if all is well.
    """

    def __init__(
        self,
        name: str,
        *,
        live: bool = False,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
        frame_count: int | None = None,
    ) -> None:
        self.name = name
        self.live = live
        self.fps = fps
        self.size = size
        self.frame_count = frame_count
        self.complaint: str | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:  # noqa: B027 (pictures hold nothing open)
        """Let go of the camera, file or connection. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(
    spec: str,
    *,
    camera_size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    patience: float = 30.0,
    report: Callable[[str], None] | None = None,
) -> Source:
    """Open what `spec` names and make sure that a first frame can be had.

    Args:
        spec: a camera's index (`0`, or `/dev/video0`), a video file, a picture, a folder of pictures, or an
            address (`rtsp://`, `http://`, `https://`, ...). A file whose name is a number is `./0`.
        camera_size: `(width, height)` to ask a camera for; it may answer with another.
        max_pixels: pictures with more pixels are refused (JPEGs: reduced).
        patience: how many seconds to try to get a lost network stream back.
        report: called with one line whenever a lost stream is tried again.

    Raises:
        SourceError: no such thing, or no frame could be read from it.
    """
    quiet_opencv()
    if camera := re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", spec.strip()):
        return _open_camera(int(camera[1]), camera_size)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", spec)
    if scheme and scheme[1].lower() != "file":
        return _open_address(spec, scheme[1].lower(), patience, report or (lambda line: None))
    path = Path(unquote(spec[len("file://") :]) if scheme else spec).expanduser()
    if _kind_of(path) == "folder":
        return Photos(path, max_pixels)
    return Photo(path, max_pixels) if is_photo(path) else _open_video(path)


class Video(Source):
    """Frames out of an OpenCV capture: a video file, a camera or a stream."""

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], cv2.VideoCapture],
        failure: str,
        *,
        always_live: bool,
        patience: float = 0.0,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Open the capture and read its first frame; SourceError with the text `failure` if there is none."""
        self._open_capture = open_capture
        self._patience, self._report = patience, report
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
            yield Frame(image, index, seconds, self.name)
            index += 1
            image = self._grab()
            if image is None and self.live and not self._closed.is_set():
                image = self._reconnect(index)
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
        return np.asarray(image, np.uint8) if ok else None

    def _reconnect(self, frames: int) -> Image | None:
        """Try to get a lost stream back, waiting 1, 2, 4, 4, ... seconds before each attempt."""
        lost, pause = time.monotonic(), 1.0
        while time.monotonic() - lost + pause <= self._patience:
            self._report(f"{self.name} was lost after {frames} frames; trying again in {pause:.0f} s")
            if self._closed.wait(pause):
                return None
            with self._reading:
                self._capture.release()
                self._capture = self._open_capture()
            if (image := self._grab()) is not None:
                self._report(f"{self.name} is back")
                return image
            pause = min(2 * pause, 4.0)
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


class Photo(Source):
    """One picture. It is read at once, so that a bad one fails before anything else is begun."""

    def __init__(self, path: Path, max_pixels: int = MAX_PIXELS) -> None:
        self._image = read_photo(path, max_pixels)
        super().__init__(path.name, size=(self._image.shape[1], self._image.shape[0]), frame_count=1)

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(self._image, 0, 0.0, self.name)


class Photos(Source):
    """The pictures of a folder as a slow film, one a second.

    `Frame.source` names the picture: with a folder `party`, `party/2.jpg`.
    """

    def __init__(self, folder: Path, max_pixels: int = MAX_PIXELS) -> None:
        self._paths, self._max_pixels = list_photos(folder), max_pixels
        if not self._paths:
            kinds = ", ".join(sorted(PHOTO_SUFFIXES))
            raise SourceError(f"{folder} holds no pictures ({kinds}); folders inside it are not searched")
        super().__init__(folder.resolve().name, frame_count=len(self._paths))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures that can be read.

        Raises:
            SourceError: none of them can.
        """
        errors: list[SourceError] = []
        for index, path in enumerate(self._paths):
            try:
                image = read_photo(path, self._max_pixels)
            except SourceError as error:
                errors.append(error)
                continue
            yield Frame(image, index, float(index), f"{self.name}/{path.name}")
        if not errors:
            return
        if len(errors) == len(self._paths):
            raise SourceError(f"none of the {len(errors)} pictures can be read; the first: {errors[0]}")
        self.complaint = f"{len(errors)} of {len(self._paths)} pictures left out; the first: {errors[0]}"


def shown_address(url: str) -> str:
    """`url` without what may be secret: `rtsp://***@host/path?***`."""
    scheme, _, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    if re.search("[/?#]", login):  # is it the password that has these, or the path an @? Hide both.
        return f"{scheme}://***"
    place, question, _ = place.partition("?")
    return f"{scheme}://{'***@' if at else ''}{place}{'?***' if question else ''}"


def _open_camera(index: int, size: tuple[int, int] | None) -> Video:
    def capture() -> cv2.VideoCapture:
        camera = cv2.VideoCapture(index)
        if size and camera.isOpened():
            camera.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            camera.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        return camera

    failure = f"camera {index} cannot be opened; is it plugged in, allowed, and not used by another program?"
    return Video(f"camera {index}", capture, failure, always_live=True)


def _open_address(url: str, scheme: str, patience: float, report: Callable[[str], None]) -> Video:
    name = shown_address(url)
    if scheme not in NETWORK_SCHEMES:
        known = ", ".join(f"{each}://" for each in sorted(NETWORK_SCHEMES))
        raise SourceError(f"{name}: {scheme}:// is not an address that can be opened here ({known})")
    milliseconds = int(TIMEOUT_SECONDS * 1000)
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
    return Video(
        name,
        lambda: cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts),
        f"{name} cannot be opened; check the address, the login and that the server is running",
        always_live=not scheme.startswith("http"),  # http may well serve a whole file
        patience=patience,
        report=report,
    )


def _open_video(path: Path) -> Video:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if empty:
        raise SourceError(f"{path} is empty (0 bytes); copy it again")
    # The absolute path, because FFmpeg takes `a:b.mp4` for an address. FFmpeg by name, because OpenCV's other
    # backends take `img_01.x` for the first of a numbered series.
    resolved = str(path.resolve())
    failure = f"{path} is not a video or picture that can be read, or it is damaged; try playing it elsewhere"
    return Video(path.name, lambda: cv2.VideoCapture(resolved, cv2.CAP_FFMPEG), failure, always_live=False)


def _kind_of(path: Path) -> str:
    """`folder` or `file`; SourceError for what does not exist, may not be read or is neither."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist; give a file, folder, camera number or address") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise SourceError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    raise SourceError(f"{path} is neither a file nor a folder")  # a pipe would block for ever
