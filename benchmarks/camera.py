"""The simulated camera of the benchmark of attacks: its rate, its size, its noise, and who stands before it.

Nobody answers at once: `Timing` says how far somebody is into each move who hears what is asked.
"""

from __future__ import annotations

import functools

import numpy as np

from pipeline.liveness.challenge import Move
from pipeline.types import Floats, Image

FPS = 15
SIZE = (480, 640)  # height and width
FOCAL = 700.0  # pixels
SENSOR = 2.0  # standard deviation of its noise, grey levels
REACTION, MOTION = (0.25, 0.6), (0.35, 0.6)  # seconds, from ... to
TILT = 20.0  # degrees to which a head is tilted
LEAN = 1.27  # by how much larger a head becomes when it comes nearer: from 50 cm to 40


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


def sensed(image: np.ndarray, random: np.random.Generator) -> Image:
    """With a sensor's noise."""
    noise = np.resize(np.roll(_noise(), int(random.integers(1 << 20))), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@functools.cache
def _noise() -> Floats:
    """A sensor's noise, which each frame begins elsewhere: drawing it anew takes long."""
    return np.random.default_rng(0).standard_normal(1 << 20, np.float32) * np.float32(SENSOR)
