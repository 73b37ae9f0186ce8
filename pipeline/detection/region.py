"""Faces looked for in a part of the frame only: a door, and not the poster beside it."""

from __future__ import annotations

import math

from pipeline.detection.tiles import shifted
from pipeline.protocols import Detector
from pipeline.types import Detections, Image

Region = tuple[float, float, float, float]


class RegionDetector:
    """Another detector on a rectangle of each frame; coordinates stay those of the frame."""

    def __init__(self, detector: Detector, region: Region) -> None:
        """
        Args:
            region: x1 y1 x2 y2 as shares of the frame's width and height, each in 0..1, so that it holds for
                every size that a camera may send.
        """
        self._detector, self.region = detector, region
        self.digest = detector.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in the region of a BGR frame; a face that is cut by its edge ends there."""
        height, width = image.shape[:2]
        x1, y1 = math.floor(self.region[0] * width), math.floor(self.region[1] * height)
        x2, y2 = math.ceil(self.region[2] * width), math.ceil(self.region[3] * height)
        return shifted(self._detector.detect(image[y1:y2, x1:x2]), x1, y1)
