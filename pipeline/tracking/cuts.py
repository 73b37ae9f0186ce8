"""Where one shot ends and another begins: whoever stands there then is somebody else.

A tracker that bridges a cut hands a name to a stranger who happens to stand in the same place.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from pipeline.types import Bools, Floats, Image, Ints

# Mean change of brightness from frame to frame, as a share of the contrast of both. In the films looked at,
# cuts lie above 0.5, moving cameras below 0.3. A cut too many costs a few looks, one too few a wrong name.
CUT = 0.45
# The same of a face in its box: between portraits of two people 99 % lie above, in films 95 % below.
FACE_CUT = 0.7
# Times the largest of the changes before it. In the films looked at nothing but cuts reaches 4; slides of a
# show reach 10, where only a portrait is another one.
JUMP = 7
_RECENT, _NOISE = 6, 0.01  # frames before it; what a picture that stands still changes by at most
_SIDE = 8  # pixels to which a face is brought before it is compared; smaller ones are not
_FLOOR = 5.0  # grey levels: noise in a black frame is no contrast


class CutDetector:
    """Compares each frame of one source with the one before it.

    Attributes:
        jumped: the latest frame differs suddenly from pictures that hardly moved, as the next slide of a show
            does, or what comes after a pause. It may be another shot, and it may not.
    """

    def __init__(self) -> None:
        self._before: Floats | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT)  # changes from frame to frame
        self.jumped = False

    def is_cut(self, image: Image) -> bool:
        """Whether `image` (h, w, 3) BGR begins another shot. The first frame does not."""
        # Nearest first: a few thousand pixels say as much of the whole as a million.
        few = cv2.resize(image, (320, 180), interpolation=cv2.INTER_NEAREST)
        grey = cv2.resize(cv2.cvtColor(few, cv2.COLOR_BGR2GRAY), (32, 18), interpolation=cv2.INTER_AREA)
        now = np.asarray(grey, np.float32)
        before, self._before = self._before, now
        if before is None:
            return False
        change, usual = _change(before, now), max(self._recent, default=CUT)
        self.jumped = change > JUMP * (_NOISE + usual)
        self._recent.append(change)
        return change > CUT


class FaceCuts:
    """The same of each face: a slide on which only the portrait changes has no cut, but its face has."""

    def __init__(self) -> None:
        self._before: dict[int, Floats] = {}

    def changed(self, image: Image, boxes: Floats, tracks: Ints) -> Bools:
        """Whether what is in each box is another picture than what its track showed last, (n,).

        Args:
            image: (h, w, 3) BGR.
            boxes: (n, 4) of faces; NaN where none is seen.
            tracks: (n,) ids, -1 for faces that no track holds yet.
        """
        found = np.zeros(len(tracks), np.bool_)
        height, width = image.shape[:2]
        for row in np.flatnonzero((tracks >= 0) & np.isfinite(boxes).all(axis=1)):
            x1, y1, x2, y2 = np.clip(boxes[row], 0, [width, height, width, height]).astype(int).tolist()
            if x2 - x1 < _SIDE or y2 - y1 < _SIDE:
                continue
            few = cv2.resize(image[y1:y2, x1:x2], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            now = np.asarray(few, np.float32)
            before = self._before.get(int(tracks[row]))
            found[row] = before is not None and _change(before, now) > FACE_CUT
            self._before[int(tracks[row])] = now
        return found

    def renamed(self, track: int, other: int) -> None:
        """What a track showed last is what another one shows."""
        if track in self._before:
            self._before[other] = self._before.pop(track)

    def forget(self, alive: frozenset[int]) -> None:
        """Drop what is remembered of tracks that ended."""
        self._before = {track: seen for track, seen in self._before.items() if track in alive}


def _change(before: Floats, now: Floats) -> float:
    """Mean change of brightness between two small pictures, as a share of their contrast.

    Args:
        before, now: (h, w) in grey, or (h, w, 3) in colour.
    """
    contrast = _FLOOR + float(now.std(axis=(0, 1)).mean() + before.std(axis=(0, 1)).mean()) / 2
    return float(np.abs(now - before).mean()) / contrast
