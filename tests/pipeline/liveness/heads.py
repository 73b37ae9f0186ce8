"""Heads and photographs before a pinhole camera, as five landmarks; exact, but for the noise asked for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pipeline.liveness.challenge import Move
from pipeline.types import Floats

# Eyes one apart, nose and mouth before them; x to the right, y down, z towards the camera. In eye distances.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.62, 0.5], [-0.4, 1.1, 0.12], [0.4, 1.1, 0.12]])
FOCAL = 600.0  # pixels
AWAY = 8.0  # eye distances: half a metre


def turned(points: np.ndarray, left: float = 0.0, up: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Points (n, 3) turned about a neck behind them, degrees; left is the head's own."""
    a, b, c = np.radians([left, up, roll])
    pivot = np.array([0.0, 0.8, -1.2])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return (points - pivot) @ (about_z @ about_x @ about_y).T + pivot


def projected(points: np.ndarray, away: float = AWAY) -> Floats:
    """Pixels (n, 2) of points (n, 3) by a pinhole camera that is `away` from the eyes."""
    return np.asarray(points[:, :2] * FOCAL / (away - points[:, 2])[:, None] + (320, 200), np.float32)


def head(
    left: float = 0.0, up: float = 0.0, roll: float = 0.0, away: float = AWAY, depth: float = 1.0
) -> Floats:
    """Landmarks (5, 2) of a head; `depth` squeezes it: 0 is a photograph of one from the front."""
    return projected(turned(HEAD * (1, 1, depth), left, up, roll), away)


def print_of(
    landmarks: Floats, left: float = 0.0, up: float = 0.0, roll: float = 0.0, away: float = AWAY
) -> Floats:
    """Landmarks (5, 2) of a flat print of a picture with these landmarks, turned before the camera."""
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    plane = (landmarks - landmarks[:2].mean(axis=0)) / eyes
    flat = np.concatenate([plane, np.zeros((5, 1))], axis=1)
    return projected(turned(flat, left, up, roll), away)


def bent(landmarks: Floats, radius: float, left: float = 0.0, away: float = AWAY) -> Floats:
    """The same of a print bent around an upright cylinder of that radius, in distances of the eyes."""
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    plane = (landmarks - landmarks[:2].mean(axis=0)) / eyes
    angle = plane[:, 0] / radius
    points = np.stack([radius * np.sin(angle), plane[:, 1], radius * (np.cos(angle) - 1)], axis=1)
    return projected(turned(points, left), away)


def noisy(landmarks: Floats, deviation: float, random: np.random.Generator) -> Floats:
    """With noise of a standard deviation in distances of the eyes along x and y."""
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    return np.asarray(landmarks + random.normal(0, deviation * eyes, landmarks.shape), np.float32)


class Actor:
    """A head that sees what is asked and does it after a while, as somebody does who listens.

    Attributes:
        pose: degrees to the left, degrees up, eye distances away.
    """

    WAYS: ClassVar = {
        Move.LEFT: (28.0, 0.0, 8.0),
        Move.RIGHT: (-28.0, 0.0, 8.0),
        Move.UP: (0.0, 18.0, 8.0),
        Move.NEARER: (0.0, 0.0, 6.0),
        None: (0.0, 0.0, 8.0),
    }

    def __init__(self, fps: float = 20.0, reaction: float = 0.35, motion: float = 0.3) -> None:
        self.pose = self.WAYS[None]
        self._goal = self.pose
        self._fps, self._reaction, self._motion = fps, reaction, motion
        self._asked: Move | None = None
        self._heard = 0.0

    def move(self, now: float, asked: Move | None) -> tuple[float, float, float]:
        """How the head is held at this time, while this is asked."""
        if asked is not self._asked:
            self._asked, self._heard = asked, now
        if now - self._heard >= self._reaction:
            self._goal = self.WAYS[asked]
        step = 1 / (self._motion * self._fps)
        self.pose = tuple(
            a + float(np.clip(g - a, -step * w, step * w))
            for a, g, w in zip(self.pose, self._goal, (28, 18, 2), strict=True)
        )
        return self.pose
