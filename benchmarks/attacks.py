"""Attacks and genuine answers simulated from photographs and films, frame by frame, as they see what is
asked.

Simulated: no paper, no screen and no camera was used. A print is a photograph put into an empty room by the
homography of a plane, or of a bent sheet, before a pinhole camera; a screen has a pixel grid, a glow and a
frame besides. Genuine answers are real frames of real heads that turned in a film, put into another order
and time so that they follow what is asked; coming nearer is a zoom of the frame. Every frame gets a
sensor's noise of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.liveness.challenge import RISE, TURN, Move
from pipeline.types import Floats, Image

FPS = 15
SIZE = (480, 640)  # of the simulated camera, height and width
FOCAL = 700.0  # pixels
SENSOR = 2.0  # standard deviation of its noise, grey levels
REACTION, MOTION = (0.25, 0.6), (0.35, 0.6)  # seconds, from ... to
GOAL = 1.15  # how far a genuine head goes, where far enough is 1
LEAN = 1.27  # by how much larger it becomes when it comes nearer: from 50 cm to 40
FADE = 4  # frames over which one place of a film becomes another


class Timing:
    """How far somebody is into each move at a time, who hears what is asked and does it after a while."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._asked: Move | None = None
        self._goal: Move | None = None
        self._due, self._motion = 0.0, 0.3
        self.into: dict[Move, float] = dict.fromkeys(Move, 0.0)  # 0 not at all, 1 as far as it goes

    def at(self, now: float, asked: Move | None) -> dict[Move, float]:
        """The shares at this time, while this is asked; one frame later than before."""
        if asked is not self._asked:
            self._asked = asked
            self._due = now + float(self._random.uniform(*REACTION))
            self._motion = float(self._random.uniform(*MOTION))
        if now >= self._due:
            self._goal = self._asked
        step = 1 / (self._motion * FPS)
        for move in Move:
            goal = 1.0 if move is self._goal else 0.0
            others = max((self.into[each] for each in Move if each is not move), default=0.0)
            if goal and others > 0.3 and self._goal is not Move.NEARER:
                continue  # one after the other
            self.into[move] += float(np.clip(goal - self.into[move], -step, step))
        return self.into


@dataclass(frozen=True, slots=True)
class Path:
    """Frames of a film in which a head went from the front into one move, in the order of how far."""

    frames: tuple[int, ...]
    sharp: tuple[int, ...]  # places in `frames` where it may be held: far enough, and can be judged


