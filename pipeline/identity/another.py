"""Whether a track has gone over to another face, so that two people do not become one.

A tracker goes by place and motion. Where the picture changes and another face stands in the same place, the
track goes on, and the name with it. So each look is compared with those before it, one to one, by the model's
calibration: how likely is it that these are two people? A head that turns looks like its owner still, and a
poor look decides nothing.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from pipeline.types import Floats
from siamese.calibration import Calibration, probability

# How likely it is, before the look, that the face is still the same one. Where the picture has changed or
# frames are far apart, nobody knows; a track without either seldom goes over to somebody else.
UNSURE, STEADY = 0.5, 0.9


class Belongs(Enum):
    """To whom a look belongs."""

    SAME = "the face of its track"
    DOUBTED = "another face, if the next look says so, too"
    ANOTHER = "another face"


class Newcomers:
    """Judges each look at the tracks of one source."""

    def __init__(self, calibration: Calibration, good: float) -> None:
        """
        Args:
            good: quality from which on a look may decide.
        """
        self._calibration, self._good = calibration, good
        self._known: set[int] = set()  # tracks with a good look
        self._doubted: dict[int, Floats] = {}

    def judge(
        self, track: int, before: Floats | None, embedding: Floats, quality: float, abrupt: bool
    ) -> Belongs:
        """To whom the newest look at a track belongs.

        Args:
            before: the looks at it so far as one embedding (d,); None where there are none.
            embedding: of the newest look, (d,).
            quality: of that look, in 0..1.
            abrupt: the face may have changed since the last look: one look has to do.
        """
        doubted = self._doubted.pop(track, None)
        if quality < self._good:
            return Belongs.SAME
        known = track in self._known
        self._known.add(track)
        if before is None or not known or self._same(before, embedding, UNSURE if abrupt else STEADY) >= 0.5:
            return Belongs.SAME
        if abrupt or (doubted is not None and self._same(doubted, embedding, UNSURE) >= 0.5):
            return Belongs.ANOTHER
        self._doubted[track] = embedding
        return Belongs.DOUBTED

    def begun(self, track: int) -> None:
        """Note that a look which was another face has begun a track of its own."""
        self._known.add(track)

    def forget(self, alive: frozenset[int]) -> None:
        """Drop what is remembered of tracks that ended."""
        self._known &= alive
        self._doubted = {track: look for track, look in self._doubted.items() if track in alive}

    def _same(self, one: Floats, other: Floats, before: float) -> float:
        """How likely it is that two embeddings (d,) are of one person."""
        ratio = float(self._calibration.llr(np.abs(one - other).sum()))
        return probability(ratio + float(np.log(before / (1 - before))))
