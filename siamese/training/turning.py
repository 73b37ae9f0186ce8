"""Heads turned by warping: a face in half profile from a frontal one.

A head is taken for half an ellipsoid with a nose on it, seen from far away. Turning it by an angle moves each
pixel sideways by its depth; what comes to lie behind something nearer is hidden. No pixel is invented: where
the far cheek would come into view, the near border of what was seen is stretched. The result is aligned again
by the five landmarks, as a detector would have it aligned.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIZE = 112
CENTER, HALF_WIDTH, HALF_HEIGHT, DEPTH = (56.0, 64.0), 47.0, 66.0, 46.0  # of the head, in pixels of a crop
NOSE, NOSE_DEPTH, NOSE_WIDTH, NOSE_HEIGHT = (56.0, 74.0), 14.0, 9.0, 13.0
# Where eyes, nose and mouth corners lie in a crop: `pipeline.faces.align.TEMPLATE`, which this package may
# not import.
LANDMARKS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)


def depth(x: Floats, y: Floats) -> Floats:
    """How far in front of the head's middle plane the face is at pixels (x, y) of a crop; 0 beside it."""
    inside = 1 - ((x - CENTER[0]) / HALF_WIDTH) ** 2 - ((y - CENTER[1]) / HALF_HEIGHT) ** 2
    nose = np.exp(-(((x - NOSE[0]) / NOSE_WIDTH) ** 2 + ((y - NOSE[1]) / NOSE_HEIGHT) ** 2) / 2)
    return (DEPTH * np.sqrt(np.maximum(inside, 0)) + NOSE_DEPTH * nose).astype(np.float32)


@lru_cache(maxsize=64)
def turned(degrees: int) -> tuple[Floats, Floats]:
    """Where each pixel of a turned, newly aligned crop comes from in the frontal one: x, y, (112, 112) each.

    Args:
        degrees: by how much the head is turned, -80 to 80; above 0 its nose goes to the right of the image.
    """
    if degrees > 0:
        columns, rows = turned(-degrees)
        return np.ascontiguousarray(SIZE - 1 - columns[:, ::-1]), np.ascontiguousarray(rows[:, ::-1])
    angle = np.deg2rad(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    places = np.arange(SIZE, dtype=np.float32)
    x, y = np.meshgrid(places, places)
    moved = CENTER[0] + (x - CENTER[0]) * cos + depth(x, y) * sin
    # Of all that comes to one place of a row the nearest is seen. Going from the side that turns towards us,
    # the farthest place reached so far hides what falls behind it.
    source = np.empty((SIZE, SIZE), np.float32)
    for row in range(SIZE):
        shown = np.minimum.accumulate(moved[row, ::-1])[::-1]
        rising = shown + np.arange(SIZE) * 1e-4  # strictly, as interpolation needs it
        source[row] = np.interp(places, rising, places)
    points = LANDMARKS.copy()
    points[:, 0] = CENTER[0] + (points[:, 0] - CENTER[0]) * cos + depth(points[:, 0], points[:, 1]) * sin
    linear, shift = _similarity(points, LANDMARKS)
    inverse = np.linalg.inv(linear)
    back = (np.stack([x, y], -1) - shift) @ inverse.T
    columns = np.clip(back[..., 0], 0, SIZE - 1)
    rows = np.clip(back[..., 1], 0, SIZE - 1)
    low = np.floor(columns).astype(int).clip(0, SIZE - 2)
    nearest = np.rint(rows).astype(int)
    share = columns - low
    found = source[nearest, low] * (1 - share) + source[nearest, low + 1] * share
    return found.astype(np.float32), rows.astype(np.float32)


def _similarity(points: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Rotation with scale (2, 2) and shift (2,) that bring `points` (n, 2) closest to `target` (n, 2)."""
    middle, wanted = points.mean(0), target.mean(0)
    a, b = points - middle, target - wanted
    size = float((a**2).sum())
    along, across = float((a * b).sum()) / size, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    linear = np.array([[along, -across], [across, along]], np.float32)
    return linear, wanted - linear @ middle
