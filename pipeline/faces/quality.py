"""Whether a face shows enough to tell who it is. Never asks the gallery: that would be choosing evidence."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.config import EnrollSettings
from pipeline.types import Floats, Image


@dataclass(frozen=True, slots=True)
class Quality:
    """What limits a look; row i of each is one face."""

    side: Floats  # (n,) shorter side of the box, pixels
    sharpness: Floats  # (n,) deviation of the crop's Laplacian, grey levels
    turn: Floats  # (n,) 0 frontal .. 1 profile
    cut: Floats  # (n,) share of the box at or beyond the edge of the frame: 0 or 1

    def score(self) -> Floats:
        """One number in 0..1 for each face (n,), for ranking and weighing looks."""
        size = np.clip((self.side - 16) / (80 - 16), 0.05, 1)
        sharp = np.clip(self.sharpness / 12, 0.05, 1)  # 12.5: the median of LFW
        frontal = np.clip(1.15 - self.turn, 0.05, 1)
        return np.asarray(np.sqrt(size * sharp) * frontal * (1 - 0.5 * self.cut), np.float32)


def least(settings: EnrollSettings) -> float:
    """The score of a frontal face that is only just large and sharp enough to be enrolled."""
    side, sharpness = np.array([settings.min_face]), np.array([settings.min_sharpness])
    nothing = np.zeros(1, np.float32)
    return float(Quality(side.astype(np.float32), sharpness.astype(np.float32), nothing, nothing).score()[0])


def measure(image: Image, boxes: Floats, landmarks: Floats, crops: Image) -> Quality:
    """Quality of faces with these boxes (n, 4), landmarks (n, 5, 2) and aligned crops (n, 112, 112, 3)."""
    height, width = image.shape[:2]
    side = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) if len(boxes) else np.zeros(0, np.float32)
    edge = (boxes[:, 0] <= 1) | (boxes[:, 1] <= 1) | (boxes[:, 2] >= width - 1) | (boxes[:, 3] >= height - 1)
    sharp = np.array([sharpness(crop) for crop in crops], np.float32)
    return Quality(side.astype(np.float32), sharp, turn(landmarks), edge.astype(np.float32))


def turn(landmarks: Floats) -> Floats:
    """How far each head is turned aside, from landmarks (n, 5, 2): 0 frontal, 1 profile; (n,).

    A frontal nose lies half-way between the eyes, measured along the line of the eyes; in profile it lies
    beyond one of them. Without landmarks nothing is known, which counts as half turned.
    """
    left, right, nose = landmarks[:, 0], landmarks[:, 1], landmarks[:, 2]
    eyes = right - left
    length = np.maximum((eyes**2).sum(axis=1), 1e-6)
    along = ((nose - left) * eyes).sum(axis=1) / length
    return np.asarray(np.nan_to_num(np.clip(np.abs(along - 0.5) * 2, 0, 1), nan=0.5), np.float32)


def sharpness(crop: Image) -> float:
    """How sharp an aligned crop (112, 112, 3) is: the deviation of its Laplacian, in grey levels."""
    # On the face itself: the background of a crop says nothing of the face's focus.
    grey = cv2.cvtColor(crop[24:104, 20:92], cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std())
