"""Where the last cluster of a Matroska or WebM file begins, by the file's own structure.

Such a file says how long it is in a number of its own, which some programs write wrongly; a file that was
cut short keeps that number. The structure tells the two apart: a file whose elements follow each other
without a gap up to the end that the segment declares holds all that was written (RFC 9559; the elements' form
is RFC 8794).
"""

from __future__ import annotations

import os
import stat

_EBML, _SEGMENT, _INFO, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1F43B675
_SCALE, _TIMESTAMP = 0x2AD7B1, 0xE7
# What may stand in a segment: besides these two a head for seeking, tracks, chapters, attachments, cues,
# tags, and room left free.
_KNOWN = {_INFO, _CLUSTER, 0x114D9B74, 0x1654AE6B, 0x1043A770, 0x1941A469, 0x1C53BB6B, 0x1254C367, 0xEC, 0xBF}
# What may stand in a cluster: its time, place and the size of the one before, blocks alone and in groups.
_BLOCKS = {_TIMESTAMP, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0xEC, 0xBF}
_HEAD = 12  # bytes of the longest name and size
_MOST = 200_000  # elements in a segment: one each second for two days


def last_cluster(file: int) -> float | None:
    """Seconds at which the last cluster of a whole file begins; None of what is not known to be whole.

    A file whose last cluster is damaged is not: what stood behind the damage cannot be found.

    Args:
        file: a descriptor; where it stands does not matter, and stays.
    """
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        return None
    try:
        return _walk(file, about.st_size)
    except (ValueError, OSError):
        return None


def _walk(file: int, size: int) -> float | None:
    name, first, length = _element(file, 0)
    if name != _EBML or length is None:
        return None
    name, at, length = _element(file, first + length)
    # Without a length it was written to where nobody could go back: its end is not declared.
    if name != _SEGMENT or length is None or at + length > size:
        return None
    end, scale, latest, blocks = at + length, 1_000_000, None, (0, 0)
    for _ in range(_MOST):
        if at == end:
            return None if latest is None or not _follow(file, *blocks) else latest * scale / 1e9
        name, first, length = _element(file, at)
        if name not in _KNOWN or length is None or first + length > end:
            return None
        if name == _INFO:
            scale = _number(file, first, first + length, _SCALE) or scale
        elif name == _CLUSTER:
            latest, blocks = _number(file, first, first + length, _TIMESTAMP), (first, first + length)
        at = first + length
    return None


def _follow(file: int, at: int, end: int) -> bool:
    """Whether the blocks of a cluster follow each other up to its end."""
    while at < end:
        name, first, length = _element(file, at)
        if name not in _BLOCKS or length is None:
            return False
        at = first + length
    return at == end


def _element(file: int, at: int) -> tuple[int, int, int | None]:
    """Name of the element at a place, where its content begins, and how long it is; None if it does not say.

    Raises:
        ValueError: there is none.
    """
    head = os.pread(file, _HEAD, at)
    name_bytes = _width(head[:1], 4)
    size_bytes = _width(head[name_bytes : name_bytes + 1], 8)
    first = name_bytes + size_bytes
    if len(head) < first:
        raise ValueError("an element is cut short")
    mask = (1 << 7 * size_bytes) - 1
    length = int.from_bytes(head[name_bytes:first], "big") & mask
    return int.from_bytes(head[:name_bytes], "big"), at + first, None if length == mask else length


def _width(first: bytes, most: int) -> int:
    """How many bytes a number has, which its first one tells."""
    width = 9 - first[0].bit_length() if first else 9
    if width > most:
        raise ValueError("no element")
    return width


def _number(file: int, at: int, end: int, wanted: int) -> int | None:
    """A number among the first elements between two places."""
    while at < end:
        name, first, length = _element(file, at)
        if name == wanted and length is not None and length <= 8:
            return int.from_bytes(os.pread(file, length, first), "big")
        if length is None:
            return None
        at = first + length
    return None
