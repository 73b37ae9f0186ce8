"""What the second stage learns from: places of real detectors' kind, and what is known of each."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.training.candidates import (
    KEPT,
    PER_SIDE,
    Candidates,
    gather,
    joined,
    labelled,
    read,
    write,
)
from pipeline.detection.training.views import turned
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image

SIZE = 200


class Says:
    """Always these boxes."""

    digest = "0" * 64

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def detect(self, image: Image) -> Detections:
        count = len(self.boxes)
        scores = np.linspace(0.9, 0.1, count, dtype=np.float32)
        return Detections(self.boxes, scores, np.zeros((count, 5, 2), np.float32))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((SIZE, SIZE, 3), 90, np.uint8))
    return path


def labels(*rows: tuple[int, float, float, float, float]) -> Floats:
    """Class, and x1 y1 x2 y2 in pixels."""
    return np.array(
        [(of, (x1 + x2) / 2 / SIZE, (y1 + y2) / 2 / SIZE, (x2 - x1) / SIZE, (y2 - y1) / SIZE)
         for of, x1, y1, x2, y2 in rows], np.float32).reshape(-1, 5)  # fmt: skip


def test_a_place_knows_the_face_that_is_there_in_its_own_sides(photo: Path) -> None:
    detector = Says((100, 100, 120, 140), (10, 10, 30, 30))
    made = gather([(photo, labels((0, 104, 100, 124, 150)))], [detector])
    assert made.crops.shape == (2, KEPT, KEPT, 3)
    order = np.argsort(-made.overlaps)
    face, other = order
    assert made.overlaps[face] == pytest.approx(16 * 40 / (20 * 40 + 20 * 50 - 16 * 40))
    assert made.boxes[face].tolist() == [0.5, 1.0]
    assert made.faces[face].tolist() == pytest.approx([4 / 40, 5 / 40, 0.5, 1.25])
    assert made.overlaps[other] == 0
    assert np.isnan(made.faces[other]).all()


def test_the_box_of_a_place_fills_as_much_of_its_crop_as_it_should(tmp_path: Path) -> None:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[80:120, 80:120] = 255
    cv2.imwrite(str(tmp_path / "square.png"), image)
    made = gather([(tmp_path / "square.png", labels())], [Says((80, 80, 120, 120))])
    assert (made.crops[0][KEPT // 2, :, 0] > 127).sum() == pytest.approx(PER_SIDE, abs=1)


def test_places_that_nobody_could_judge_are_left_out_unless_there_is_a_face(photo: Path) -> None:
    detector = Says((20, 20, 60, 60), (100, 100, 140, 140))
    unsure = (1, 0.0, 0.0, 200.0, 200.0)
    assert len(gather([(photo, labels(unsure))], [detector])) == 0
    made = gather([(photo, labels(unsure, (0, 20, 20, 60, 60)))], [detector])
    assert made.overlaps.tolist() == [1.0]


def test_places_that_are_alike_count_once_and_one_photograph_does_not_drown_the_others(photo: Path) -> None:
    same = Says((20, 20, 60, 60))
    assert len(gather([(photo, labels())], [same, same, Says((21, 20, 60, 60))])) == 1
    many = Says(*[(x, y, x + 9, y + 9) for x in range(0, 190, 10) for y in range(0, 190, 10)])
    assert len(gather([(photo, labels())], [many])) == 20


def test_a_photograph_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_text("no picture")
    made = gather([(tmp_path / "no.jpg", labels())], [Says((0, 0, 9, 9))])
    assert made.crops.shape == (0, KEPT, KEPT, 3)


def test_labels_of_a_training_set_are_read_where_there_are_any(tmp_path: Path) -> None:
    for part in ("images", "labels"):
        (tmp_path / part / "train").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "images/train" / f"{name}.jpg").touch()
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.2 0.4 0.1 0.1 2\n1 0.1 0.1 0.1 0.1\n")
    first, second = labelled(tmp_path / "dataset.yaml", "train")
    assert first[0].name == "a.jpg"
    assert first[1][:, 0].tolist() == [0, 1]
    assert second[1].shape == (0, 5)
    with pytest.raises(DetectorError, match="no training images"):
        labelled(tmp_path / "dataset.yaml", "val")


def test_what_is_kept_comes_back_and_a_damaged_file_is_said(photo: Path, tmp_path: Path) -> None:
    made = gather([(photo, labels())], [Says((20, 20, 60, 60), (100, 100, 140, 140))])
    kept = tmp_path / "kept.npz"
    write(kept, made, gather([(photo, labels())], [Says((20, 20, 60, 60))]))
    learned, held = read(kept)
    assert (len(learned), len(held)) == (2, 1)
    assert isinstance(learned, Candidates)
    assert (learned.crops == made.crops).all()
    for damaged in (kept.read_bytes()[:200], b""):
        kept.write_bytes(damaged)
        with pytest.raises(DetectorError, match="delete it to look anew"):
            read(kept)
    with pytest.raises(DetectorError, match="cannot be written"):
        write(tmp_path / "nowhere" / "kept.npz", made, made)


def test_places_are_looked_for_in_every_view(photo: Path) -> None:
    detector = Says((20, 20, 60, 60))
    made = gather([(photo, labels())], [detector], views=turned)
    assert len(made) == 6
    both = joined(made, gather([(photo, labels((0, 20, 20, 60, 60)))], [detector]))
    assert both.overlaps.tolist() == [0.0] * 6 + [1.0]
    assert both.crops.shape == (7, KEPT, KEPT, 3)
