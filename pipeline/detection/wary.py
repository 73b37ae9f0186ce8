"""What may be a face, besides what surely is one: to cover faces, a weak hint is enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.protocols import Detector
from pipeline.types import Detections, Image


class WaryDetector:
    """Another detector, whose unsure faces, and those beyond the most that are followed, are told apart."""

    ROOM = 10  # times as many faces are asked for as are followed, so that a crowd's rest is covered, too

    def __init__(self, found: Detector, least: float, most: int, faces: Detector | None = None) -> None:
        """
        Args:
            found: finds whom to follow, and without `faces` also what is too unsure for that.
            least, most: score from which a face is followed, and how many are at most. With `faces`, all that
                `found` finds are.
            faces: looks in the whole frame for what may be a face, where `found` looks in a part of it, or
                for people.
        """
        self._found, self._least, self._most, self._faces = found, least, most, faces
        self.digest = found.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; `faint` holds what else may be one."""
        seen = self._found.detect(image)
        if self._faces is not None:
            return replace(seen, faint=self._faces.detect(image).boxes)
        sure = seen.scores >= self._least
        sure &= np.cumsum(sure) <= self._most  # best first
        return replace(seen[sure], faint=seen.boxes[~sure])
