"""False alarms, counted of a detector that is told what to say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.evaluation.alarms import count
from pipeline.errors import DetectorError
from pipeline.types import Detections, Image


class Fires:
    """Finds as many faces as a picture is bright, with scores from 0.9 down."""

    digest = "fires"

    def detect(self, image: Image) -> Detections:
        scores = np.array([0.9, 0.5, 0.3][: image[0, 0, 0]], np.float32)
        boxes = np.tile(np.array([0, 0, 5, 5], np.float32), (len(scores), 1))
        return Detections(boxes, scores, np.full((len(scores), 5, 2), np.nan, np.float32))


def test_what_is_sure_enough_is_counted_by_picture_and_in_all(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((10, 10, 3), number, np.uint8))
    seen: list[int] = []
    counted = count({"fires": Fires}, paths, 0.4, lambda: seen.append(1))["fires"]
    assert (counted.photos, counted.photos_with, counted.alarms) == (4, 3, 5)
    assert counted.surest == pytest.approx(0.9)
    assert len(seen) == 4
    quiet = count({"fires": Fires}, paths[:1], 0.4)["fires"]
    assert (quiet.alarms, quiet.surest) == (0, None)


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DetectorError, match="cannot be read"):
        count({"fires": Fires}, [tmp_path / "a.png"], 0.4)
