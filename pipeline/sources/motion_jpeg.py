"""Is a file that begins with a JPEG one picture, or a film of JPEGs one after the other?"""

from __future__ import annotations

from pathlib import Path

_SOI, _EOI, _SOS = b"\xff\xd8", 0xD9, 0xDA
_MOST = 32 << 20  # bytes of a first picture that are looked through


def is_motion_jpeg(path: Path) -> bool:
    """Whether a second picture follows the first at once, and nothing says that both are views of one photo.

    Cameras put previews and depth maps behind a photo and announce them (Multi-Picture Format, `MPF`); phones
    put a short film there, which begins otherwise.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_MOST)
    end = _end_of_picture(data)
    return end is not None and data[end : end + 3] == _SOI + b"\xff" and b"MPF\0" not in data[:end]


def _end_of_picture(data: bytes) -> int | None:
    """Where the first picture ends; None where it does not, or is none."""
    if not data.startswith(_SOI):
        return None
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == _EOI:
            return at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker != _SOS:
            continue
        while True:  # coded data: an FF in it is followed by 00, or by the number of a restart
            at = data.find(b"\xff", at)
            if at < 0 or at + 1 >= len(data):
                return None
            if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
                break
            at += 2
    return at + 2 if data[at : at + 2] == b"\xff\xd9" else None
