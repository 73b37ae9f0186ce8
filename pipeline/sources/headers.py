"""What a picture file says of itself in its first bytes: its kind and its size."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from pipeline.sources import heic

# JPEG start-of-frame markers: every SOFn, without DHT (C4), JPG (C8) and DAC (CC), which share the range.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SEQUENTIAL = frozenset({0xC0, 0xC1})
_TIFF, _BIG_TIFF = (b"II*\0", b"MM\0*"), (b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_XL = b"\0\0\0\x0cJXL \r\n\x87\n"  # its container
_JPEG_2000 = b"\0\0\0\x0cjP  \r\n"


class Header(NamedTuple):
    """What a picture file says of itself: size in pixels before EXIF rotation."""

    kind: str
    width: int
    height: int
    reducible: bool = False  # can be decoded at a half, quarter or eighth without the memory of the whole


def read_header(data: bytes) -> Header | None:
    """Kind and size of the picture whose file starts with `data`; None if it is none that is known."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_header(data)
        if data.startswith(_PNG):
            return Header("png", *struct.unpack_from(">II", data, 16))
        if data.startswith((b"GIF87a", b"GIF89a")):
            return Header("gif", *struct.unpack_from("<HH", data, 6))
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return Header("bmp", abs(width), abs(height))  # a negative height means top row first
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_header(data)
        if data.startswith(_TIFF):
            return _tiff_header(data)
        if data.startswith(_BIG_TIFF):
            return _tiff_header(data, big=True)
        if data.startswith((b"\xff\x0a", _JPEG_XL)):
            return _jpeg_xl_header(data)
        if data.startswith(_JPEG_2000):
            height, width = struct.unpack_from(">II", data, data.index(b"ihdr") + 4)
            return Header("jpeg 2000", width, height)
        if data[4:8] == b"ftyp" and (kind := _iso_kind(data)):
            # `ispe` boxes give the size of each item, thumbnails and grid tiles included: the largest counts.
            sizes = [struct.unpack_from(">II", data, match.end() + 4) for match in re.finditer(b"ispe", data)]
            return Header(kind, *max(sizes)) if sizes else None
        if found := re.match(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s", data):
            return Header("pnm", int(found[1]), int(found[2]))
    except (struct.error, ValueError, IndexError):
        pass  # the header ends too early
    return None


def only_pictures_begin_so(data: bytes) -> bool:
    """Whether no film begins with `data`, wherever a picture that does says its size."""
    if data.startswith(_JPEG_2000):
        return data[20:23] in (b"jp2", b"jpx")  # films of such pictures have the same first box
    return data.startswith((_PNG, *_TIFF, *_BIG_TIFF, _JPEG_XL))


def may_be_a_picture(data: bytes) -> bool:
    """Whether some pictures begin with `data` that say their size further on; films may begin so, too."""
    try:
        return data.startswith(b"\xff\xd8\xff") or (data[4:8] == b"ftyp" and _iso_kind(data) is not None)
    except struct.error:
        return False


def _jpeg_xl_header(data: bytes) -> Header | None:
    """Of a JPEG XL, bare or in its container (ISO/IEC 18181-1, section D.2, and 18181-2)."""
    code = data if data.startswith(b"\xff\x0a") else _jpeg_xl_code(data)
    if not code.startswith(b"\xff\x0a"):
        return None
    bits, at = int.from_bytes(code[2:14], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        if at > 8 * len(code[2:14]):
            raise ValueError("the header ends too early")
        return bits >> (at - count) & ((1 << count) - 1)

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)  # of width to height, where it is a common one
    across, down = ((0, 0), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio]
    width = height * across // down if ratio else side()
    return Header("jpeg xl", width, height)


def _jpeg_xl_code(data: bytes) -> bytes:
    """The code stream's beginning in a container's first `jxlc` or `jxlp` box; raises as `struct` does."""
    at = 0
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        first = at + 8
        if length == 1:
            length = struct.unpack_from(">Q", data, first)[0]
            first += 8
        if kind in (b"jxlc", b"jxlp"):  # the latter begins with its number
            first += 4 if kind == b"jxlp" else 0
            return data[first : first + 64]
        if length < 8:  # it reaches to the end of the file, or is none
            return b""
        at += length


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


def _iso_kind(data: bytes) -> str | None:
    """AVIF or HEIC, by the brands of the file; None for films."""
    end = min(struct.unpack_from(">I", data)[0], 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if brands & {b"avif", b"avis"}:
        return "avif"
    return "heic" if data[8:12] in heic.BRANDS else None


def _tiff_header(data: bytes, big: bool = False) -> Header | None:
    """Of a TIFF, or of a BigTIFF, whose counts and places have eight bytes."""
    order = "<" if data.startswith(b"II") else ">"
    place, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    directory = struct.unpack_from(order + place, data, 8 if big else 4)[0]
    first = directory + struct.calcsize(order + count)
    found: dict[int, int] = {}
    for i in range(min(struct.unpack_from(order + count, data, directory)[0], 4096)):
        at = first + entry * i
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in (256, 257, 339):  # ImageWidth, ImageLength, SampleFormat: SHORT or LONG
            value = at + (12 if big else 8)
            if tag == 339 and struct.unpack_from(order + place, data, at + 4)[0] > (4 if big else 2):
                value = struct.unpack_from(order + place, data, value)[0]
            found[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, value)[0]
    if not {256, 257} <= set(found):
        return None
    return Header("float tiff" if found.get(339) == 3 else "tiff", found[256], found[257])
