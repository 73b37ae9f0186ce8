"""What a detector gets wrong, as pictures: the largest faces it misses and its surest false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.detection.evaluation.evaluate import read_image
from pipeline.detection.training.prepare import Photo
from pipeline.drawing.sheet import contact_sheet
from pipeline.errors import SinkError
from pipeline.faces.boxes import area, iou
from pipeline.protocols import Detector
from pipeline.types import Floats, Image

FOUND = 0.5  # IoU from which a face counts as found, as in AP50
NOBODY = 0.2  # IoU below which a detection is of no face that was drawn: not merely another style of box
COLOUR = (80, 220, 255)  # BGR


@dataclass(frozen=True, slots=True)
class Failure:
    """One box that should have been found, or that should not have been."""

    photo: Path
    box: Floats  # (4,)
    rank: float  # the greater the worse
    caption: str


def failures(
    detector: Detector, photos: Sequence[Photo], confidence: float = 0.4
) -> tuple[list[Failure], list[Failure]]:
    """Faces missed, largest first, and false alarms, surest first.

    Raises:
        DetectorError: a photograph cannot be read.
    """
    missed, alarms = [], []
    for photo in photos:
        found = detector.detect(read_image(photo.path))
        found = found[found.scores >= confidence]
        overlaps = iou(found.boxes, photo.boxes)
        for row in np.flatnonzero(overlaps.max(axis=0, initial=0) < FOUND):
            side = float(np.sqrt(area(photo.boxes[row : row + 1])[0]))
            missed.append(Failure(photo.path, photo.boxes[row], side, f"{side:.0f} px"))
        for row in np.flatnonzero(overlaps.max(axis=1, initial=0) < NOBODY):
            score = float(found.scores[row])
            alarms.append(Failure(photo.path, found.boxes[row], score, f"score {score:.2f}"))
    return sorted(missed, key=lambda f: -f.rank), sorted(alarms, key=lambda f: -f.rank)


def write_sheet(worst: Sequence[Failure], path: Path, count: int = 24) -> bool:
    """Write the first `count` as one picture, each with its surroundings; False where there are none.

    Raises:
        SinkError: the picture cannot be written.
    """
    if not worst:
        return False
    sheet = contact_sheet([(_surroundings(each), each.caption) for each in worst[:count]], cell=(200, 200))
    if not cv2.imwrite(str(path), sheet):
        raise SinkError(f"{path}: cannot be written")
    return True


def _surroundings(failure: Failure) -> Image:
    """The box, with its own size around it on every side."""
    image = read_image(failure.photo)
    x1, y1, x2, y2 = (round(float(value)) for value in failure.box)
    cv2.rectangle(image, (x1, y1), (x2, y2), COLOUR, 1 + max(image.shape) // 600)
    margin = max(x2 - x1, y2 - y1, 16)
    height, width = image.shape[:2]
    return image[
        max(0, y1 - margin) : min(height, y2 + margin), max(0, x1 - margin) : min(width, x2 + margin)
    ]
