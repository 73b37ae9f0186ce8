"""Where frames come from: a camera, a video file, a picture, a folder of pictures, a network stream.

with open_source("street.mp4") as source:
    for frame in source:
        ...
if source.complaint:  # what could not be read, in one line
    ...
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import cv2

from pipeline.config import StreamSettings
from pipeline.errors import SourceError
from pipeline.sources.base import Source
from pipeline.sources.images import MAX_PIXELS, is_photo
from pipeline.sources.quiet import quiet_opencv
from pipeline.sources.stills import Photo, Photos
from pipeline.sources.streams import open_stream
from pipeline.sources.video import Video


def open_source(
    spec: str,
    *,
    camera_size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    stream: StreamSettings | None = None,
    report: Callable[[str], None] | None = None,
) -> Source:
    """Open what `spec` names and make sure that a first frame can be had.

    Args:
        spec: a camera's index (`0`, or `/dev/video0`), a video file, a picture, a folder of pictures, or an
            address (`rtsp://`, `http://`, `https://`, ...). A file whose name is a number is `./0`.
        camera_size: `(width, height)` to ask a camera for; it may answer with another.
        max_pixels: pictures with more pixels are refused (JPEGs: reduced).
        stream: timeouts and patience with network streams; the defaults if None.
        report: called with one line whenever a stream is lost, stands still, or is back.

    Raises:
        SourceError: no such thing, or no frame could be read from it.
    """
    quiet_opencv()
    if camera := re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", spec.strip()):
        return _open_camera(int(camera[1]), camera_size)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", spec)
    if scheme and scheme[1].lower() != "file":
        return open_stream(spec, scheme[1].lower(), stream or StreamSettings(), report or (lambda line: None))
    path = Path(unquote(spec[len("file://") :]) if scheme else spec).expanduser()
    if _kind_of(path) == "folder":
        return Photos(path, max_pixels)
    return Photo(path, max_pixels) if is_photo(path) else _open_video(path)


def _open_camera(index: int, size: tuple[int, int] | None) -> Video:
    def capture() -> cv2.VideoCapture:
        camera = cv2.VideoCapture(index)
        if size and camera.isOpened():
            camera.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            camera.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        return camera

    failure = f"camera {index} cannot be opened; is it plugged in, allowed, and not used by another program?"
    return Video(f"camera {index}", capture, failure, always_live=True)


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
    video = Video(path.name, lambda: cv2.VideoCapture(resolved, cv2.CAP_FFMPEG), failure, always_live=False)
    video.file = path
    return video


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
