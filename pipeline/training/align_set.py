"""From a folder of photographs to the aligned crops that the network is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.faces import align
from pipeline.faces.choose import subject
from pipeline.faces.examine import examine
from pipeline.protocols import Detector
from siamese.crops import CropSet


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
            images[row] = examine(picture, detections[[subject(detections, picture)]]).crops[0]
            found[row] = True
        else:
            images[row] = align.center_crop(picture)
        progress(row)
    return CropSet(images, tuple(files), tuple(people), found, alignment)
