"""What five landmarks say of depth: those of a photograph obey one homography, those of a turned head do not.

A pinhole camera maps a plane to its picture by a homography, and so one picture of a plane to another,
however it is moved, tilted or turned. The eyes and the corners of the mouth are four points, which fix that
homography; where the nose goes is then known, if it lies in their plane. A nose that stands h distances of
the eyes before that plane leaves its place by h tan(turn) along the eyes when the head turns.

Two things are asked of a turn:

- Parallax: how far the nose leaves the place that the homography of eyes and mouth gives it. 0 of a flat
  picture, whatever is done with it.
- Slope: how far the nose goes aside, divided by the tangent of the turn, which the foreshortening of the
  eyes' distance against the way from eyes to mouth tells (cos(turn), seen from far enough). That is h: 0 of
  a flat picture, about half a distance of the eyes of a head, and little of a print bent around something.

Both come with an interval that the landmarks' own noise gives, found by drawing landmarks again with that
noise. Lengths are in distances of the eyes as the head was seen from the front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.faces.turn import nod, yaw
from pipeline.types import Floats

SURE = 0.95  # of an interval
DRAWS = 400
LEAST_NOISE = 0.004  # in distances of the eyes; nobody's landmarks are better
PLANE = [0, 1, 3, 4]  # the landmarks that fix the plane; the nose is 2
_TURNED = 0.02  # tangents of turns below this cannot be told from none


@dataclass(frozen=True, slots=True)
class HeadPose:
    """How a head is held in one frame, by its landmarks."""

    turn: float  # to its own left, 0 frontal, 1 profile; negative to the right (`pipeline.faces.turn.yaw`)
    nod: float  # where the nose is on the way from eyes (0) to mouth (1); falls when the chin rises
    size: float  # from eyes to mouth, pixels: a turn to the side leaves it as it is
    roll: float  # degrees towards its own left shoulder, in an image that is not mirrored
    landmarks: Floats  # (5, 2)


@dataclass(frozen=True, slots=True)
class Depth:
    """What a turn showed of depth, in distances of the eyes, with the bounds of its interval."""

    parallax: float
    parallax_low: float
    slope: float
    slope_low: float
    slope_high: float
    noise: float  # of the landmarks, standard deviation along x and y
    frames: int  # turned ones that it rests on

    def shown(self, least_parallax: float, least_slope: float) -> bool:
        """Whether both are surely more than that."""
        return self.parallax_low >= least_parallax and self.slope_low >= least_slope


def pose(landmarks: Floats) -> HeadPose | None:
    """Of landmarks (5, 2); None where they are not known, or fall together."""
    if not np.isfinite(landmarks).all():
        return None
    size = float(np.linalg.norm(landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)))
    if size < 1 or float(np.linalg.norm(landmarks[1] - landmarks[0])) < 1:
        return None
    across, down = (landmarks[1] - landmarks[0]) + (landmarks[4] - landmarks[3])
    return HeadPose(
        yaw(landmarks), nod(landmarks), size, math.degrees(math.atan2(float(down), float(across))), landmarks
    )


def noise(landmarks: Sequence[Floats]) -> float:
    """Standard deviation of landmarks along x and y from frame to frame, in distances of the eyes.

    Of each three frames after each other the middle one's distance from the mean of its neighbours, as
    `benchmarks/wobble.py` has it: movement that is even over three frames counts for nothing.

    Args:
        landmarks: of frames after each other, each (5, 2); at least three, else the result is infinite.
    """
    if len(landmarks) < 3:
        return float("inf")
    points = np.stack(landmarks).astype(np.float64)
    bend = points[:-2] - 2 * points[1:-1] + points[2:]
    eyes = np.linalg.norm(points[1:-1, 1] - points[1:-1, 0], axis=1)
    # The length of a - 2 b + c over two dimensions has the median sqrt(6) s sqrt(2 ln 2).
    each = np.median(np.linalg.norm(bend, axis=2), axis=1) / np.maximum(eyes, 1)
    return max(LEAST_NOISE, float(np.median(each) / (np.sqrt(6) * np.sqrt(2 * np.log(2)))))


def depth(front: Sequence[Floats], turned: Sequence[Floats], deviation: float, seed: int = 0) -> Depth:
    """What turned frames show of depth against frontal ones.

    Args:
        front, turned: landmarks of frames, each (5, 2), at least one of each.
        deviation: of the landmarks, in distances of the eyes, as `noise` tells.
        seed: of the draws, so that the same frames give the same interval.
    """
    before, after = _upright(front), _upright(turned)
    parallax, slope = _measure(before[None], after[None])
    if not np.isfinite(deviation):
        return Depth(float(parallax[0]), 0.0, float(slope[0]), 0.0, float("inf"), deviation, len(turned))
    random = np.random.default_rng(seed)
    # Noise of frames after each other is not independent; half of them count.
    spread = [deviation / np.sqrt(max(1.0, len(frames) / 2)) for frames in (front, turned)]
    drawn = [
        points + random.normal(0, by, (DRAWS, 5, 2))
        for points, by in zip((before, after), spread, strict=True)
    ]
    parallaxes, slopes = _measure(*drawn)
    tail = 1 - SURE  # each is asked for one side only: is it at least so much?
    return Depth(
        float(parallax[0]),
        float(np.quantile(parallaxes * np.sign(parallax[0]), tail)),
        float(slope[0]),
        float(np.quantile(slopes, tail)),
        float(np.quantile(slopes, SURE)),
        deviation,
        len(turned),
    )


def off_plane(front: Floats, seen: Floats) -> Floats:
    """How far the nose of `seen` (5, 2) is from where the plane of eyes and mouth of `front` (5, 2) has it,
    (2,).

    In the units of `front`; 0 for any view of a flat picture of `front`.
    """
    matrix = cv2.getPerspectiveTransform(seen[PLANE].astype(np.float32), front[PLANE].astype(np.float32))
    x, y, w = matrix @ np.array([seen[2, 0], seen[2, 1], 1.0])
    return np.asarray(np.array([x / w, y / w]) - front[2], np.float32)


def _upright(frames: Sequence[Floats]) -> np.ndarray:
    """The mean (5, 2) of frames, each turned so that the eyes are level and one apart at its own distance."""
    placed = []
    for points in frames:
        exact = points.astype(np.float64)
        eyes = exact[1] - exact[0]
        unit = eyes / max(float(np.linalg.norm(eyes)), 1e-6)
        turned = (exact - exact[:2].mean(axis=0)) @ np.array([[unit[0], -unit[1]], [unit[1], unit[0]]])
        placed.append(turned / max(float(np.linalg.norm(eyes)), 1e-6))
    return np.asarray(np.mean(placed, axis=0))


def _measure(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parallax along the eyes (n,) and slope (n,) of upright landmarks (n, 5, 2)."""
    parallax = np.array(
        [off_plane(a.astype(np.float32), b.astype(np.float32))[0] for a, b in zip(before, after, strict=True)]
    )
    aside = _aside(after) - _aside(before)
    cosine = np.clip(_breadth(after) / np.maximum(_breadth(before), 1e-6), 1e-3, 1.0)
    tangent = np.maximum(np.sqrt(1 / cosine**2 - 1), _TURNED)
    return parallax, np.abs(aside) / tangent


def _aside(points: np.ndarray) -> np.ndarray:
    """Where the nose is along the eyes, from their middle, in their distance (n,)."""
    eyes = points[:, 1] - points[:, 0]
    length = np.maximum((eyes**2).sum(axis=1), 1e-12)
    return np.asarray(((points[:, 2] - points[:, :2].mean(axis=1)) * eyes).sum(axis=1) / length)


def _breadth(points: np.ndarray) -> np.ndarray:
    """The distance of the eyes in the way from eyes to mouth (n,)."""
    way = points[:, 3:].mean(axis=1) - points[:, :2].mean(axis=1)
    across = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    return np.asarray(across / np.maximum(np.linalg.norm(way, axis=1), 1e-6))
