"""A picture is a film of one frame, a folder one of its pictures in their natural order."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.open import open_source


def test_a_picture_is_one_frame(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((5, 7, 3), 9, np.uint8))
    with open_source(str(tmp_path / "a.png")) as source:
        frames = list(source)
    assert [(frame.index, frame.seconds, frame.source) for frame in frames] == [(0, 0.0, "a.png")]
    assert frames[0].image.shape == (5, 7, 3)
    assert (source.size, source.frame_count, source.live, source.fps) == ((7, 5), 1, False, None)


def folder_of(path: Path, levels: dict[str, int]) -> Path:
    path.mkdir()
    for name, level in levels.items():
        cv2.imwrite(str(path / name), np.full((4, 4, 3), level, np.uint8))
    return path


def test_a_folder_yields_its_pictures_in_natural_order(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "party", {"10.png": 10, "9.png": 9, "1.png": 1})
    with open_source(str(folder)) as source:
        frames = list(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 9, 10]
    assert [frame.source for frame in frames] == ["party/1.png", "party/9.png", "party/10.png"]
    assert [frame.seconds for frame in frames] == [0.0, 1.0, 2.0]
    assert (source.name, source.frame_count, source.complaint) == ("party", 3, None)


def test_a_bad_picture_in_a_folder_is_left_out_with_a_complaint(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "party", {"1.png": 1, "3.png": 3})
    (folder / "2.png").write_text("no picture")
    with open_source(str(folder)) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == [0, 2]
    assert source.complaint is not None
    assert source.complaint.startswith("1 of 3 pictures left out")
    assert "2.png" in source.complaint


def test_a_folder_of_nothing_but_bad_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    (tmp_path / "2.png").touch()
    with (
        open_source(str(tmp_path)) as source,
        pytest.raises(SourceError, match="none of the 2 pictures"),
    ):
        list(source)
