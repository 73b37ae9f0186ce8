"""Reading single pictures, and finding them in a folder.

The dimensions are read from the file's header before anything is decoded, so that a picture of gigabytes is
refused (or, as a JPEG, decoded at a fraction of its size) instead of being tried.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.sources import other_kinds
from pipeline.sources.headers import Header, may_be_a_picture, only_pictures_begin_so, read_header
from pipeline.sources.motion_jpeg import is_motion_jpeg
from pipeline.sources.quiet import quiet_opencv
from pipeline.types import Image

PHOTO_SUFFIXES = frozenset(
    {".avif", ".bmp", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jxl", ".mpo", ".pgm"}
    | {".png", ".ppm", ".tif", ".tiff", ".webp"}
)
# How Matroska, MPEG, Ogg and films of JPEGs begin.
_FILMS = (b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"OggS", b"\xff\xd8\xff")
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30  # no sane picture of MAX_PIXELS is larger
_HEAD = 1 << 18  # bytes in which nearly all pictures say their size
_FURTHER = 32 << 20  # bytes of previews, maps and edits that a JPEG or HEIC may hold before it does

_JPEG_REDUCTIONS = (
    (1, cv2.IMREAD_COLOR),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (8, cv2.IMREAD_REDUCED_COLOR_8),
)


def read_photo(path: str | Path, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture as `(height, width, 3)` uint8 BGR, upright by its EXIF orientation.

    Grey, 16-bit, floating-point and transparent pictures become plain 8-bit colour; of several pictures in
    one file the first is read. AVIF and HEIC are upright by what they say of their own turn. A JPEG of more
    than `max_pixels` is decoded at a half, a quarter or an eighth of its size, whichever is the largest that
    fits.

    Raises:
        SourceError: no such file, not readable, empty, not a picture, damaged, or too many pixels.
    """
    path = Path(path)
    return decode_photo(_read_bytes(path), path, max_pixels)


def read_plain(path: Path) -> Image | None:
    """A picture as OpenCV reads it, (h, w, 3) BGR; None where it cannot.

    OpenCV itself ends in a segmentation fault at a name that is not UTF-8, and never sees one here.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if image is None else image.astype(np.uint8, copy=False)


def decode_photo(data: bytes, path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """As `read_photo`, of a file that is in memory; `path` is what to call it.

    Raises:
        SourceError: empty, not a picture, damaged, or too many pixels.
    """
    if not data:
        raise SourceError(f"{path} is empty (0 bytes)")
    header = read_header(data)
    if header is None and only_pictures_begin_so(data):
        raise SourceError(f"{path} is damaged or cut short; open it in an image viewer, or copy it again")
    if header is None:
        raise SourceError(f"{path} is not a picture of a kind that can be read here (JPEG, PNG, WebP, ...)")
    if header.kind in other_kinds.DECODERS:
        _decoding(path, header, max_pixels)
        return other_kinds.decode(path, data, header.kind)
    if header.kind == "png" and b"IEND" not in data:
        raise SourceError(f"{path} is cut short; copy it again")  # libpng would also print a line of its own
    flag = _decoding(path, header, max_pixels)
    quiet_opencv()
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise SourceError(f"{path} cannot be decoded: {_reason(error)}") from error
    if image is None:
        raise SourceError(f"{path} is damaged or cut short; open it in an image viewer, or copy it again")
    return np.ascontiguousarray(image)


def unused(folder: str | Path) -> list[tuple[Path, str]]:
    """What is directly inside `folder` and not among `list_photos`, each with the reason; no hidden files.

    Raises:
        SourceError: the folder cannot be listed.
    """
    photos = set(list_photos(folder))
    others = sorted((each for each in Path(folder).iterdir() if each not in photos), key=_natural)
    return [(each, _why_unused(each)) for each in others if not each.name.startswith(".")]


def _why_unused(path: Path) -> str:
    if path.is_dir():
        return "a folder inside it, which is not searched; give it by itself"
    if not path.is_file():
        return "no file"
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not head:
        return "empty (0 bytes)"
    film = head[4:8] == b"ftyp" or head.startswith(
        (b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"OggS", b"\xff\xd8\xff")
    )
    if film or (head.startswith(b"RIFF") and head[8:12] == b"AVI "):
        return "a film; enroll it with --video"
    return "not a picture of a kind that can be read here"


def list_photos(folder: str | Path) -> list[Path]:
    """The pictures directly inside `folder`, in natural order (`2.jpg` before `10.jpg`).

    What has the suffix of a picture, and whatever else has the content of one. Hidden files are left out.

    Raises:
        SourceError: the folder cannot be listed.
    """
    try:
        entries = [entry for entry in Path(folder).iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"cannot list {folder}: {error.strerror}") from error
    photos = [entry for entry in entries if entry.is_file() and _belongs(entry)]
    return sorted(photos, key=_natural)


def is_photo(path: str | Path) -> bool:
    """Whether `path` should be opened as a picture: by its content, never by its suffix.

    A GIF and an AVIF of several pictures are films, and so are JPEGs one after the other in one file.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
            if only_pictures_begin_so(head):  # a TIFF may say its size at its very end
                return True
            header = read_header(head)
            if header is None and may_be_a_picture(head):
                header = read_header(head + file.read(_FURTHER))
        if header is None or header.kind == "gif" or head[4:12] == b"ftypavis":
            return False
        return header.kind != "jpeg" or not is_motion_jpeg(Path(path))
    except OSError:
        return False


def _belongs(path: Path) -> bool:
    """Whether a file of a folder is one of its pictures."""
    if path.suffix.lower() in PHOTO_SUFFIXES or is_photo(path):
        return True
    try:
        with path.open("rb") as file:
            return file.read(6) in (b"GIF87a", b"GIF89a")
    except OSError:
        return False


def _decoding(path: Path, header: Header, max_pixels: int) -> int:
    """The imread flag that keeps the decoded picture within `max_pixels`."""
    for divisor, flag in _JPEG_REDUCTIONS if header.reducible else _JPEG_REDUCTIONS[:1]:
        if -(-header.width // divisor) * -(-header.height // divisor) <= max_pixels:
            return int(flag)
    raise SourceError(
        f"{path} has {header.width} x {header.height} pixels, more than the {max_pixels / 1e6:.0f} million "
        "that are read here; scale it down first"
    )


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise SourceError(f"{path} is a folder, not a picture")
        if size > MAX_BYTES:
            raise SourceError(f"{path} is too large for a picture ({size / 2**30:.1f} GiB)")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if not data:
        raise SourceError(f"{path} is empty (0 bytes); copy it again")
    return data


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key with runs of digits as numbers; the plain name settles `1.jpg` against `01.jpg`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], path.name


def _reason(error: cv2.error) -> str:
    """OpenCV's own words without its file names and line numbers."""
    return " ".join(str(getattr(error, "err", "") or error).split())
