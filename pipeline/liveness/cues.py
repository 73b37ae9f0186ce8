"""What in the picture says that it is a picture of a picture. Each cue can deny, and none proves anything.

- edges: straight edges around the face on three sides or more, which go where the face goes. A door frame
  stays where it is when a head moves; the edge of a print or a screen does not.
- glare: a part of the face as bright as the camera can tell, as a glossy print or a screen throws light back.
- pattern: a period in the picture that skin has not: moire of a screen's pixels, a print's halftone.
- banding: a period along one axis, as of a screen that is refreshed while it is filmed.
- light: the face becomes brighter or darker by itself, or stays as it is while the room changes; a screen
  brings its own light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import Floats, Image

# From which values a cue denies. Chosen on other people and films than those reported (docs/security.md).
GLARE = 0.08  # share of the face
PATTERN = 30.0  # times the median of its frequency
BANDING = 30.0
LIGHT = 0.5  # natural logarithm of a change against the surroundings, within SOON
SOON = 0.3  # seconds
FRAMES = 5  # in which glare or a pattern must be seen, as the median of all
MOVED = 0.2  # of the face's breadth, from which on a movement tells whose edges they are
FOLLOWED = 0.3  # share of the face's movement up to which edges that follow it may be off
FRAMED = 0.5  # share of frames in which edges must be seen around the face
SIDES = 3  # around the face, of four

_WORK = 96  # pixels of a face's breadth at which edges are looked for
_LEAST = 64  # pixels of a region in which a period can be told
_REGION = 128  # pixels of it at most
_SATURATED = 250


@dataclass(frozen=True, slots=True)
class Cues:
    """What is measured of one frame."""

    glare: float  # share of the face
    pattern: float  # times the median; 0 where the face is too small to tell
    banding: float
    face_light: float  # natural logarithm of the mean grey level
    room_light: float  # of what is around the face
    edges: Floats  # (4,) left, top, right, bottom edge around the face, pixels of the frame; NaN where none
    face: Floats  # (4,) its box


def measure(image: Image, box: Floats) -> Cues:
    """The cues of a face with this box (4,) in an image (h, w, 3) BGR."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    left, top, right, bottom = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
    if right - left < 8 or bottom - top < 8:
        return Cues(0.0, 0.0, 0.0, 0.0, 0.0, np.full(4, np.nan, np.float32), box)
    face = image[top:bottom, left:right]
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    pattern, banding = _periods(grey)
    inside, around = _lights(image, (left, top, right, bottom))
    glare = float((face.min(axis=2) >= _SATURATED).mean())
    return Cues(glare, pattern, banding, inside, around, _edges(image, box), box)


