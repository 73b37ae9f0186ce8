"""Looking closely at some frames of a film only, where what is seen in one is covered in those around it."""

from __future__ import annotations

import math

from pipeline.detection.wary import WaryDetector
from pipeline.tracking.cadence import PERIOD, Every
from pipeline.types import Detections, Frame

_SLACK = 1.01  # times as far apart is no farther: containers round their times, to milliseconds at worst


class Sparing:
    """Has a wary detector look closely at the first frame of a shot, then now and then. Of one film."""

    def __init__(self, wary: WaryDetector, once_in: int, apart: float, instead: bool = False) -> None:
        """
        Args:
            once_in: looks, of which one is a close one at least.
            apart: seconds between two close looks at most, also where the film's rate varies.
            instead: close looks take the place of common ones (see `WaryDetector.look`), but for the first of
                a shot, and where there are fewer than three common ones for each.
        """
        self._wary, self._once_in, self._instead = wary, once_in, instead and once_in > 3
        self._apart = _SLACK * max(apart, PERIOD)
        self._since = once_in  # looks since the last close one
        self._before = self._close = math.nan  # seconds of the last frame, and of the last close look
        self._overdue = False

    def overdue(self, seconds: float) -> bool:
        """Whether a close look cannot wait for the next frame. To be asked for every frame, in order."""
        interval = seconds - self._before
        self._before = seconds
        self._overdue = seconds + interval - self._close > self._apart
        return self._overdue

    def look(self, frame: Frame, cut: bool) -> Detections:
        """Find faces in a frame; `faint` holds what else may be one.

        Args:
            cut: it begins another shot.
        """
        self._since += 1
        closely = cut or self._overdue or self._since >= self._once_in
        # Both where nothing was seen before, and where another close one was the last.
        alone = cut or frame.brief or self._since < 2 or math.isnan(self._close)
        instead = self._instead and not (closely and alone)
        if closely:
            self._since, self._close = 0, frame.seconds
        return self._wary.look(frame.image, closely, instead)


def once_in(apart: float, fps: float | None, every: Every) -> int:
    """Once in how many frames that are looked at is looked closely, so that these are `apart` at most.

    Args:
        apart: seconds.
        fps: frames a second of the film, on average; None where it is not known.
        every: once in how many frames is looked at all.
    """
    if not fps:
        return 1
    period = max(1, round(PERIOD * fps)) if every == "auto" else every
    return max(1, math.floor(_SLACK * apart * fps / period))
