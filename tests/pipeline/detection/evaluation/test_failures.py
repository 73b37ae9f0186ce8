"""Pictures of what a detector gets wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.evaluation.failures import COLOUR, failures, write_sheet
from pipeline.detection.training.prepare import Photo
from pipeline.errors import DetectorError, SinkError
from pipeline.types import Detections, Floats, Image


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


class Finds:
    """Finds the same boxes `x1 y1 x2 y2 score` in every picture."""

    digest = "0" * 64

    def __init__(self, *rows: tuple[float, float, float, float, float]) -> None:
        self.table = np.array(rows, np.float32).reshape(-1, 5)

    def detect(self, image: Image) -> Detections:
        points = np.zeros((len(self.table), 5, 2), np.float32)
        return Detections(self.table[:, :4], self.table[:, 4], points)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "1.png"
    cv2.imwrite(str(path), np.full((200, 300, 3), 60, np.uint8))
    return path


def test_faces_missed_come_largest_first_and_false_alarms_surest_first(photo: Path) -> None:
    truth = boxes((10, 10, 30, 30), (100, 100, 180, 180), (200, 20, 260, 80))
    detector = Finds(
        (200, 20, 260, 80, 0.9),  # found
        (100, 100, 180, 130, 0.8),  # too little of a face to have found it, too much to be of none
        (40, 150, 60, 170, 0.5),
        (270, 150, 290, 170, 0.7),
        (0, 190, 10, 200, 0.3),  # not sure enough to be used
    )
    missed, alarms = failures(detector, [Photo(photo, truth)], confidence=0.4)
    assert [(each.box[0], each.caption) for each in missed] == [(100, "80 px"), (10, "20 px")]
    assert [(each.box[0], each.caption) for each in alarms] == [(270, "score 0.70"), (40, "score 0.50")]


def test_a_detector_without_failures_leaves_no_picture(photo: Path, tmp_path: Path) -> None:
    missed, alarms = failures(Finds((10, 10, 30, 30, 0.9)), [Photo(photo, boxes((10, 10, 30, 30)))])
    assert (missed, alarms) == ([], [])
    assert not write_sheet(missed, tmp_path / "sheet.jpg")
    assert not (tmp_path / "sheet.jpg").exists()


def test_the_sheet_shows_the_box_in_its_surroundings(photo: Path, tmp_path: Path) -> None:
    missed, _ = failures(Finds(), [Photo(photo, boxes((100, 80, 140, 120), (0, 0, 12, 12)))])
    assert write_sheet(missed, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    near = (np.abs(sheet.astype(int) - COLOUR) < 60).all(axis=2)
    assert near.sum() > 100  # the outline of the box
    assert (np.abs(sheet.astype(int) - 60) < 3).all(axis=2).sum() > 5000  # and the photograph around it


def test_only_so_many_are_shown(photo: Path, tmp_path: Path) -> None:
    missed, _ = failures(Finds(), [Photo(photo, boxes(*[(10, 10, 30, 30)] * 9))])
    sizes = {}
    for count in (1, 9):
        write_sheet(missed, tmp_path / "sheet.png", count)
        sizes[count] = cv2.imread(str(tmp_path / "sheet.png")).size  # type: ignore[union-attr]
    assert sizes[1] < sizes[9] / 4


def test_what_cannot_be_read_or_written_is_named(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "2.png").write_text("no image")
    with pytest.raises(DetectorError, match=r"2\.png: cannot be read"):
        failures(Finds(), [Photo(tmp_path / "2.png", boxes((0, 0, 1, 1)))])
    missed, _ = failures(Finds(), [Photo(photo, boxes((10, 10, 30, 30)))])
    with pytest.raises(SinkError, match="cannot be written"):
        write_sheet(missed, tmp_path / "nowhere" / "sheet.jpg")
