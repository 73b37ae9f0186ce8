"""A photograph is known as one wherever in its file it says how large it is."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.headers import only_pictures_begin_so
from pipeline.sources.images import is_photo, read_photo
from pipeline.sources.open import open_source
from pipeline.sources.stills import Photo

FAR = 1 << 18  # bytes that were once all that was looked at


def jpeg_with_much_before_its_size(segments: int, body: int = 60_000) -> bytes:
    """As phones write depth maps and edits: in segments before the frame."""
    plain = bytes(cv2.imencode(".jpg", np.full((40, 60, 3), 90, np.uint8))[1])
    segment = b"\xff\xe1" + struct.pack(">H", body + 2) + b"x" * body
    return plain[:2] + segments * segment + plain[2:]


def tiff_with_its_size_at_the_end() -> bytes:
    """As OpenCV writes them: what says the size stands behind the pixels."""
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)
    return bytes(cv2.imencode(".tiff", noise)[1])


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def jpeg_xl_with_much_before_its_pixels() -> bytes:
    signature = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return signature + box(b"Exif", bytes(2 * FAR)) + box(b"jxlc", b"\xff\x0a\x41\0" + bytes(20))


@pytest.mark.parametrize("name", ["a.jpg", "a.mjpeg", "a"])
@pytest.mark.parametrize("segments", [6, 400])
def test_a_jpeg_with_much_before_its_size_is_a_photo(tmp_path: Path, name: str, segments: int) -> None:
    path = tmp_path / name
    path.write_bytes(jpeg_with_much_before_its_size(segments))
    assert is_photo(path)
    with open_source(str(path)) as source:
        assert isinstance(source, Photo)
        assert [frame.image.shape for frame in source] == [(40, 60, 3)]


def test_such_jpegs_one_after_the_other_are_still_a_film(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with_much_before_its_size(6) * 2)
    assert not is_photo(path)


@pytest.mark.parametrize("name", ["a.tif", "a"])
def test_a_tiff_with_its_size_at_the_end_is_a_photo(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(tiff_with_its_size_at_the_end())
    assert struct.unpack_from("<I", path.read_bytes(), 4)[0] > FAR
    with open_source(str(path)) as source:
        assert isinstance(source, Photo)
        assert [frame.image.shape for frame in source] == [(400, 600, 3)]


def test_a_jpeg_xl_with_much_before_its_pixels_is_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(jpeg_xl_with_much_before_its_pixels())
    assert is_photo(path)


def test_a_heic_that_says_its_size_behind_its_pixels_is_a_photo(tmp_path: Path) -> None:
    size = box(b"ispe", struct.pack(">III", 0, 60, 40))
    path = tmp_path / "a"
    path.write_bytes(
        box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"mdat", bytes(2 * FAR)) + box(b"meta", size)
    )
    assert is_photo(path)


def test_a_tiff_that_lost_its_end_is_said_to_be_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(tiff_with_its_size_at_the_end()[:-1000])
    with pytest.raises(SourceError, match="a is damaged or cut short"):
        read_photo(path)
    with pytest.raises(SourceError, match="a is damaged or cut short"), open_source(str(path)) as source:
        list(source)


def test_a_film_of_jpeg_2000_begins_as_no_photo_does() -> None:
    signature = box(b"jP  ", b"\r\n\x87\n")
    assert only_pictures_begin_so(signature + box(b"ftyp", b"jp2 \0\0\0\0jp2 "))
    assert not only_pictures_begin_so(signature + box(b"ftyp", b"mjp2\0\0\0\0mjp2"))


def test_what_begins_as_a_jpeg_and_never_says_a_size_is_no_photo(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff\xd8\xff\xe1\0\x04ab" + bytes(2 * FAR))
    assert not is_photo(path)
