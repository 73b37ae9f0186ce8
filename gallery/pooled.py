"""Several embeddings of one face as one, at once or look by look: their mean at their mean length.

The mean of several embeddings is shorter than they are, and what is short is near to everybody, strangers
too. Length is that of the L1 metric, in which embeddings are compared. At the mean length, pooled strangers
are no nearer to anybody than single photographs of them are; only the same person is (measured:
docs/decisions/0009-looks-are-pooled.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gallery.types import Floats


def pool(embeddings: Floats, weights: npt.ArrayLike = 1.0) -> Floats:
    """Embeddings (n, d) as one, (d,) float32; zeros where they cancel out or there are none.

    Args:
        weights: (n,), each at least zero and one of them more; or one number for all.
    """
    exact = embeddings.astype(np.float64)
    by = np.broadcast_to(np.asarray(weights, np.float64), (len(exact),))
    total, lengths = by @ exact, by @ np.abs(exact).sum(axis=1)
    return at_length(total, float(lengths / by.sum()) if len(exact) else 0.0)


def at_length(direction: npt.NDArray[np.float64], length: float) -> Floats:
    """What points like `direction` (d,) and has this L1 length; zeros where it points nowhere."""
    now = float(np.abs(direction).sum())
    return np.asarray(direction * (length / now) if now else np.zeros(len(direction)), np.float32)


class Pooled:
    """As `pool`, kept up to date; old looks fade.

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
        return self.embedding()

    def embedding(self) -> Floats:
        """All looks as one (d,) float32; there must be some."""
        return at_length(self._sum, self._length / self._weight)


def track(embeddings: Floats, weights: Floats, memory: int) -> Floats:
    """The looks (n, d) at a track, oldest first, n > 0, as one embedding (d,) float32. See `Pooled`."""
    pooled = Pooled()
    faces = [
        pooled.add(each, float(weight), memory) for each, weight in zip(embeddings, weights, strict=True)
    ]
    return faces[-1]
