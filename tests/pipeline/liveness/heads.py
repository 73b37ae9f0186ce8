"""Heads and photographs before a pinhole camera: as five landmarks, exact but for the noise asked for, and as
surfaces whose pixels can be followed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ClassVar

import cv2
import numpy as np

from pipeline.faces.turn import yaw
from pipeline.liveness.challenge import Move
from pipeline.liveness.geometry import PLANE
from pipeline.liveness.relief import LEFT, SIZE, TOP, UNIT, Crop, points_of
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


# From places on a face seen from the front (n, 2) to points (n, 3), as HEAD has them.
Surface = Callable[[np.ndarray], np.ndarray]
FACE = HEAD[:, :2]


def nosed(places: np.ndarray) -> np.ndarray:
    """Cheeks that fall away to the sides, and a nose before them: longer above its tip than below."""
    x, y = places.T
    long = np.where(y < 0.62, 0.45, 0.25)
    nose = 0.45 * np.exp(-((x / 0.26) ** 2) - ((y - 0.62) / long) ** 2)
    return np.column_stack([places, 0.1 * y - 0.3 * (x**2 - 0.25) + nose])


@functools.cache
def sheet(radius: float = float("inf"), axis: float = 0.0) -> Surface:
    """A print of a face, bent around a cylinder.

    Args:
        radius: of the cylinder, in distances of the eyes.
        axis: degrees from upright.
    """
    a = np.radians(axis)
    across, along = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    middle = np.array([0.0, 0.5])

    def surface(places: np.ndarray) -> np.ndarray:
        if not np.isfinite(radius):
            return np.column_stack([places, np.zeros(len(places))])
        u, v = (places - middle) @ across, (places - middle) @ along
        flat = np.outer(radius * np.sin(u / radius), across) + np.outer(v, along) + middle
        return np.column_stack([flat, radius * (np.cos(u / radius) - 1)])

    return surface


def laid(
    surface: Surface, places: np.ndarray, left: float, up: float = 0.0, roll: float = 0.0, away: float = AWAY
) -> np.ndarray:
    """Where a camera sees places (n, 2) of a surface that is turned about a neck, degrees: (n, 2), laid as
    `relief.crop` lays a face."""

    def pixels(some: np.ndarray) -> np.ndarray:
        return projected(turned(surface(some), left, up, roll), away).astype(np.float64)

    four = pixels(FACE[PLANE]).astype(np.float32)
    laid = np.array([[-0.5, 0], [0.5, 0], [0, 1.1]], np.float32)
    matrix = cv2.getAffineTransform(np.stack([four[0], four[1], four[2:].mean(axis=0)]), laid)
    return np.asarray(pixels(places) @ matrix[:, :2].T + matrix[:, 2])


def tracked(
    surface: Surface, front: tuple[float, ...], aside: tuple[float, ...], away: float
) -> list[np.ndarray]:
    """The points (n, 2) that `relief` follows, as seen from the front and in a turn (left, up, roll)."""
    wanted = points_of(FACE)
    places = wanted.astype(np.float64)
    for _ in range(12):  # they are chosen where they are seen, not on the surface
        places[:-4] += (wanted - laid(surface, places, *front, away=away))[:-4]
    return [laid(surface, places, *pose, away=away) for pose in (front, aside)]


@functools.cache
def crop_of(surface: Surface, left: float, away: float = AWAY) -> Crop:
    """What `relief.crop` makes of a picture of a surface with something to see on all of it."""
    # Every fourth pixel is enough, and what is between them.
    x, y = np.meshgrid(np.arange(-2, SIZE[0] + 4, 4.0), np.arange(-2, SIZE[1] + 4, 4.0))
    wanted = np.stack([x.ravel(), y.ravel()], axis=1) / UNIT + (LEFT, TOP)
    places = wanted.copy()
    for _ in range(15):
        places += 0.8 * (wanted - laid(surface, places, left, away=away))
    coarse = ((places + 3) * UNIT).astype(np.float32).reshape(*x.shape, 2)
    # `resize` puts the middle of the first pixel at 1.5 of the fine ones: that is 0 of the picture at 3.5.
    maps = cv2.resize(coarse, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    maps = cv2.warpAffine(maps, np.float32([[1, 0, -3.5], [0, 1, -3.5]]), SIZE)
    right, down = (np.ascontiguousarray(maps[..., axis]) for axis in (0, 1))
    grey = cv2.remap(_skin(), right, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    points = laid(surface, FACE, left, away=away).astype(np.float32)
    return Crop(grey, points, yaw(points))


@functools.cache
def _skin() -> Floats:
    """Blots of all sizes (h, w) uint8."""
    random, made = np.random.default_rng(0), np.zeros((6 * UNIT, 6 * UNIT))
    for size in (2, 5, 12):
        made += size * cv2.GaussianBlur(random.normal(0, 1, made.shape), (0, 0), size)
    return np.asarray(np.clip(128 + 45 * made / made.std(), 0, 255), np.uint8)


class Actor:
    """A head that sees what is asked and does it after a while, as somebody does who listens.

    Attributes:
        pose: degrees to the left, degrees up, eye distances away, degrees towards the left shoulder.
    """

    WAYS: ClassVar = {
        Move.LEFT: (28.0, 0.0, 8.0, 0.0),
        Move.RIGHT: (-28.0, 0.0, 8.0, 0.0),
        Move.UP: (0.0, 18.0, 8.0, 0.0),
        Move.NEARER: (0.0, 0.0, 6.0, 0.0),
        Move.TILT_LEFT: (0.0, 0.0, 8.0, 16.0),  # of 20, as the landmarks of `face-n` show it
        Move.TILT_RIGHT: (0.0, 0.0, 8.0, -16.0),
        None: (0.0, 0.0, 8.0, 0.0),
    }

    def __init__(self, fps: float = 20.0, reaction: float = 0.35, motion: float = 0.3) -> None:
        self.pose = self.WAYS[None]
        self._goal = self.pose
        self._fps, self._reaction, self._motion = fps, reaction, motion
        self._asked: Move | None = None
        self._heard = 0.0

    def move(self, now: float, asked: Move | None) -> tuple[float, float, float, float]:
        """How the head is held at this time, while this is asked."""
        if asked is not self._asked:
            self._asked, self._heard = asked, now
        if now - self._heard >= self._reaction:
            self._goal = self.WAYS[asked]
        step = 1 / (self._motion * self._fps)
        self.pose = tuple(
            a + float(np.clip(g - a, -step * w, step * w))
            for a, g, w in zip(self.pose, self._goal, (28, 18, 2, 16), strict=True)
        )
        return self.pose
