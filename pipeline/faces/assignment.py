"""Which belongs to which, one to one: faces to tracks, names to faces, faces to people."""

from __future__ import annotations

import numpy as np


def pairs(gains: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns of gains (n, m) that are paired: the greatest sum, each row and column at most once.

    Pairs that gain nothing are left out.
    """
    gains = np.maximum(gains, 0)
    if not gains.size:
        return []
    rows = np.flatnonzero(gains.max(axis=1))
    columns = gains[rows].argmax(axis=1)
    if len(set(columns.tolist())) < len(columns):  # else each has its best, and no sum is greater
        # Imported here: that takes as long as everything else a run imports, and most frames do without.
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(gains, maximize=True)
    found = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in found if gains[row, column] > 0]


def prepare() -> None:
    """Import now what the first conflict would need: a live source would lose the frames of that time."""
    import scipy.optimize  # noqa: F401