class Denial:
    """Collects the cues of an attempt, frame by frame.

    Attributes:
        why: what denies that a living head is there, in words; None so far.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, Cues]] = []
        self.why: str | None = None

    def see(self, seconds: float, cues: Cues) -> None:
        """Take in a frame."""
        self._seen.append((seconds, cues))
        if self.why is None:
            self.why = self._judge()

    def values(self) -> dict[str, float]:
        """What was measured over all frames, for a report."""
        if not self._seen:
            return {}
        return {
            "glare": self._median(lambda each: each.glare),
            "pattern": self._median(lambda each: each.pattern),
            "banding": self._median(lambda each: each.banding),
            "light": self._light(),
            "edges": float(self._edges_follow()),
        }

    def _judge(self) -> str | None:
        if self._light() >= LIGHT:
            return "the light on the face does not follow the room's"
        if len(self._seen) < FRAMES:
            return None
        if self._median(lambda each: each.glare) >= GLARE:
            return "the face reflects like something glossy"
        if self._median(lambda each: each.pattern) >= PATTERN:
            return "there is a pattern on the face, as of a screen or of a print"
        if self._median(lambda each: each.banding) >= BANDING:
            return "there are bands across the face, as of a screen"
        return "edges around the face move with it" if self._edges_follow() else None

    def _median(self, value: Callable[[Cues], float]) -> float:
        return float(np.median([value(cues) for _, cues in self._seen]))

    def _light(self) -> float:
        """The greatest change of the face's light against the room's within SOON, up to the last frame."""
        now, last = self._seen[-1]
        change = 0.0
        for seconds, cues in reversed(self._seen[:-1]):
            if now - seconds > SOON:
                break
            face, room = last.face_light - cues.face_light, last.room_light - cues.room_light
            change = max(change, abs(face - room))
        return change

    def _edges_follow(self) -> bool:
        edges = np.stack([cues.edges for _, cues in self._seen])
        faces = np.stack([cues.face for _, cues in self._seen])
        framed = np.isfinite(edges).sum(axis=1) >= SIDES
        if framed.mean() < FRAMED or framed.sum() < FRAMES:
            return False
        edges, faces = edges[framed], faces[framed]
        breadth = float(np.median(faces[:, 2] - faces[:, 0]))
        following = 0
        for side in range(4):
            there = np.isfinite(edges[:, side])
            if there.mean() < FRAMED:
                continue
            axis = side % 2
            middle = (faces[there, axis] + faces[there, axis + 2]) / 2
            went = float(np.percentile(middle, 95) - np.percentile(middle, 5))
            if went < MOVED * breadth:
                return False  # nobody can tell yet whose edges they are
            # By how much the edge is off where it would be if it moved with the face, or not at all.
            apart = float(np.std(edges[there, side] - middle))
            following += apart < FOLLOWED * float(np.std(middle))
        return following >= SIDES


def _periods(grey: Image) -> tuple[float, float]:
    """How far the strongest period of a face (h, w) stands out, in any direction and along an axis."""
    side = min(*grey.shape, _REGION)
    if side < _LEAST:
        return 0.0, 0.0
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    region = grey[top : top + side, left : left + side].astype(np.float32)
    region -= cv2.GaussianBlur(region, (0, 0), 3)
    window = np.hanning(side).astype(np.float32)
    spectrum = np.abs(np.fft.fft2(region * window[:, None] * window[None])) ** 2
    frequency = np.fft.fftfreq(side)
    y, x = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.hypot(x, y)
    # Codecs work in blocks of 8 and 4 pixels, whose frequencies lie on the axes, as bands do.
    on_axis = (np.abs(x) < 2.5 / side) | (np.abs(y) < 2.5 / side)
    ring = np.round(radius * 32).astype(int)
    floor = np.array([np.median(spectrum[ring == each]) if (ring == each).any() else 1 for each in range(33)])
    relative = spectrum / np.maximum(floor[np.minimum(ring, 32)], 1e-3 * max(float(spectrum.mean()), 1e-6))
    reach = (radius > 0.08) & (radius < 0.5)
    pattern = float(relative[reach & ~on_axis].max())
    blocks = np.abs(radius * 8 - np.round(radius * 8)) < 20 / side
    along = relative[reach & on_axis & ~blocks]
    return math.sqrt(pattern), math.sqrt(float(along.max(initial=0.0)))


def _lights(image: Image, box: tuple[int, int, int, int]) -> tuple[float, float]:
    """Natural logarithms of the mean grey levels of a face's middle, and of what is around it."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    few = image[::4, ::4].mean(axis=2)
    inside = image[top + height // 4 : bottom - height // 4, left + width // 4 : right - width // 4]
    mask = np.ones(few.shape, np.bool_)
    mask[
        max(0, top - height // 4) // 4 : (bottom + height // 4) // 4 + 1,
        max(0, left - width // 4) // 4 : (right + width // 4) // 4 + 1,
    ] = False
    around = float(few[mask].mean()) if mask.any() else float(inside.mean())
    return math.log(4.0 + float(inside.mean())), math.log(4.0 + around)


def _edges(image: Image, box: Floats) -> Floats:
    """The nearest straight edge beyond each side of a face (4,), pixels of the frame; NaN for none."""
    found = np.full(4, np.nan, np.float32)
    x1, y1, x2, y2 = (float(value) for value in box)
    width, height = x2 - x1, y2 - y1
    left, top = max(0, int(x1 - 1.2 * width)), max(0, int(y1 - 1.0 * height))
    region = image[top : int(y2 + 1.0 * height) + 1, left : int(x2 + 1.2 * width) + 1]
    scale = _WORK / max(width, 1.0)
    size = (max(16, round(region.shape[1] * scale)), max(16, round(region.shape[0] * scale)))
    small = cv2.cvtColor(cv2.resize(region, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    lines = cv2.HoughLinesP(
        cv2.Canny(small, 60, 150), 1, np.pi / 180, 40, minLineLength=0.9 * _WORK, maxLineGap=6
    )
    if lines is None:
        return found
    ends = lines.reshape(-1, 4) / scale + np.array([left, top, left, top])
    middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    for a, b, c, d in ends:
        slant = abs(math.degrees(math.atan2(d - b, c - a)))
        upright, flat = 65 < slant < 115, slant < 25 or slant > 155
        at = ((a + c) / 2, (b + d) / 2)
        if upright:
            side = 0 if at[0] < x1 + 0.1 * width else 2 if at[0] > x2 - 0.1 * width else None
            place = at[0]
        elif flat:
            side = 1 if at[1] < y1 + 0.1 * height else 3 if at[1] > y2 - 0.1 * height else None
            place = at[1]
        else:
            continue
        if side is None:
            continue
        beyond = abs(place - middle[side % 2])
        if np.isnan(found[side]) or beyond < abs(found[side] - middle[side % 2]):
            found[side] = place
    return found
