"""From photographs to a set of crops, with a detector that finds what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.faces import align
from pipeline.training.align_set import align_files, align_into
from pipeline.types import Detections, Floats, Image
from siamese import crops
from siamese.crops import GrowingCrops
from siamese.errors import DataError


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(
        rows, np.linspace(1, 0.5, len(rows), dtype=np.float32), np.full((len(rows), 5, 2), np.nan, np.float32)
    )


class Bright:
    """Finds one face where a photograph is brighter than grey, in the middle half."""

    digest = "0" * 64

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


def test_each_file_becomes_the_crop_of_its_subject_or_of_the_middle(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    bright = photograph(tmp_path / "Ann" / "Ann_0001.png", 200)
    dark = photograph(tmp_path / "Bob" / "Bob_0001.png", 40)
    images, was_found = align_files(tmp_path, ("Ann/Ann_0001.png", "Bob/Bob_0001.png"), Bright(), pool)
    np.testing.assert_array_equal(was_found, [True, False])
    face = found((25, 20, 75, 60))
    np.testing.assert_array_equal(images[0], align.crop(bright, face.boxes, face.landmarks)[0])
    np.testing.assert_array_equal(images[1], align.center_crop(dark))


def test_landmarks_decide_where_there_are_any(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    image = photograph(tmp_path / "a.png", 200)
    points = align.TEMPLATE * 0.5 + 10
    images, _ = align_files(tmp_path, ["a.png"], Bright(points), pool)
    expected = align.crop(image, np.zeros((1, 4), np.float32), points[None])
    np.testing.assert_array_equal(images, expected)


def test_no_files_make_no_crops(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    images, was_found = align_files(tmp_path, [], Bright(), pool)
    assert (images.shape, was_found.shape) == ((0, 112, 112, 3), (0,))


def test_a_file_that_is_no_image_is_named(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(SourceError, match=r"a\.png: cannot be read as an image"):
        align_files(tmp_path, ["a.png"], Bright(), pool)


@pytest.mark.parametrize("threads", [1, 3])
def test_interrupted_it_goes_on_and_ends_with_the_same_crops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr("pipeline.training.align_set.PORTION", 2)
    files = [f"{number}.png" for number in range(7)]
    for number, file in enumerate(files):
        photograph(tmp_path / file, 30 * (number + 1))
    people, told = ["Ann"] * 7, []

    def stop(done: int) -> None:
        told.append(done)
        if len(told) == 3:
            raise KeyboardInterrupt

    def begin(folder: Path) -> GrowingCrops:
        folder.mkdir(exist_ok=True)
        return GrowingCrops(folder, files, people, "v1")

    align_into(begin(tmp_path / "at once"), tmp_path, Bright())
    with closing(begin(tmp_path / "in two")) as growing, pytest.raises(KeyboardInterrupt):
        align_into(growing, tmp_path, Bright(), threads, stop)
    with pytest.raises(DataError, match="no aligned faces here"):
        crops.read(tmp_path / "in two")
    (tmp_path / "0.png").unlink()  # is not needed any more
    align_into(begin(tmp_path / "in two"), tmp_path, Bright(), threads, told.append)
    assert told == [0, 2, 4, 4, 6, 7]
    whole, parts = crops.read(tmp_path / "at once"), crops.read(tmp_path / "in two")
    np.testing.assert_array_equal(whole.images, parts.images)
    np.testing.assert_array_equal(whole.found, parts.found)
    assert 0 < whole.found.sum() < 7
