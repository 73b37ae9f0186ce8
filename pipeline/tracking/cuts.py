"""Where one shot ends and another begins: whoever stands there then is somebody else.

A tracker that bridges a cut hands a name to a stranger who happens to stand in the same place.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.types import Floats, Image

# Mean change of brightness from frame to frame, as a share of the contrast of both. In the films looked at,
# cuts lie above 0.5, moving cameras below 0.3. A cut too many costs a few looks, one too few a wrong name.
CUT = 0.45
_FLOOR = 5.0  # grey levels: noise in a black frame is no contrast


class CutDetector:
    """Compares each frame of one source with the one before it."""

    def __init__(self) -> None:
        self._before: Floats | None = None

    def is_cut(self, image: Image) -> bool:
        """Whether `image` (h, w, 3) BGR begins another shot. The first frame does not."""
        # Nearest first: a few thousand pixels say as much of the whole as a million.
        few = cv2.resize(image, (320, 180), interpolation=cv2.INTER_NEAREST)
        grey = cv2.resize(cv2.cvtColor(few, cv2.COLOR_BGR2GRAY), (32, 18), interpolation=cv2.INTER_AREA)
        now = np.asarray(grey, np.float32)
        before, self._before = self._before, now
        if before is None:
            return False
        contrast = _FLOOR + (float(now.std()) + float(before.std())) / 2
        return float(np.abs(now - before).mean()) / contrast > CUT
