"""The detector on LFW: images in which it finds no face at all, and how far its landmarks lie off.

There are no landmarks drawn by people for LFW. The independent detector's, at whichever scale it is surest
of the face, stand in: the figure is a distance between two detectors, and says not which of them is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.detector.boxes import iou
from pipeline.detector.evaluate import Detector, landmark_errors
from pipeline.detector.prepare import MATCH, propose
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image
from siamese import lfw


@dataclass(frozen=True, slots=True)
class LfwReport:
    """What one detector does on LFW; landmark figures are in distances of the eyes, None without any."""

    images: int
    without_faces: int  # at `confidence`
    landmark_median: float | None
    landmark_p90: float | None
    landmarks_compared: int  # of one image each of the people of View 1's test half
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def check(
    detectors: Mapping[str, Detector],
    root: Path,
    proposers: Sequence[Detector],
    confidence: float = 0.4,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, LfwReport]:
    """Show every image of LFW to each detector; compare landmarks on people that none of ours was trained on.

    Args:
        root: LFW's folder, with the protocol files.
        proposers: the independent detector, at each scale it is to be asked at.
        confidence: score from which a detection counts.
        progress: called after each image.

    Raises:
        siamese.errors.DataError: LFW or its protocol is not there.
        DetectorError: an image cannot be read.
    """
    compared = {lfw.image_name(person, 1) for person in lfw.view1_split(root)[1]}
    photos = lfw.find_photos(root / lfw.FOLDER)
    missed = dict.fromkeys(detectors, 0)
    errors: dict[str, list[Floats]] = {name: [] for name in detectors}
    for photo in photos:
        image = _read(root / lfw.FOLDER / photo.file)
        wanted = photo.file in compared
        given = _surest(propose(image, proposers), image.shape) if wanted else Detections.empty()
        for name, detector in detectors.items():
            found = detector.detect(image)
            found = found[found.scores >= confidence]
            missed[name] += not len(found)
            if len(given) and len(found):
                overlaps = iou(found.boxes, given.boxes)[:, 0]
                best = int(overlaps.argmax())
                if overlaps[best] >= MATCH:
                    errors[name].append(landmark_errors(found.landmarks[[best]], given.landmarks))
        progress()
    return {name: _report(len(photos), missed[name], errors[name], confidence) for name in detectors}


def count(root: Path) -> int:
    """How many images `check` goes through."""
    return len(lfw.find_photos(root / lfw.FOLDER))


def _surest(proposals: Detections, shape: tuple[int, ...]) -> Detections:
    """The surest proposal that holds the middle of the image, where LFW has the person it names; or none."""
    middle = np.array([shape[1], shape[0]], np.float32) / 2
    holds = (proposals.boxes[:, :2] <= middle).all(axis=1) & (proposals.boxes[:, 2:] >= middle).all(axis=1)
    return proposals[np.flatnonzero(holds)[:1]]


def _report(images: int, missed: int, errors: list[Floats], confidence: float) -> LfwReport:
    every = np.concatenate(errors) if errors else np.zeros(0, np.float32)
    every = every[np.isfinite(every)]
    median, p90 = (float(np.quantile(every, q)) if len(every) else None for q in (0.5, 0.9))
    return LfwReport(images, missed, median, p90, len(every), confidence)


def _read(path: Path) -> Image:
    image = cv2.imread(str(path))
    if image is None:
        raise DetectorError(f"{path}: cannot be read as an image")
    return image.astype(np.uint8, copy=False)
