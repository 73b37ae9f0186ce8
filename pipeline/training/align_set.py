"""From a folder of photographs to the aligned crops that the network is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.faces import align
from pipeline.types import Detections, Image
from siamese.crops import CropSet


class Detector(Protocol):
    """Anything that finds faces with landmarks in an image."""

    def detect(self, image: Image) -> Detections: ...


SURE = 0.5  # share of the best score below which a face is not what a photograph is about


def subject(detections: Detections, image: Image) -> int:
    """The row of the face the photograph is about: large, central, and not doubtful beside a sure one."""
    height, width = image.shape[:2]
    boxes = detections.boxes
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    off_center = np.hypot(centers[:, 0] / width - 0.5, centers[:, 1] / height - 0.5)
    side = np.sqrt(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)) / max(height, width)
    sure = detections.scores >= SURE * detections.scores.max()
    return int(np.argmax(np.where(sure, side - 2 * off_center, -np.inf)))


def align_files(
    root: Path,
    files: Sequence[str],
    people: Sequence[str],
    detector: Detector,
    alignment: str,
    progress: Callable[[int], None] = lambda _: None,
) -> CropSet:
    """Detect, choose and align the subject of every file; where no face is found, take the centre.

    Raises:
        SourceError: a file cannot be read as an image.
    """
    images = np.empty((len(files), align.SIZE, align.SIZE, 3), np.uint8)
    found = np.zeros(len(files), np.bool_)
    for row, file in enumerate(files):
        image = cv2.imread(str(root / file))
        if image is None:
            raise SourceError(f"{root / file}: cannot be read as an image")
        picture = image.astype(np.uint8, copy=False)
        detections = detector.detect(picture)
        if len(detections):
            face = [subject(detections, picture)]
            images[row] = align.crop(picture, detections.boxes[face], detections.landmarks[face])[0]
            found[row] = True
        else:
            images[row] = align.center_crop(picture)
        progress(row)
    return CropSet(images, tuple(files), tuple(people), found, alignment)
