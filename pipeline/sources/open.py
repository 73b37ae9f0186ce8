"""Where frames come from: a camera, a video file, a picture, a folder of pictures, a network stream.

with open_source("street.mp4") as source:
    for frame in source:
        ...
if source.complaint:  # what could not be read, in one line
    ...
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from pipeline.config import StreamSettings
from pipeline.errors import SourceError
from pipeline.paths import expanded
from pipeline.sources.base import Source
from pipeline.sources.cameras import Camera
from pipeline.sources.files import open_file
from pipeline.sources.film import Film
from pipeline.sources.images import MAX_PIXELS, PHOTO_SUFFIXES, is_photo
from pipeline.sources.live import Live
from pipeline.sources.quiet import quiet_opencv
from pipeline.sources.reach import Reach
from pipeline.sources.stills import Photo, Photos
from pipeline.sources.streams import open_stream


def open_source(
    spec: str,
    *,
    camera_size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    stream: StreamSettings | None = None,
    hardware: str = "",
    report: Callable[[str], None] | None = None,
    waiting: bool = False,
    reach: Reach | None = None,
    threads: int = 0,
) -> Source:
    """Open what `spec` names and make sure that a first frame can be had.

    A file is taken for what its bytes are, whatever it is called.

    Args:
        spec: a camera's index (`0`, or `/dev/video0`), a video file, a picture, a folder of pictures, a named
            pipe, `-` for standard input, or an address (`rtsp://`, `http://`, `https://`, ...). A file whose
            name is a number is `./0`.
        camera_size: `(width, height)` to ask a camera for; it may answer with another.
        max_pixels: pictures with more pixels are refused (JPEGs: reduced).
        stream: timeouts and patience with cameras and network streams; the defaults if None.
        hardware: what decodes films (see `RuntimeSettings.decoder`); the CPU if empty.
        report: called with one line whenever a camera or stream is lost or is back.
        waiting: a camera or stream that cannot be reached yet is lost from the start, instead of an error.
        reach: says where streams may be (see `reach`); None for anywhere.
        threads: that decode a film at most; 0 for as many as there are processors.

    Raises:
        UnreachableError: no frame could be read from a camera or stream.
        SourceError: no such thing, or no frame could be read from it.
    """
    quiet_opencv()
    settings, say = stream or StreamSettings(), report or (lambda line: None)
    if camera := re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", spec.strip()):
        index = int(camera[1])
        return Live(f"camera {index}", lambda: Camera(index, camera_size), settings, say, waiting)
    if spec == "-":
        return _open_film("standard input", 0, None, hardware, say, threads)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://(?:localhost(?=/))?", spec)
    if scheme and scheme[1].lower() != "file":
        return open_stream(spec, scheme[1].lower(), settings, say, waiting, reach)
    name = unquote(spec[scheme.end() :]) if scheme else spec
    if not name:  # it would be the current folder
        raise SourceError("the source is empty; give a file, folder, camera number or address")
    path = expanded(name)
    kind = _kind_of(path)
    if kind == "folder":
        return Photos(path, max_pixels)
    if kind == "file" and is_photo(path):
        return Photo(path, max_pixels)
    return _open_file(path, kind == "file", max_pixels, hardware, say, threads)


def _open_file(
    path: Path, repeatable: bool, max_pixels: int, hardware: str, report: Callable[[str], None], threads: int
) -> Source:
    """A film, or what only its suffix says is a picture."""
    try:
        file = os.open(path, os.O_RDONLY)  # of a named pipe, this waits for somebody who writes
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    try:
        if repeatable and not os.fstat(file).st_size:
            raise SourceError(f"{path} is empty (0 bytes); copy it again")
        try:
            film = _open_film(path.name, file, path if repeatable else None, hardware, report, threads)
        except SourceError:
            if repeatable and path.suffix.lower() in PHOTO_SUFFIXES:
                return Photo(path, max_pixels)  # its error says more
            raise
    finally:
        os.close(file)
    return film


def _open_film(
    name: str, file: int, path: Path | None, hardware: str, report: Callable[[str], None], threads: int
) -> Film:
    """A film from a descriptor, which may be closed afterwards; `path` where it can be read again."""
    if path is None:
        failure = f"{name} gives no video that can be read here; an MP4 has to be given by its name"
    else:
        failure = (
            f"{path} is not a video or picture that can be read, or it is damaged; try playing it elsewhere"
        )

    def opened() -> Film:
        return Film(name, open_file(file, name, failure, hardware, report, threads), failure)

    film = _while_signals_are_heard(opened) if path is None else opened()
    film.file, film.repeatable = path, path is not None
    return film


def _while_signals_are_heard(opened: Callable[[], Film]) -> Film:
    """Open a pipe in another thread: FFmpeg, while it waits for data, swallows what a signal raises."""
    found: list[Film | Exception] = []

    def attempt() -> None:
        try:
            found.append(opened())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=attempt, name="recog-open", daemon=True)  # a process may end without it
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _kind_of(path: Path) -> str:
    """`folder`, `file` or `pipe`; SourceError for what does not exist, may not be read or is none of them."""
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
    if stat.S_ISFIFO(mode):
        return "pipe"
    raise SourceError(f"{path} is neither a file nor a folder, nor a pipe")