def paths(turns: Floats, nods: Floats, places: Floats, sharp: np.ndarray) -> dict[Move, Path]:
    """Where in a film a head went far enough into a move.

    Of all ways from a frame seen from the front to one far enough, forwards or backwards, the one that begins
    where the head mostly is: else going from one move to the next would look like a cut.

    Args:
        turns, nods: the pose in each frame (n,), NaN where no face is seen.
        places: (n, 3) middle and breadth of the face, in breadths of the face.
        sharp: whether the face in each frame can be judged (n,). A way ends in one that can: the head is
            held there, and a head that is held is not blurred by its movement, as where a film goes on.
    """
    level, chin = float(np.nanmedian(turns)), float(np.nanmedian(nods))
    shares = {
        Move.LEFT: (turns - level) / TURN,
        Move.RIGHT: -(turns - level) / TURN,
        Move.UP: (chin - nods) / RISE,
    }
    front = (np.abs(turns - level) < 0.4 * TURN) & (np.abs(nods - chin) < 0.6 * RISE)
    home = np.nanmedian(places[front], axis=0) if front.any() else np.zeros(3)
    found = {}
    for move, share in shares.items():
        best, least = None, np.inf
        for end in np.flatnonzero((share >= GOAL) & (share < 2.0) & sharp):
            for step in (-1, 1):
                index, way = int(end), []
                while 0 <= index < len(share) and np.isfinite(share[index]) and len(way) < 60:
                    way.append(index)
                    if front[index]:
                        break
                    index += step
                if not way or not front[way[-1]] or len(way) < 4:
                    continue
                if share[end] - share[way[-1]] < GOAL:  # as the head itself was held at first
                    continue
                cost = float(np.abs(places[way[-1]] - home).sum()) + 0.005 * len(way)
                if cost < least:
                    best, least = tuple(reversed(way)), cost
        if best is not None:
            far = [place for place, each in enumerate(best) if share[each] >= GOAL and sharp[each]]
            found[move] = Path(best, tuple(far[-3:]))
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of a film, that another one fades into."""

    frame: int
    before: int
    share: float  # of `frame`, the rest is of `before`
    nearer: float  # by how much it is enlarged

    def image(self, images: Sequence[Image]) -> Image:
        """The picture, not enlarged."""
        if self.share >= 1:
            return images[self.frame]
        return cv2.addWeighted(images[self.frame], self.share, images[self.before], 1 - self.share, 0)


class Head:
    """A real head of a film that answers, by frames put into another order."""

    def __init__(self, ways: dict[Move, Path], random: np.random.Generator) -> None:
        """
        Args:
            ways: the moves that the film has, as `paths` found them; NEARER needs none.
        """
        self._ways, self._random, self._timing = ways, random, Timing(random)
        self._last = self._before = next(iter(ways.values())).frames[0]
        self._way: Move | None = None
        self._faded = FADE

    def frame(self, now: float, asked: Move | None) -> Shown:
        """What is shown at this time, while this is asked."""
        into = self._timing.at(now, asked)
        move = max(self._ways, key=lambda each: into[each])
        self._faded = min(FADE, self._faded + 1)
        if into[move] > 0.02:
            way = self._ways[move].frames
            place = round(into[move] * (len(way) - 1))
            if into[move] >= 1:
                place = int(self._random.choice(self._ways[move].sharp))  # nobody holds quite still
            if move is not self._way:
                self._way, self._before, self._faded = move, self._last, 1
            self._last = way[place]
        nearer = LEAN ** into[Move.NEARER]
        return Shown(self._last, self._before, self._faded / FADE, nearer)


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


def sensed(image: np.ndarray, random: np.random.Generator) -> Image:
    """With a sensor's noise."""
    noise = np.resize(np.roll(_noise(), int(random.integers(1 << 20))), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@functools.cache
def _noise() -> Floats:
    """A sensor's noise, which each frame begins elsewhere: drawing it anew takes long."""
    return np.random.default_rng(0).standard_normal(1 << 20, np.float32) * np.float32(SENSOR)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A photograph as an attacker has it: pixels, and where the eyes are."""

    picture: Image
    landmarks: Floats  # (5, 2)


def room(random: np.random.Generator) -> np.ndarray:
    """An empty room, out of focus (h, w, 3) float32."""
    few = random.uniform(40, 150, (6, 8, 3)).astype(np.float32)
    return cv2.resize(few, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


class Flat:
    """A photograph, printed or on a screen, before the lens; moved and turned as is asked."""

    def __init__(
        self,
        sheet: Sheet,
        random: np.random.Generator,
        *,
        moves: bool = True,
        turns: bool = False,
        bend: float | None = None,
        screen: bool = False,
    ) -> None:
        """
        Args:
            moves: by hand, and nearer where that is asked; else it is held as still as a tripod does.
            turns: aside and up as is asked, by the largest angles at which a face is still found.
            bend: radius of the cylinder around which it is bent, in distances of the eyes.
            screen: it is shown by one: pixels, glow, frame.
        """
        self._random, self._timing, self._room = random, Timing(random), room(random)
        self._moves, self._turns, self._bend, self._screen = moves, turns, bend, screen
        self._picture = self._framed(sheet.picture) if screen else sheet.picture
        border = (self._picture.shape[0] - sheet.picture.shape[0]) // 2
        points = sheet.landmarks + border
        self._middle, self._unit = points[:2].mean(axis=0), float(np.linalg.norm(points[1] - points[0]))
        self._away = float(random.uniform(5.5, 7.5))  # distances of the eyes
        self._angle = {
            Move.LEFT: float(random.uniform(35, 60)),
            Move.RIGHT: -float(random.uniform(35, 60)),
            Move.UP: float(random.uniform(25, 45)),
        }
        self._sway = np.zeros(6)

    def _framed(self, picture: Image) -> Image:
        edge = max(8, picture.shape[0] // 12)
        return cv2.copyMakeBorder(picture, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(12, 12, 12))

    def image(self, now: float, asked: Move | None) -> Image:
        """The frame at this time, while this is asked."""
        into = self._timing.at(now, asked)
        shake = 1.0 if self._moves else 0.02
        self._sway = 0.92 * self._sway + self._random.normal(0, 1, 6) * shake
        left = up = 0.0
        if self._turns:
            left = into[Move.LEFT] * self._angle[Move.LEFT] + into[Move.RIGHT] * self._angle[Move.RIGHT]
            up = into[Move.UP] * self._angle[Move.UP]
        nearer = LEAN ** into[Move.NEARER] if self._moves else 1.0
        angles = (left + 1.2 * self._sway[0], up + 1.2 * self._sway[1], self._sway[2])
        shift = 0.03 * self._sway[3:5]
        seen = self._seen(angles, shift, self._away / nearer)
        if self._screen:
            seen = seen * 1.15 + 6
        return sensed(seen, self._random)

    def _seen(self, angles: tuple[float, float, float], shift: np.ndarray, away: float) -> np.ndarray:
        """The sheet in the room, by the rays of a pinhole camera (h, w, 3) float32."""
        height, width = self._picture.shape[:2]
        if self._bend is not None:
            return self._bent(angles, shift, away)
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        plane = np.concatenate([(corners - self._middle) / self._unit, np.zeros((4, 1))], axis=1)
        placed = _turned(plane, *angles)
        pixels = _projected(placed, shift, away)
        matrix = cv2.getPerspectiveTransform(corners, pixels.astype(np.float32))
        seen = cv2.warpPerspective(self._picture, matrix, SIZE[::-1], flags=cv2.INTER_AREA).astype(np.float32)
        mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, SIZE[::-1])
        if self._screen:
            seen *= self._grid(pixels, angles)
        share = (mask.astype(np.float32) / 255)[..., None]
        return share * seen + (1 - share) * self._room

    def _grid(self, pixels: np.ndarray, angles: tuple[float, float, float]) -> np.ndarray:
        """What a screen's pixels and a sensor's make together: moire, of a period that the distance sets."""
        breadth = float(np.linalg.norm(pixels[1] - pixels[0]))
        beat = abs(1080 / max(breadth, 1.0) - round(1080 / max(breadth, 1.0)))
        y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
        tilt = np.radians(angles[2])
        wave = np.sin(2 * np.pi * max(beat, 0.02) * (x * np.cos(tilt) + y * np.sin(tilt)))
        return (1 + 0.03 * wave)[..., None].astype(np.float32)

    def _bent(self, angles: tuple[float, float, float], shift: np.ndarray, away: float) -> np.ndarray:
        """By a mesh, each cell of which is small enough to be a plane."""
        assert self._bend is not None
        height, width = self._picture.shape[:2]
        u, v = np.meshgrid(np.linspace(0, width, 33), np.linspace(0, height, 33))
        plane = (np.stack([u.ravel(), v.ravel()], axis=1) - self._middle) / self._unit
        angle = np.clip(plane[:, 0] / self._bend, -1.4, 1.4)
        points = np.stack([self._bend * np.sin(angle), plane[:, 1], self._bend * (np.cos(angle) - 1)], axis=1)
        pixels = _projected(_turned(points, *angles), shift, away).reshape(33, 33, 2)
        seen = self._room.copy()
        for row in range(32):
            for column in range(32):
                quad = pixels[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]]
                low, high = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int) + 1
                low, high = np.maximum(low, 0), np.minimum(high, SIZE[::-1])
                across, down = quad[1] - quad[0], quad[3] - quad[0]
                facing = across[0] * down[1] - across[1] * down[0]
                if (high - low).min() < 1 or facing <= 0:
                    continue
                right, low_edge = u[row, column + 1], v[row + 1, column]
                at = (u[row, column], v[row, column])
                source = np.array([at, (right, at[1]), (right, low_edge), (at[0], low_edge)], np.float32)
                matrix = cv2.getPerspectiveTransform(source, (quad - low).astype(np.float32))
                size = (int(high[0] - low[0]), int(high[1] - low[1]))
                piece = cv2.warpPerspective(self._picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
                mask = np.zeros(size[::-1], np.uint8)
                cv2.fillConvexPoly(mask, np.round(quad - low).astype(np.int32), 255)
                part = seen[low[1] : high[1], low[0] : high[0]]
                part[mask > 0] = piece[mask > 0]
        return seen


def _turned(points: np.ndarray, left: float, up: float, roll: float) -> np.ndarray:
    a, b, c = np.radians([left, up, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return points @ (about_z @ about_x @ about_y).T


def _projected(points: np.ndarray, shift: np.ndarray, away: float) -> np.ndarray:
    depth = np.maximum(away - points[:, 2], 0.5)[:, None]
    return (points[:, :2] + shift) * FOCAL / depth + (SIZE[1] / 2, SIZE[0] / 2.6)


def cut_out(sheet: Sheet, wearer: Sheet) -> Sheet:
    """A print worn as a mask: the eyes are those of somebody else behind it."""
    made = sheet.picture.copy()
    unit = float(np.linalg.norm(sheet.landmarks[1] - sheet.landmarks[0]))
    scale = unit / float(np.linalg.norm(wearer.landmarks[1] - wearer.landmarks[0]))
    for eye in (0, 1):
        matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
        matrix[:, 2] = sheet.landmarks[eye] - scale * wearer.landmarks[eye]
        placed = cv2.warpAffine(wearer.picture, matrix, made.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(made.shape[:2], np.uint8)
        middle = tuple(int(value) for value in sheet.landmarks[eye])
        cv2.ellipse(mask, middle, (int(0.2 * unit), int(0.1 * unit)), 0, 0, 360, 255, cv2.FILLED)
        made[mask > 0] = (0.75 * placed[mask > 0]).astype(np.uint8)  # in the shadow of the paper
    return Sheet(made, sheet.landmarks)
