"""Looking closely at some frames of a film only, where what is seen in one is covered in those around it."""

from __future__ import annotations

import math

from pipeline.detection.wary import WaryDetector
from pipeline.tracking.cadence import PERIOD, Every
from pipeline.tracking.cuts import CutDetector
from pipeline.types import Detections, Image


class SparingDetector:
    """A wary detector that looks closely at the first frame of a shot, then once in so many. Of one film."""

    def __init__(self, wary: WaryDetector, once_in: int) -> None:
        self._wary, self._once_in = wary, once_in
        self._cuts, self._since = CutDetector(), once_in
        self.digest = wary.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; `faint` holds what else may be one."""
        self._since += 1
        closely = self._cuts.is_cut(image) or self._since >= self._once_in
        if closely:
            self._since = 0
        return self._wary.look(image, closely)


def once_in(apart: float, fps: float | None, every: Every) -> int:
    """Once in how many frames that are looked at is looked closely, so that these are `apart` at most.

    Args:
        apart: seconds.
        fps: frames a second of the film; None where it is not known.
        every: once in how many frames is looked at all.
    """
    if not fps:
        return 1
    period = max(1, round(PERIOD * fps)) if every == "auto" else every
    return max(1, math.floor(apart * fps / period))
