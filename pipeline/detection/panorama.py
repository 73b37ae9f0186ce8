"""Pictures many times as long as they are wide: searched whole, and in windows as high as they are."""

from __future__ import annotations

import math

import numpy as np

from pipeline.detection.tiles import cut_by_a_seam, merged, shifted, spans
from pipeline.protocols import Detector
from pipeline.types import Detections, Image

LONG = 2.5  # long side by short side, from which a picture is a panorama
WINDOW = 2.0  # length of a window, in short sides; neighbours share a short side, so that every face is whole
MOST = 40  # windows


class PanoramaDetector:
    """Another detector that also finds, in a panorama, the faces that a small copy of it would lose."""

    def __init__(self, detector: Detector, overlap: float = 0.5, max_faces: int = 100) -> None:
        """
        Args:
            overlap: IoU above which the weaker of two boxes of different windows is dropped.
            max_faces: most faces of a picture, the best.
        """
        self._detector, self.overlap, self.max_faces = detector, overlap, max_faces
        self.digest = detector.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR picture; coordinates are in pixels of it, best first."""
        height, width = image.shape[:2]
        long, short = max(height, width), min(height, width)
        whole = self._detector.detect(image)
        if not short or long < LONG * short:
            return whole
        found = [whole]
        count = min(MOST, math.ceil((long / short - WINDOW) / (WINDOW - 1)) + 1)
        for start, end in spans(long, count, (WINDOW - 1) / WINDOW):
            x1, y1, x2, y2 = (start, 0, end, height) if width > height else (0, start, width, end)
            seen = shifted(self._detector.detect(np.ascontiguousarray(image[y1:y2, x1:x2])), x1, y1)
            found.append(seen[~cut_by_a_seam(seen.boxes, (x1, y1, x2, y2), (width, height))])
        return merged(found, self.overlap, max_faces=self.max_faces)
