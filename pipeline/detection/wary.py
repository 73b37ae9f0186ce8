"""What may be a face, besides what surely is one: to cover faces, a weak hint is enough.

A frame is looked at as it is to be followed and, where it is larger than that, once more at its own size:
small faces are only seen there, large ones only in the small one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.detection.yolo import STRIDE
from pipeline.protocols import Detector
from pipeline.types import Detections, Image


class WaryDetector:
    """Another detector, whose unsure faces, and those beyond the most that are followed, are told apart."""

    ROOM = 10  # times as many faces are asked for as are followed, so that a crowd's rest is covered, too

    def __init__(
        self,
        found: Detector,
        least: float,
        most: int,
        faces: Callable[[int], Detector],
        sizes: tuple[int, int],
        whole: bool,
    ) -> None:
        """
        Args:
            found: finds whom to follow. Where it is `whole`, it looks for faces in the whole frame, and tells
                unsure ones, too; else it looks in a part of it, or for people, and all are followed.
            least, most: score from which a face is followed, and how many are at most, if `whole`.
            faces: makes a detector of unsure faces with an input of this long side.
            sizes: the input of `found`, and the most that a frame is looked at with: as large as it is.
        """
        self._found, self._least, self._most, self._whole = found, least, most, whole
        self._faces, self._sizes = faces, sizes
        self._made: dict[int, Detector] = {}
        self.digest = found.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; `faint` holds what else may be one."""
        seen = self._found.detect(image)
        faint = []
        if self._whole:
            sure = seen.scores >= self._least
            sure &= np.cumsum(sure) <= self._most  # best first
            faint.append(seen.boxes[~sure])
            seen = seen[sure]
        own, most = self._sizes
        size = min(most, math.ceil(max(image.shape[:2]) / STRIDE) * STRIDE)
        if size > own or not self._whole:
            size = max(size, own)
            if size not in self._made:
                self._made[size] = self._faces(size)
            faint.append(self._made[size].detect(image).boxes)
        return replace(seen, faint=np.concatenate(faint))
