"""The looks at one track as one embedding, look by look."""

from __future__ import annotations

import numpy as np

from gallery.pooled import at_length
from pipeline.types import Floats


class Pooled:
    """As `gallery.pooled.pool`, kept up to date; old looks fade.

    Attributes:
        count: how many looks there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._weight, self._length = 0.0, 0.0  # sums of the weights, and of the weighted lengths
        self._sum = np.zeros(0)  # of the weighted embeddings (d,)

    def add(self, embedding: Floats, weight: float, memory: int) -> Floats:
        """Take in one look; return all as one embedding (d,) float32.

        Args:
            embedding: of the look, (d,), the same d each time.
            weight: more than zero.
            memory: how many looks are remembered; older ones fade.
        """
        keep = 1 - 1 / memory if self.count >= memory else 1.0
        exact = np.asarray(embedding, np.float64)
        self._sum = (keep * self._sum if self.count else 0) + weight * exact
        self._length = keep * self._length + weight * float(np.abs(exact).sum())
        self._weight = keep * self._weight + weight
        self.count += 1
        return at_length(self._sum, self._length / self._weight)


def track(embeddings: Floats, weights: Floats, memory: int) -> Floats:
    """The looks (n, d) at a track, oldest first, n > 0, as one embedding (d,) float32. See `Pooled`."""
    pooled = Pooled()
    faces = [
        pooled.add(each, float(weight), memory) for each, weight in zip(embeddings, weights, strict=True)
    ]
    return faces[-1]
