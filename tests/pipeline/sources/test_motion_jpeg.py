"""JPEGs one after the other are a film; a photo with something behind it stays a photo."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.sources.motion_jpeg import is_motion_jpeg
from pipeline.sources.open import open_source
from pipeline.sources.stills import Photo

NOISE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def jpeg(*options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", NOISE, list(options))[1])


@pytest.mark.parametrize(
    "options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)]
)
def test_two_pictures_in_a_row_are_a_film_whatever_its_name(tmp_path: Path, options: tuple[int, ...]) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(*options) * 3)
    assert is_motion_jpeg(path)
    with open_source(str(path)) as film:
        assert len(list(film)) == 3


def test_a_photo_that_is_cut_short_is_no_film_either(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg()[:-200])
    assert not is_motion_jpeg(path)


def announced() -> bytes:
    """As the cameras that put a preview behind a photo say so in its head."""
    picture = jpeg()
    return picture[:2] + b"\xff\xe2\x00\x08MPF\0II" + picture[2:]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg() + b"\0\0\0\x18ftypmp42" + bytes(500),  # a phone's short film
        announced() + jpeg(),
        jpeg()[:2] + b"\xff\xe1\x00\x0eExif\0\0\xff\xd8\xff\xd9\xff\xd8" + jpeg()[2:],  # a thumbnail inside
    ],
    ids=["one", "phone", "announced", "thumbnail"],
)
def test_a_photo_is_no_film(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert not is_motion_jpeg(path)
    with open_source(str(path)) as source:
        assert isinstance(source, Photo)
