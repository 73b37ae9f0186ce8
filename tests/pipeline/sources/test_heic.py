"""Photographs of iPhones come as others do, upright and in blue, green, red."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.images import Header, is_photo, list_photos, read_header, read_photo

heif = pytest.importorskip(
    "pillow_heif", reason="needs pillow-heif, to write what is read: uv sync --group dev"
)


def picture(width: int = 120, height: int = 80) -> np.ndarray:
    """Red left half on blue, RGB."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (255, 0, 0)
    image[:, width // 2 :] = (0, 0, 255)
    return image


def encode(image: np.ndarray, mode: str = "RGB", orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    made = heif.from_bytes(mode=mode, size=image.shape[1::-1], data=image.tobytes())
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    made.save(buffer, quality=90, exif=exif)
    return buffer.getvalue()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(encode(picture()))
    return path


def test_it_is_read_in_blue_green_red(photo: Path) -> None:
    image = read_photo(photo)
    assert (image.shape, image.dtype, image.flags["C_CONTIGUOUS"]) == ((80, 120, 3), np.uint8, True)
    assert image[40, 20, 2] > 200
    assert image[40, 20, 0] < 60
    assert image[40, 100, 0] > 200


def test_it_is_found_in_a_folder_and_by_its_first_bytes(photo: Path) -> None:
    assert list_photos(photo.parent) == [photo]
    assert is_photo(photo.rename(photo.with_name("no suffix")))
    assert read_header(encode(picture())) == Header("heic", 120, 80)


def test_it_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.heic"
    path.write_bytes(encode(picture(), orientation=6))
    image = read_photo(path)
    assert image.shape == (120, 80, 3)
    assert image[20, 40, 2] > 200  # left has become top
    assert image[100, 40, 0] > 200


@pytest.mark.parametrize(
    ("mode", "image"),
    [
        ("L", np.full((64, 64), 77, np.uint8)),
        ("RGBA", np.full((64, 64, 4), 77, np.uint8)),
        ("RGB;16", np.full((64, 64, 3), 77 * 257, np.uint16)),
    ],
)
def test_grey_deep_and_transparent_ones_become_plain_colour(
    tmp_path: Path, mode: str, image: np.ndarray
) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(encode(image, mode))
    read = read_photo(path)
    assert (read.shape, read.dtype) == ((64, 64, 3), np.uint8)
    assert np.abs(read.astype(int) - 77).max() <= 3


def test_too_many_pixels_are_refused_before_anything_is_decoded(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.heic.decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SourceError, match=r"120 x 80 pixels.*scale it down"):
        read_photo(photo, max_pixels=1000)


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_one_that_is_cut_short_says_so(photo: Path, kept: float) -> None:
    data = photo.read_bytes()
    photo.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(SourceError, match=r"IMG_0001\.HEIC is (damaged|not a picture)"):
        read_photo(photo)


def test_without_the_extra_it_says_what_to_install(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(SourceError, match=r"install recog\[heic\].*or save it as JPEG"):
        read_photo(photo)
