"""Photographs as an attacker shows them: on paper or a screen, held, moved, bent and turned before a camera.

Simulated: no paper, no screen and no camera was used. A print is a photograph put into an empty room by the
homography of a plane, or of a bent sheet, before a pinhole camera; a screen has a pixel grid, a glow and a
frame besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from camera import FOCAL, LEAN, SIZE, TILT, Timing, sensed

from pipeline.liveness.challenge import Move
from pipeline.types import Floats, Image


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
        axis: float = 0.0,
        screen: bool = False,
    ) -> None:
        """
        Args:
            moves: by hand, nearer and tilted where that is asked; else it is held as still as a tripod does.
            turns: aside and up as is asked, by the largest angles at which a face is still found.
            bend: radius of the cylinder around which it is bent, in distances of the eyes.
            axis: of that cylinder, degrees from upright.
            screen: it is shown by one: pixels, glow, frame.
        """
        self._random, self._timing, self._room = random, Timing(random), room(random)
        self._moves, self._turns, self._screen = moves, turns, screen
        self._bend, self._axis = bend, axis
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
        roll = TILT * (into[Move.TILT_LEFT] - into[Move.TILT_RIGHT]) if self._moves else 0.0
        angles = (left + 1.2 * self._sway[0], up + 1.2 * self._sway[1], roll + self._sway[2])
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
        placed = plane @ _rotation(*angles).T
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
        """A sheet around a cylinder: where each ray of the camera meets it first."""
        assert self._bend is not None
        radius, (height, width) = self._bend, self._picture.shape[:2]
        # Rays of every fourth pixel are enough: between them the picture is as good as flat.
        x, y = np.meshgrid(np.arange(0, SIZE[1] + 4, 4.0), np.arange(0, SIZE[0] + 4, 4.0))
        rays = np.stack([(x - SIZE[1] / 2) / FOCAL, (y - SIZE[0] / 2.6) / FOCAL, -np.ones_like(x)], axis=-1)
        lay = _rotation(0, 0, self._axis)
        turn = _rotation(*angles) @ lay
        begin, along = np.array([-shift[0], -shift[1], away]) @ turn, rays @ turn
        # x^2 + (z + radius)^2 = radius^2, on the side of the camera.
        a = along[..., 0] ** 2 + along[..., 2] ** 2
        b = begin[0] * along[..., 0] + (begin[2] + radius) * along[..., 2]
        c = begin[0] ** 2 + (begin[2] + radius) ** 2 - radius**2
        inside = b**2 - a * c
        far = (-b - np.sqrt(np.maximum(inside, 0))) / a
        across, down, before = (begin[axis] + far * along[..., axis] for axis in range(3))
        around = np.arctan2(across, before + radius) * radius
        right, below = (lay[row, 0] * around + lay[row, 1] * down for row in (0, 1))
        maps = [
            cv2.resize(each.astype(np.float32), None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
            for each in (
                self._middle[0] + right * self._unit,
                self._middle[1] + below * self._unit,
                inside,
            )
        ]
        # `resize` puts the middle of the first pixel at 0.5 of the grid: the ray of pixel 0 is at 1.5 of it.
        u, v, hit = (each[2 : SIZE[0] + 2, 2 : SIZE[1] + 2] for each in maps)
        there = (hit > 0) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
        seen = cv2.remap(self._picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.where(there[..., None], seen.astype(np.float32), self._room)


def _rotation(left: float, up: float, roll: float) -> np.ndarray:
    a, b, c = np.radians([left, up, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


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
