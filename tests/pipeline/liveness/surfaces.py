"""Faces as surfaces before a pinhole camera: a head with a nose, and sheets of paper, flat and bent."""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np

from pipeline.faces.turn import yaw
from pipeline.liveness.geometry import PLANE
from pipeline.liveness.relief import AROUND, LEFT, SIZE, TOP, UNIT, Crop
from pipeline.types import Floats

# From places on a face seen from the front (n, 2) to points (n, 3), as `heads.HEAD` has them: x to the right,
# y down, z towards the camera, in distances of the eyes.
Surface = Callable[[np.ndarray], np.ndarray]
FACE = np.array([[-0.5, 0], [0.5, 0], [0, 0.62], [-0.4, 1.1], [0.4, 1.1]])
_NECK = np.array([0.0, 0.8, -1.2])


def head(places: np.ndarray) -> np.ndarray:
    """Cheeks that fall away to the sides, and a nose before them: longer above its tip than below."""
    x, y = places.T
    long = np.where(y < 0.62, 0.45, 0.25)
    nose = 0.45 * np.exp(-((x / 0.26) ** 2) - ((y - 0.62) / long) ** 2)
    return np.column_stack([places, 0.1 * y - 0.3 * (x**2 - 0.25) + nose])


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


def seen(
    surface: Surface, places: np.ndarray, left: float, up: float = 0.0, roll: float = 0.0, away: float = 8.0
) -> np.ndarray:
    """Where a camera sees places (n, 2) of a surface that is turned about a neck, degrees: (n, 2), laid as
    `relief.crop` lays a face."""
    a, b, c = np.radians([left, up, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])

    def pixels(some: np.ndarray) -> np.ndarray:
        points = (surface(some) - _NECK) @ (about_z @ about_x @ about_y).T + _NECK
        return np.asarray(points[:, :2] / (away - points[:, 2])[:, None])

    four = pixels(FACE[PLANE]).astype(np.float32)
    laid = np.array([[-0.5, 0], [0.5, 0], [0, 1.1]], np.float32)
    matrix = cv2.getAffineTransform(np.stack([four[0], four[1], four[2:].mean(axis=0)]), laid)
    return np.asarray(pixels(places) @ matrix[:, :2].T + matrix[:, 2])


def tracked(
    surface: Surface, front: tuple[float, ...], turned: tuple[float, ...], away: float
) -> list[np.ndarray]:
    """The points (21, 2) that are followed, as seen from the front and in a turn (left, up, roll)."""
    tip = FACE[2]
    wanted = np.concatenate([tip[None], tip + AROUND, tip - AROUND, FACE[PLANE]])
    places = wanted.copy()
    for _ in range(12):  # they are chosen where they are seen, not on the surface
        places[:17] += (wanted - seen(surface, places, *front, away=away))[:17]
    return [seen(surface, places, *pose, away=away) for pose in (front, turned)]


def crop_of(surface: Surface, left: float, away: float = 8.0) -> Crop:
    """What `relief.crop` makes of a picture of a surface with something to see on all of it."""
    # Every fourth pixel is enough, and what is between them.
    x, y = np.meshgrid(np.arange(-2, SIZE[0] + 4, 4.0), np.arange(-2, SIZE[1] + 4, 4.0))
    wanted = np.stack([x.ravel(), y.ravel()], axis=1) / UNIT + (LEFT, TOP)
    places = wanted.copy()
    for _ in range(15):
        places += 0.8 * (wanted - seen(surface, places, left, away=away))
    coarse = ((places + 3) * UNIT).astype(np.float32).reshape(*x.shape, 2)
    # `resize` puts the middle of the first pixel at 1.5 of the fine ones: that is 0 of the picture at 3.5.
    maps = cv2.resize(coarse, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    maps = cv2.warpAffine(maps, np.float32([[1, 0, -3.5], [0, 1, -3.5]]), SIZE)
    right, down = (np.ascontiguousarray(maps[..., axis]) for axis in (0, 1))
    grey = cv2.remap(_skin(), right, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    points = seen(surface, FACE, left, away=away).astype(np.float32)
    return Crop(grey, points, yaw(points))


@functools.cache
def _skin() -> Floats:
    """Blots of all sizes (h, w) uint8."""
    random, made = np.random.default_rng(0), np.zeros((6 * UNIT, 6 * UNIT))
    for size in (2, 5, 12):
        made += size * cv2.GaussianBlur(random.normal(0, 1, made.shape), (0, 0), size)
    return np.asarray(np.clip(128 + 45 * made / made.std(), 0, 255), np.uint8)
