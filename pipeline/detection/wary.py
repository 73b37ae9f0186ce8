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
from pipeline.faces.boxes import iou
from pipeline.protocols import Detector
from pipeline.types import Bools, Detections, Floats, Image

_NONE: Floats = np.zeros((0, 4), np.float32)


class WaryDetector:
    """Another detector, whose unsure faces, and those beyond the most that are followed, are told apart."""

    SMALL = 48  # pixels, the longer side: detectors are unsure of small faces, and small boxes cover little
    FAINTER = 0.05  # share of the score from which those count
    WARIER = 0.8  # the same of the others, where looks are spared: of fewer of them more has to be believed
    NEAR = 1.5  # times the input up to which its own size shows a frame's faces hardly larger
    ALIKE = 0.5  # IoU from which two looks saw the same
    ROOM = 10  # times as many faces are asked for as are followed, so that a crowd's rest is covered, too

    def __init__(
        self,
        found: Detector,
        least: float,
        most: int,
        faces: Callable[[int], Detector],
        sizes: tuple[int, int],
        whole: bool,
        score: float,
    ) -> None:
        """
        Args:
            found: finds whom to follow. Where it is `whole`, it looks for faces in the whole frame, and tells
                unsure ones, too; else it looks in a part of it, or for people, and all are followed.
            least, most: score from which a face is followed, and how many are at most, if `whole`.
            faces: makes a detector of unsure faces with an input of this long side.
            sizes: the input of `found`, and the most that a frame is looked at with: as large as it is.
            score: from which something may be a face; what is `SMALL` may be one from `FAINTER` of it on.
        """
        self._found, self._least, self._most, self._whole = found, least, most, whole
        self._faces, self._sizes, self._score = faces, sizes, score
        self._made: dict[int, Detector] = {}
        self.digest = found.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; `faint` holds what else may be one."""
        seen = self.look(image, closely=True)
        assert seen.faint is not None
        if seen.rare is None:
            return seen
        return replace(seen, faint=np.concatenate([seen.faint, seen.rare]), rare=None)

    def look(self, image: Image, closely: bool, instead: bool = False) -> Detections:
        """The same; unless `closely`, without the look at its own size, which is dear.

        Both are made then: each sees faces that the other misses. `rare` holds what the dear one saw beside
        the faces that are followed: those are seen often.

        Args:
            instead: close looks at this source take the place of common ones, whose input is hardly smaller
                (`is_near`). So there are fewer looks, and what is not small counts from `WARIER` of the score
                on, in common looks, too. Small faces that are followed are in `rare` as well: common looks
                may miss them.
        """
        height, width = image.shape[:2]
        size = self._size_for((width, height))
        closely &= size > self._sizes[0]
        share = self.WARIER if instead else 1.0
        if closely and instead and self._whole:
            seen = self._at(size).detect(image)
            sure = self._is_sure(seen)
            unsure = self._maybe(seen[~sure | _small(seen)], share)
            return replace(seen[sure], faint=_NONE, rare=unsure)
        seen = self._found.detect(image)
        faint, rare = [_NONE], None
        if self._whole:
            sure = self._is_sure(seen)
            faint.append(self._maybe(seen[~sure], share))
            seen = seen[sure]
        if closely or not self._whole:
            more = self._maybe(self._at(max(size, self._sizes[0])).detect(image), share)
            if self._whole:
                followed = iou(more, seen.boxes).max(axis=1, initial=0) >= self.ALIKE
                more, rare = more[followed], more[~followed]
            faint.append(more)
        return replace(seen, faint=np.concatenate(faint), rare=rare)

    def is_near(self, size: tuple[int, int]) -> bool:
        """Whether frames of this width and height are hardly larger than what they are looked at with."""
        return self._whole and self._size_for(size) <= self.NEAR * self._sizes[0]

    def _size_for(self, size: tuple[int, int]) -> int:
        """The input at which a frame of this width and height is as large as it is, or as large as may be."""
        return min(self._sizes[1], math.ceil(max(size) / STRIDE) * STRIDE)

    def _at(self, size: int) -> Detector:
        """What looks for faces with an input of this long side."""
        if size not in self._made:
            self._made[size] = self._faces(size)
        return self._made[size]

    def _is_sure(self, found: Detections) -> Bools:
        """Which of these faces are followed, (n,)."""
        sure = found.scores >= self._least
        return np.asarray(sure & (np.cumsum(sure) <= self._most))  # best first

    def _maybe(self, found: Detections, share: float) -> Floats:
        """The boxes (n, 4) of what may be a face; of what is not small, from this share of the score on."""
        least = np.where(_small(found), self.FAINTER, share) * self._score
        return found.boxes[found.scores >= least]


def _small(found: Detections) -> Bools:
    """Which boxes are smaller than `SMALL`, (n,)."""
    return np.asarray((found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) < WaryDetector.SMALL)
