"""L1 distances of many embeddings to many, in the double precision that thresholds are made in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gallery.types import Floats

Doubles = npt.NDArray[np.float64]


def l1(a: Floats | Doubles, b: Floats | Doubles) -> Doubles:
    """L1 distances (n, m) of each row of a (n, d) to each of b (m, d), summed in double precision."""
    of, to = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(of) > len(to):  # the loop is over the fewer
        return np.ascontiguousarray(l1(to, of).T)
    distances, gaps = np.empty((len(of), len(to))), np.empty_like(to)
    for row, one in enumerate(of):
        np.abs(np.subtract(to, one, out=gaps), out=gaps).sum(axis=1, out=distances[row])
    return distances
