"""Whether a nose stands out in every direction, by pixels: there is one in which a bent sheet has no depth.

Paper bends and does not stretch, so a bent sheet is a developable surface: through each of its points goes a
straight line that lies in it. Along that line depth grows evenly. A nose stands out along every line: against
nasion and lip, against both cheeks, and aslant.

Seen from the front and turned aside, a plane moves by a homography, and what stands before it moves further
along the eyes, in proportion to its depth; by how much further is the parallax p. Take the tip T of the nose
and two points as far from it on both sides, T + d and T - d. Whatever part of p grows evenly over the picture
falls out of 2 p(T) - p(T + d) - p(T - d): by so much T stands out along d. On a sheet bent around an axis
that goes with the square of the sine of the angle between d and the axis. Of eight directions 22.5 degrees
apart one is within 11.25 degrees of the axis: of a bent sheet the smallest is at most 0.04 of the largest (up
to 0.11 as a camera sees it from near), and of a flat one all are 0.

That holds for every point T of a sheet and every length of d, so it holds for any sum over them. Where the
tip of a nose is nobody knows: its landmark is mostly below it, by more where a head is lifted, and the mouth
may move. So many points T are tried, upwards from the landmark, and they are summed with weights that grow
with how far each stands out, whichever way it does. On a head the tip comes to the fore so; on a sheet all
stand out alike, and no sum of them does in the direction of its axis.

Points are followed by dense optical flow from the face seen from the front, in small crops in which eyes and
mouth are always at the same places. Where flow there and back do not agree a frame says nothing. Lengths are
in distances of the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.faces.turn import yaw
from pipeline.liveness.geometry import PLANE
from pipeline.types import Floats, Image

UNIT = 44  # pixels of a crop from eye to eye
MOUTH = 1.1  # how far below the eyes a crop has the mouth
LEFT, TOP, RIGHT, BOTTOM = -1.2, -0.8, 1.2, 1.8  # of a crop, from the middle of the eyes
TIPS = tuple(0.05 * step for step in range(9))  # how far above the landmark of the nose its tip may be
REACHES = (0.4, 0.5)  # from the tip of the nose to the points around it
PROMINENT = 0.1  # by so much more a tip stands out per half turn that counts e times as much
PATCH = 2  # pixels on each side of a point over which flow is averaged
ASTRAY = 0.15  # from where flow began it may end, there and back
TURNED = 0.2  # of a half turn, against the front, from which on a frame says something
FRONTAL = 0.1  # of a half turn, likewise, up to which a face is seen from the front again
FRAMES = 2  # that must say something
FOLLOWED = 0.5  # share of the points that must be, or a frame says nothing

SIZE = (round((RIGHT - LEFT) * UNIT), round((BOTTOM - TOP) * UNIT))
_ANGLES = np.arange(8) * np.pi / 8
_LEAST = 4  # pixels
_STILL = np.zeros((*SIZE[::-1], 2), np.float32)  # flow
_AROUND = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # (8, 2)
# Of all points that are followed those of each set: a tip, and eight on both sides of it at one reach.
_TIP = np.repeat(np.arange(len(TIPS)), len(REACHES))  # (sets,)
_RINGS = len(TIPS) + np.arange(16 * len(_TIP)).reshape(-1, 2, 8)  # (sets, sides, directions)


@dataclass(frozen=True, slots=True)
class Crop:
    """A face as small as flow needs it, with eyes and mouth where they are in every crop."""

    grey: Image  # (h, w)
    points: Floats  # (5, 2) the landmarks, distances of the eyes from their middle
    turn: float  # to the person's left, 0 frontal, 1 profile


@dataclass(frozen=True, slots=True)
class Relief:
    """By how much the nose stands out along each direction, per half turn."""

    out: Floats  # (8,)
    without: Floats  # (frames, 8), where one frame is left out; NaN where it takes that one to know
    share: float  # the smallest of `out` by the largest
    share_low: float  # the lowest of it where one of the frames is left out; -1 where it takes each
    frames: int  # that it rests on

    def shown(self, least: float) -> bool:
        """Whether it stands out in every direction by that share, whichever frame is left out."""
        return self.share_low >= least


def together(turns: Sequence[Relief]) -> Relief:
    """What several turns say of one face: the mean of them.

    A sheet stands out nowhere along its axis, whichever way it is turned; what flow makes of a head in one
    turn is by chance in good part. Who bends a sheet around another axis between two turns gains by this
    mean, so each turn by itself must show something, too.

    Args:
        turns: at least one.
    """
    out = np.mean([each.out for each in turns], axis=0)
    without = []
    for place, left_out in enumerate(turns):
        rest = [each.out for other, each in enumerate(turns) if other != place]
        for row in left_out.without:
            there = rest if np.isnan(row).any() else [*rest, row]
            without.append(np.mean(there, axis=0) if there else row)
    return _relief(out, np.stack(without))


def _relief(out: np.ndarray, without: np.ndarray) -> Relief:
    low = min(-1.0 if np.isnan(each).any() else _share(each) for each in without)
    return Relief(out.astype(np.float32), without.astype(np.float32), _share(out), low, len(without))


def points_of(landmarks: Floats) -> Floats:
    """All points (n, 2) that are followed in a face seen from the front: where the tip of the nose may be, a
    ring around each of these at each reach, eyes and corners of the mouth.

    Args:
        landmarks: (5, 2), distances of the eyes, level.
    """
    tips = landmarks[2] - np.array([[0.0, up] for up in TIPS])
    rings = [tip + reach * _AROUND * side for tip in tips for reach in REACHES for side in (1, -1)]
    return np.concatenate([tips, *rings, landmarks[PLANE]]).astype(np.float32)


def crop(image: Image, landmarks: Floats) -> Crop | None:
    """The face with these landmarks (5, 2) in an image (h, w, 3) BGR; None where they are not known, or fall
    together."""
    points = landmarks.astype(np.float32)
    if not np.isfinite(points).all():
        return None
    seen = np.stack([points[0], points[1], points[3:].mean(axis=0)])
    (a, b), (c, d) = seen[1] - seen[0], seen[2] - seen[0]
    if abs(float(a * d - b * c)) < _LEAST**2:
        return None
    times = int(np.clip(round(float(np.hypot(a, b)) / UNIT), 1, 4))  # larger first, then averaged
    level = np.array([[-0.5, 0], [0.5, 0], [0, MOUTH]]) - (LEFT, TOP)
    matrix = cv2.getAffineTransform(seen, (times * UNIT * level).astype(np.float32))
    large = cv2.warpAffine(image, matrix, (times * SIZE[0], times * SIZE[1]), borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.resize(cv2.cvtColor(large, cv2.COLOR_BGR2GRAY), SIZE, interpolation=cv2.INTER_AREA)
    placed = (points @ matrix[:, :2].T + matrix[:, 2]) / (times * UNIT) + (LEFT, TOP)
    return Crop(np.asarray(grey, np.uint8), placed.astype(np.float32), yaw(points))


class Turned:
    """Follows the points around a nose through one turn aside.

    From two faces seen from the front: the one before the first move, and the newest before this turn, whose
    light, mouth and place are more alike.
    """

    def __init__(self, front: Crop, left: bool) -> None:
        """
        Args:
            front: the face before the first move.
            left: it is asked to turn to the person's own left.
        """
        self._sign = 1.0 if left else -1.0
        self._followed = [_Followed(front, self._sign)]
        self._frontal = front.turn
        self._turns: list[list[float]] = []  # of each frame, against each front
        self._out: list[list[np.ndarray]] = []  # (sets, 8) each

    def see(self, now: Crop) -> None:
        """Take in a frame: from the front, or of the turn."""
        aside = self._sign * (now.turn - self._frontal)
        if not self._turns and -TURNED <= aside <= FRONTAL:
            self._followed[1:] = [_Followed(now, self._sign)]
            return
        seen = [each.see(now) for each in self._followed]
        if any(np.isfinite(out).any() for _, out in seen):
            self._turns.append([turn for turn, _ in seen])
            self._out.append([out for _, out in seen])

    def relief(self) -> Relief | None:
        """What the frames so far say; None where too few do."""
        if len(self._turns) < FRAMES:
            return None
        out = np.array(self._out).reshape(len(self._out), -1, len(_ANGLES))
        turns = np.repeat(np.array(self._turns), len(_TIP), axis=1)
        slopes = _slopes(turns, out)
        if slopes is None:
            return None
        kept = [np.arange(len(turns)) != each for each in range(len(turns))]
        without = [_slopes(turns[rows], out[rows]) for rows in kept]
        unknown = np.full(len(_ANGLES), np.nan)
        return _relief(slopes, np.stack([unknown if each is None else each for each in without]))


class _Followed:
    """Follows the points around a nose from one face seen from the front."""

    def __init__(self, front: Crop, sign: float) -> None:
        self._front, self._sign = front, sign
        self._points = points_of(front.points)
        self._optics = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow: np.ndarray | None = None  # of the last frame

    def see(self, now: Crop) -> tuple[float, np.ndarray]:
        """How far a frame is turned against the front, and by how much the nose stands out (sets, 8): NaN
        where it is not turned, or not followed."""
        turn = self._sign * (now.turn - self._front.turn)
        nothing = np.full((len(_TIP), len(_ANGLES)), np.nan)
        if turn < 0:
            return turn, nothing
        if turn < TURNED:  # a head that is all but seen from the front needs no help
            self._flow = None
        flow, moved, astray = self._follow(now, _STILL if self._flow is None else self._flow)
        if self._flow is not None and (astray > ASTRAY).any():  # what was lost may be found again
            again = self._follow(now, _STILL)
            if np.median(again[2]) < np.median(astray):
                flow, moved, astray = again
        self._flow = flow
        if turn < TURNED:
            return turn, nothing
        return turn, self._sign * standing_out(self._points, self._points + moved, astray > ASTRAY)

    def _follow(self, now: Crop, begin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flow (h, w, 2) to this frame, how it moved the points (n, 2), and how far off it is (n,)."""
        flow = self._optics.calc(self._front.grey, now.grey, begin.copy())
        back = self._optics.calc(now.grey, self._front.grey, -flow)
        moved = _at(flow, self._points)
        astray = np.linalg.norm(moved + _at(back, self._points + moved), axis=1)
        return flow, moved, astray


