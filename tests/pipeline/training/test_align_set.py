"""From photographs to a set of crops, with a detector that finds what it is told."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.faces import align
from pipeline.training.align_set import align_files
from pipeline.types import Detections, Floats, Image


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(
        rows, np.linspace(1, 0.5, len(rows), dtype=np.float32), np.full((len(rows), 5, 2), np.nan, np.float32)
    )


class Bright:
    """Finds one face where a photograph is brighter than grey, in the middle half."""

    def __init__(self, landmarks: Floats | None = None) -> None:
        self.landmarks = landmarks

    def detect(self, image: Image) -> Detections:
        if image.mean() < 100:
            return Detections.empty()
        height, width = image.shape[:2]
        one = found((width / 4, height / 4, width * 3 / 4, height * 3 / 4))
        return one if self.landmarks is None else Detections(one.boxes, one.scores, self.landmarks[None])


def photograph(path: Path, shade: int) -> Image:
    random = np.random.default_rng(shade)
    image = np.clip(shade + random.integers(-20, 20, (80, 100, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return image


def test_each_file_becomes_the_crop_of_its_subject_or_of_the_middle(tmp_path: Path) -> None:
    bright = photograph(tmp_path / "Ann" / "Ann_0001.png", 200)
    dark = photograph(tmp_path / "Bob" / "Bob_0001.png", 40)
    files, told = ("Ann/Ann_0001.png", "Bob/Bob_0001.png"), []
    crops = align_files(tmp_path, files, ("Ann", "Bob"), Bright(), "v1", told.append)
    assert (crops.files, crops.people, crops.alignment) == (files, ("Ann", "Bob"), "v1")
    np.testing.assert_array_equal(crops.found, [True, False])
    face = found((25, 20, 75, 60))
    np.testing.assert_array_equal(crops.images[0], align.crop(bright, face.boxes, face.landmarks)[0])
    np.testing.assert_array_equal(crops.images[1], align.center_crop(dark))
    assert told == [0, 1]


def test_landmarks_decide_where_there_are_any(tmp_path: Path) -> None:
    image = photograph(tmp_path / "a.png", 200)
    points = align.TEMPLATE * 0.5 + 10
    crops = align_files(tmp_path, ["a.png"], ["Ann"], Bright(points), "v1")
    expected = align.crop(image, np.zeros((1, 4), np.float32), points[None])
    np.testing.assert_array_equal(crops.images, expected)


def test_no_files_make_an_empty_set(tmp_path: Path) -> None:
    crops = align_files(tmp_path, [], [], Bright(), "v1")
    assert crops.images.shape == (0, 112, 112, 3)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(SourceError, match=r"a\.png: cannot be read as an image"):
        align_files(tmp_path, ["a.png"], ["Ann"], Bright(), "v1")
