"""Real heads of films that answer what is asked, by their frames put into another order and time.

What is simulated is when they do it, that they come nearer, which is a zoom of the frame, and that they tilt,
which turns the head in the frame about the chin. Every frame gets a sensor's noise of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from camera import LEAN, TILT, Timing, sensed

from pipeline.liveness.challenge import FRONTAL, RISE, TURN, Move
from pipeline.types import Floats, Image

GOAL = 1.15  # how far a genuine head goes, where far enough is 1
FARTHEST = 2.0  # beyond which nobody goes
DRIFT = 0.2  # how often a head that is held moves to the next frame of the film
FADE = 4  # frames over which a head goes from one place of a film to another
LEVEL = 0.25  # of a turn that is far enough, up to which a head counts as seen from the front
STIFF, LOOSE = 1.4, 2.4  # heights of a face from the chin, up to which a head turns as one, and not at all
ALIKE = 0.1  # natural logarithm of the face's size, up to which frames from the front may be joined


@dataclass(frozen=True, slots=True)
class Way:
    """Frames of a film in which a head went from the front into one move, in the order of how far."""

    frames: tuple[int, ...]
    sharp: tuple[int, ...]  # places in `frames` where it may be held: far enough, and can be judged


def ways(turns: Floats, nods: Floats, places: Floats, sharp: np.ndarray) -> dict[Move, Way]:
    """Where in a film a head went far enough into a move.

    Of all ways from a frame seen from the front to one far enough, forwards or backwards, the one that begins
    where and as the head mostly is: else going from one move to the next would look like a cut. A film whose
    camera comes nearer has ways that cannot be joined at all, which are left out.

    Args:
        turns, nods: the pose in each frame (n,), NaN where no face is seen.
        places: (n, 3) middle and breadth of the face, in breadths of the face.
        sharp: whether the face in each frame can be judged (n,). A way ends in one that can, and begins in
            one where there is any: the head is held there, and a head that is held is not blurred by its
            movement, as where a film goes on.
    """
    frontal = turns[np.abs(turns) <= FRONTAL]  # as a head must be seen to begin with
    if not len(frontal):
        return {}
    level, chin = float(np.median(frontal)), float(np.nanmedian(nods))
    shares = {
        Move.LEFT: (turns - level) / TURN,
        Move.RIGHT: -(turns - level) / TURN,
        Move.UP: (chin - nods) / RISE,
    }
    front = (np.abs(turns - level) < LEVEL * TURN) & (np.abs(nods - chin) < 0.6 * RISE)
    home = np.nanmedian(places[front], axis=0) if front.any() else np.zeros(3)
    found = {}
    for move, share in shares.items():
        best, least = None, np.inf
        for end in np.flatnonzero((share >= GOAL) & (share < FARTHEST) & sharp):
            for step in (-1, 1):
                index, way = int(end), []
                # No farther than it is held: who is asked to turn does not go on to the profile, nor the
                # other way first, through a front too short to be in a frame.
                while 0 <= index < len(share) and -LEVEL <= share[index] < FARTHEST and len(way) < 60:
                    way.append(index)
                    if front[index]:
                        break
                    index += step
                if not way or not front[way[-1]] or len(way) < 4:
                    continue
                if share[end] - share[way[-1]] < GOAL:  # as the head itself was held at first
                    continue
                begin = way[-1]
                if abs(np.log(places[begin, 2] / home[2])) > ALIKE:
                    continue
                unlike = np.abs(places[begin] - home).sum() + abs(turns[begin] - level)
                cost = float(unlike) + float(not sharp[begin]) + 0.005 * len(way)
                if cost < least:
                    best, least = tuple(reversed(way)), cost
        if best is not None:
            far = [place for place, each in enumerate(best) if share[each] >= GOAL and sharp[each]]
            found[move] = Way(best, tuple(far[-3:]))
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of a film, or what lies between another one and it."""

    frame: int
    before: int
    share: float  # of the way from `before` to `frame`
    nearer: float  # by how much it is enlarged
    tilt: float  # degrees by which the head is tilted to its own left

    def image(self, images: Mapping[int, Image]) -> Image:
        """The picture, neither enlarged nor tilted."""
        if self.share >= 1:
            return images[self.frame]
        return between(images[self.before], images[self.frame], self.share)


