"""Leads somebody before a camera through the looks that are wanted: straight ahead, left, right.

A lifted chin is not asked for: the landmarks of the detectors hardly show it (docs/security.md), so that
nobody could be told to have done it. "Left" is the person's own left. The preview is mirrored, as people
know themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from pipeline.drawing.draw import DARK, WHITE
from pipeline.drawing.lettering import put_text
from pipeline.faces.turn import yaw
from pipeline.types import Floats, Image

HOLD = 3  # frames in a row that a pose must be held; the best of them is kept
GOOD, POOR = (80, 180, 60), (60, 60, 220)  # of the quality bar, BGR


class Pose(Enum):
    """A look that is wanted, with the words that ask for it."""

    FRONT = "look straight into the camera"
    LEFT = "turn your head a little to your left"
    RIGHT = "turn your head a little to your right"


@dataclass(frozen=True, slots=True)
class Held:
    """One look in a pose: what was seen and how good it is."""

    crop: Image  # (112, 112, 3)
    score: float  # quality, 0..1
    seconds: float


class Guide:
    """Takes faces one after the other and says which pose comes next.

    Attributes:
        kept: the best look of each pose that is done.
    """

    def __init__(self, report: Callable[[str], None] = lambda words: None) -> None:
        self.kept: dict[Pose, Held] = {}
        self._report = report
        self._holding: list[Held] = []  # the looks of the present pose
        report(Pose.FRONT.value)

    @property
    def wanted(self) -> Pose | None:
        """The pose to be taken now; None when all are done."""
        return next((pose for pose in Pose if pose not in self.kept), None)

    def see(self, look: Held | None, landmarks: Floats | None) -> None:
        """Take in a frame: a face that is good enough with its landmarks (5, 2), or None and None."""
        pose = self.wanted
        if pose is None:
            return
        if look is None or landmarks is None or not self._is_in(pose, landmarks):
            self._holding = []  # it must be held, not passed through
            return
        self._holding.append(look)
        if len(self._holding) < HOLD:
            return
        self.kept[pose] = max(self._holding, key=lambda held: held.score)
        self._holding = []
        self._report(self.wanted.value if self.wanted else "done, thank you")

    @staticmethod
    def _is_in(pose: Pose, landmarks: Floats) -> bool:
        turned = yaw(landmarks)
        match pose:
            case Pose.FRONT:
                return abs(turned) < 0.2
            case Pose.LEFT:
                return 0.2 <= turned <= 0.75
            case Pose.RIGHT:
                return -0.75 <= turned <= -0.2


def preview(image: Image, words: str, score: float, done: int, of: int, box: Floats | None = None) -> Image:
    """The mirrored picture with the words, a bar of the quality (0..1), and how many poses are done."""
    shown = np.ascontiguousarray(image[:, ::-1])
    height, width = shown.shape[:2]
    pixels = max(14, height // 22)
    colour = GOOD if score >= 0.5 else POOR
    if box is not None:
        x1, y1, x2, y2 = (round(float(value)) for value in box)
        cv2.rectangle(shown, (width - x2, y1), (width - x1, y2), colour, max(1, height // 240))
    panel = 3 * pixels
    shown[height - panel :] = DARK
    put_text(
        shown,
        f"{done + 1 if done < of else of}/{of}  {words}",
        (pixels, height - panel + pixels // 3),
        pixels,
        WHITE,
    )
    left, right, top = pixels, width - pixels, height - pixels
    cv2.rectangle(shown, (left, top), (right, top + pixels // 2), WHITE, 1)
    end = left + round((right - left) * float(np.clip(score, 0, 1)))
    cv2.rectangle(shown, (left, top), (max(left, end), top + pixels // 2), colour, cv2.FILLED)
    return shown
