"""Frames that carry more than PyAV has names for, such as EXIF, are read, and turned as they say."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pictures

from pipeline.sources.display_matrix import matrix_of
from pipeline.sources.open import open_source
from pipeline.types import Image

# A red block in the upper left corner, a green one beside it: no turn and no mirror leaves both in place.
MARKED: Image = np.full((96, 160, 3), 200, np.uint8)
MARKED[8:40, 8:48] = (0, 0, 220)
MARKED[8:40, 112:152] = (0, 200, 0)
STORED = {  # how a picture is stored that an EXIF orientation makes MARKED
    1: MARKED,
    2: MARKED[:, ::-1],
    3: MARKED[::-1, ::-1],
    4: MARKED[::-1],
    5: MARKED.transpose(1, 0, 2),
    6: np.rot90(MARKED),
    7: np.rot90(MARKED, 2).transpose(1, 0, 2),
    8: np.rot90(MARKED, -1),
}


def with_exif(stored: Image, orientation: int) -> bytes:
    exif, file = Pictures.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    picture = Pictures.fromarray(np.ascontiguousarray(stored[..., ::-1]))
    picture.save(file, "jpeg", exif=exif, quality=95)
    return file.getvalue()


def in_a_container(path: Path, pictures: list[bytes]) -> Path:
    """A film of JPEGs as they are, frame by frame."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        for number, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base, packet.is_keyframe = Fraction(1, 25), True
            film.mux(packet)
    return path


@pytest.mark.parametrize("orientation", STORED)
def test_frames_with_exif_are_read_turned_and_mirrored_as_it_says(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.mjpeg"
    path.write_bytes(with_exif(STORED[orientation], orientation) * 3)
    with open_source(str(path)) as source:
        frames = list(source)
    assert len(frames) == 3
    for frame in frames:
        assert frame.image.shape == MARKED.shape
        assert np.abs(frame.image.astype(int) - MARKED).mean() < 8


def test_a_camera_film_with_exif_in_its_frames_is_read(tmp_path: Path) -> None:
    path = in_a_container(tmp_path / "a.avi", [with_exif(MARKED, 1)] * 4)
    with open_source(str(path)) as source:
        assert len(list(source)) == 4


def test_a_frame_that_says_nothing_has_no_matrix() -> None:
    assert matrix_of(av.VideoFrame(16, 16, "bgr24")) is None