def _at(flow: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Flow (h, w, 2), pixels, averaged around points (n, 2): (n, 2), distances of the eyes."""
    side = 2 * PATCH + 1
    smooth = cv2.blur(flow, (side, side), borderType=cv2.BORDER_REPLICATE)
    x, y = ((points - (LEFT, TOP)) * UNIT).astype(np.float32).T[..., None]
    found = cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[:, 0] / UNIT)


def standing_out(front: np.ndarray, seen: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """By how much each point that may be the tip of the nose stands out along each direction, for each reach
    (sets, 8); NaN where that is lost.

    Args:
        front, seen: the points of `points_of` (n, 2), as they were from the front and as they are.
        lost: which of them were not followed (n,); a cheek may be hidden by the nose.
    """
    there = ~lost
    if there.mean() < FOLLOWED:
        return np.full((len(_TIP), len(_ANGLES)), np.nan)
    # Of a plane y' = (b + c x + d y) / w and x' the like, with w = 1 + g x + h y; depth moves x' alone. So
    # y' (1 + g x + h y) = b + c x + d y gives w, whatever the depth is, and x' w is even but for depth. A
    # homography through eyes and mouth would be wrong: on a sheet bent aslant they are not in one plane.
    (x, y), down = front[there].T, seen[there, 1]
    rows = np.stack([np.ones_like(x), x, y, -down * x, -down * y], axis=1)
    (*_, g, h), *_ = np.linalg.lstsq(rows, down, rcond=None)
    along = np.where(lost, np.nan, seen[:, 0] * (1 + front @ np.array([g, h])))
    return np.asarray(2 * along[_TIP, None] - along[_RINGS].sum(axis=1))


def weighed(out: np.ndarray) -> np.ndarray:
    """The mean (8,) of what several points stand out by (n, 8), per half turn: those that do so more count
    for more."""
    prominence = out.mean(axis=1)
    weights = np.exp((prominence - prominence.max()) / PROMINENT)
    return np.asarray(weights @ out / weights.sum())


def _slopes(turns: np.ndarray, out: np.ndarray) -> np.ndarray | None:
    """By how much it stands out (8,) per half turn; None where some direction was never followed.

    Args:
        turns, out: of frames, each set of points from each front: (n, k) and (n, k, 8), NaN where unknown.
            A line through zero is laid through each; those are summed that are known everywhere.
    """
    seen = np.isfinite(out)
    known = seen.any(axis=0).all(axis=1)
    if not known.any():
        return None
    weights = np.where(seen, turns[..., None], 0.0)[:, known]
    lines = (weights * np.nan_to_num(out[:, known])).sum(axis=0) / (weights**2).sum(axis=0)
    return weighed(lines)


def _share(slopes: np.ndarray) -> float:
    largest = float(slopes.max())
    return float(slopes.min()) / largest if largest > 0 else -1.0
