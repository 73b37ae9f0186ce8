"""In which frames faces are looked for; in those between, the tracker says where they should be."""

from __future__ import annotations

import math
from typing import Literal

Every = int | Literal["auto"]

# A face moves little in a sixth of a second, and a film's boxes are interpolated between two detections.
PERIOD = 1 / 6
_SHARE = 0.5  # of the time between two frames that detection may take on average, where frames do not wait
_MOST = 0.4  # seconds between two detections at most, however slow they are: tracks would tear
_SMOOTHING = 0.2


class Cadence:
    """Decides for each frame of one source. `due` is asked once for every frame, in order.

    `every` detections are made once in so many frames. `auto` looks about six times a second in a file,
    where a face that is found late is painted back; in a live source it looks at every frame as long as
    detection, by the time that it is measured to take, leaves half of the time between frames to the rest.
    """

    def __init__(self, every: Every, live: bool) -> None:
        self._every, self._live = every, live
        self._since = 0  # frames since the last detection
        self._last: float | None = None
        self._interval = math.nan  # seconds between frames
        self._spent = 0.0  # seconds that a detection takes
        self._begun = False
        self._looked = -math.inf  # seconds of the latest frame that was looked at

    @property
    def every(self) -> int:
        """Once in how many frames faces are looked for at present."""
        if self._every != "auto":
            return self._every
        if not self._interval > 0:  # the first frame; NaN
            return 1
        most = max(1, math.floor(_MOST / self._interval))
        if not self._live:
            return min(most, max(1, round(PERIOD / self._interval)))
        return min(most, max(1, math.ceil(self._spent / (_SHARE * self._interval))))

    def due(self, seconds: float, now: bool) -> bool:
        """Whether faces should be looked for in the frame of this time.

        Args:
            now: they should in any case, as after a cut.
        """
        late = self._every == "auto" and not self._live and seconds - self._looked >= _MOST
        if self._last is not None and seconds > self._last:
            self._interval = _smoothed(self._interval, seconds - self._last)
        self._last = seconds
        self._since += 1
        if now or late or not self._begun or self._since >= self.every:
            self._since, self._begun, self._looked = 0, True, seconds
            return True
        return False

    def took(self, seconds: float) -> None:
        """Note how long a detection took."""
        self._spent = _smoothed(self._spent or math.nan, seconds)


def _smoothed(before: float, now: float) -> float:
    return now if math.isnan(before) else (1 - _SMOOTHING) * before + _SMOOTHING * now
