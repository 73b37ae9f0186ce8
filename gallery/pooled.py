"""Several embeddings of one face as one: their mean, brought back to their mean length.

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