def between(before: Image, after: Image, share: float) -> Image:
    """What lies between two frames of one head: each moved along the flow to where the head is then.

    Laid over each other as they are, two noses were in one picture where the head had moved.

    Args:
        share: of `after`; 0 is `before` as it is.
    """
    optics = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(each, cv2.COLOR_BGR2GRAY) for each in (before, after)]
    ahead, back = (optics.calc(*pair, None) for pair in (greys, greys[::-1]))
    moved = _drawn(before, back * share), _drawn(after, ahead * (1 - share))
    return cv2.addWeighted(moved[0], 1 - share, moved[1], share, 0).astype(np.uint8)


def _drawn(image: Image, flow: np.ndarray) -> np.ndarray:
    """The image (h, w, 3) whose pixels come from where the flow (h, w, 2) points."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


class Head:
    """A real head of a film that answers, by frames put into another order."""

    def __init__(self, moves: dict[Move, Way], random: np.random.Generator) -> None:
        """
        Args:
            moves: those that the film has, as `ways` found them; NEARER and tilts need none.
        """
        self._ways, self._random, self._timing = moves, random, Timing(random)
        self._last = self._before = next(iter(moves.values())).frames[0]
        self._way: Move | None = None
        self._faded = FADE
        self._holding, self._at = False, 0  # whether the head is held, and at which of its places

    def frame(self, now: float, asked: Move | None) -> Shown:
        """What is shown at this time, while this is asked."""
        into = self._timing.at(now, asked)
        move = max(self._ways, key=lambda each: into[each])
        self._faded = min(FADE, self._faded + 1)
        if into[move] > 0.02:
            way = self._ways[move].frames
            place = round(into[move] * (len(way) - 1))
            place = self._held(self._ways[move].sharp) if into[move] >= 1 else place
            if move is not self._way:
                self._way, self._before, self._faded = move, self._last, 1
            self._last = way[place]
            self._holding = into[move] >= 1
        elif self._way is not None:  # back from it, and not a frame or two on the way
            self._last = self._ways[self._way].frames[0]
        tilt = TILT * (into[Move.TILT_LEFT] - into[Move.TILT_RIGHT])
        return Shown(self._last, self._before, self._faded / FADE, LEAN ** into[Move.NEARER], tilt)

    def _held(self, places: tuple[int, ...]) -> int:
        """Where a head is that is held: nobody holds quite still, but nobody jumps from frame to frame."""
        if not self._holding:
            self._at = len(places) - 1
        elif self._random.random() < DRIFT:
            self._at = int(np.clip(self._at + self._random.choice((-1, 1)), 0, len(places) - 1))
        return places[self._at]


def tilted(image: Image, degrees: float, chin: Floats, height: float) -> Image:
    """A frame whose head is tilted to its own left: turned about the chin, with what is near it.

    Args:
        chin: (2,) pixels.
        height: of the face, pixels: it turns as one up to STIFF of that from the chin, nothing from LOOSE on.
    """
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    x, y = columns - chin[0], rows - chin[1]
    share = np.clip((LOOSE - np.hypot(x, y) / height) / (LOOSE - STIFF), 0, 1)
    angle = np.radians(degrees) * share * share * (3 - 2 * share)
    c, s = np.cos(angle), np.sin(angle)
    maps = ((c * x + s * y + chin[0]).astype(np.float32), (c * y - s * x + chin[1]).astype(np.float32))
    return cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def about(chin: Floats, degrees: float, points: Floats) -> Floats:
    """Points (..., 2) of a head that is tilted so."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray((points - chin) @ np.array([[c, s], [-s, c]]) + chin, np.float32)


def enlarged(image: Image, by: float, around: Floats, random: np.random.Generator) -> Image:
    """A frame as a camera sees it that is nearer by a factor, with noise of its own.

    Args:
        around: (2,) the point that stays where it is, pixels.
    """
    height, width = image.shape[:2]
    matrix = np.array([[by, 0, (1 - by) * around[0]], [0, by, (1 - by) * around[1]]], np.float32)
    if by != 1:
        image = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return sensed(image.astype(np.float32), random)
