"""Reading single pictures, and finding them in a folder.

The dimensions are read from the file's header before anything is decoded, so that a picture of gigabytes is
refused (or, as a JPEG, decoded at a fraction of its size) instead of being tried.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.sources import heic
from pipeline.sources.motion_jpeg import is_motion_jpeg
from pipeline.sources.quiet import quiet_opencv
from pipeline.types import Image

PHOTO_SUFFIXES = frozenset(
    {
        *(".avif", ".bmp", ".heic", ".heif", ".jp2", ".jpe", ".jpeg", ".jpg"),
        *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30  # no sane picture of MAX_PIXELS is larger

# JPEG start-of-frame markers: every SOFn, without DHT (C4), JPG (C8) and DAC (CC), which share the range.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SEQUENTIAL = frozenset({0xC0, 0xC1})
_JPEG_REDUCTIONS = (
    (1, cv2.IMREAD_COLOR),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (8, cv2.IMREAD_REDUCED_COLOR_8),
)


class Header(NamedTuple):
    """What a picture file says of itself: size in pixels before EXIF rotation."""

    kind: str
    width: int
    height: int
    reducible: bool = False  # can be decoded at a half, quarter or eighth without the memory of the whole


def read_photo(path: str | Path, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture as `(height, width, 3)` uint8 BGR, upright by its EXIF orientation.

    Grey, 16-bit and transparent pictures become plain 8-bit colour. A JPEG of more than `max_pixels` is
    decoded at a half, a quarter or an eighth of its size, whichever is the largest that fits.

    Raises:
        SourceError: no such file, not readable, empty, not a picture, damaged, or too many pixels.
    """
    path = Path(path)
    data = _read_bytes(path)
    header = read_header(data)
    if header is None:
        raise SourceError(f"{path} is not a picture of a kind that can be read here (JPEG, PNG, WebP, ...)")
    if header.kind == "png" and b"IEND" not in data:
        raise SourceError(f"{path} is cut short; copy it again")  # libpng would also print a line of its own
    flag = _decoding(path, header, max_pixels)
    if header.kind == "heic":
        return np.ascontiguousarray(heic.decode(data, str(path)))
    quiet_opencv()
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise SourceError(f"{path} cannot be decoded: {_reason(error)}") from error
    if image is None:
        raise SourceError(f"{path} is damaged or cut short; open it in an image viewer, or copy it again")
    return np.ascontiguousarray(image)


def list_photos(folder: str | Path) -> list[Path]:
    """The pictures directly inside `folder` by file suffix, in natural order (`2.jpg` before `10.jpg`).

    Hidden files are left out. Raises SourceError where the folder cannot be listed.
    """
    try:
        entries = [entry for entry in Path(folder).iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"cannot list {folder}: {error.strerror}") from error
    photos = [entry for entry in entries if entry.suffix.lower() in PHOTO_SUFFIXES and entry.is_file()]
    return sorted(photos, key=_natural)


def is_photo(path: str | Path) -> bool:
    """Whether `path` should be opened as a picture: by its first bytes, never by its suffix.

    A GIF and an AVIF of several pictures are films, and so are JPEGs one after the other in one file.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(1 << 18)
        header = read_header(head)
        if header is None or header.kind == "gif" or head[4:12] == b"ftypavis":
            return False
        return header.kind != "jpeg" or not is_motion_jpeg(Path(path))
    except OSError:
        return False


def read_header(data: bytes) -> Header | None:
    """Kind and size of the picture whose file starts with `data`; None if it is none that is known."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_header(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return Header("png", *struct.unpack_from(">II", data, 16))
        if data.startswith((b"GIF87a", b"GIF89a")):
            return Header("gif", *struct.unpack_from("<HH", data, 6))
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return Header("bmp", abs(width), abs(height))  # a negative height means top row first
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_header(data)
        if data.startswith((b"II*\0", b"MM\0*")):
            return _tiff_header(data)
        if data.startswith(b"\0\0\0\x0cjP  \r\n"):
            height, width = struct.unpack_from(">II", data, data.index(b"ihdr") + 4)
            return Header("jpeg 2000", width, height)
        if data[4:8] == b"ftyp" and data[8:12] in {b"avif", b"avis", *heic.BRANDS}:
            # `ispe` boxes give the size of each item, thumbnails and grid tiles included: the largest counts.
            sizes = [struct.unpack_from(">II", data, match.end() + 4) for match in re.finditer(b"ispe", data)]
            kind = "avif" if data[8:12] in (b"avif", b"avis") else "heic"
            return Header(kind, *max(sizes)) if sizes else None
        if found := re.match(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s", data):
            return Header("pnm", int(found[1]), int(found[2]))
    except (struct.error, ValueError, IndexError):
        pass  # the header ends too early
    return None


def _jpeg_header(data: bytes) -> Header | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # padding, and markers without length
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            # A progressive file is held whole in memory as coefficients, however small the result.
            return Header("jpeg", width, height, reducible=marker in _JPEG_SEQUENTIAL)
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _webp_header(data: bytes) -> Header | None:
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return Header("webp", width & 0x3FFF, height & 0x3FFF)
        case b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            return Header("webp", width, int.from_bytes(data[27:30], "little") + 1)
    return None


def _tiff_header(data: bytes) -> Header | None:
    order = "<" if data.startswith(b"II") else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    size: dict[int, int] = {}
    for i in range(struct.unpack_from(order + "H", data, directory)[0]):
        at = directory + 2 + 12 * i
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in (256, 257):  # ImageWidth, ImageLength: SHORT or LONG
            size[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
    return Header("tiff", size[256], size[257]) if len(size) == 2 else None


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
