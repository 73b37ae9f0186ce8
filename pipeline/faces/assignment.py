"""Which belongs to which, one to one: faces to tracks, names to faces, faces to people."""

from __future__ import annotations

import numpy as np

from pipeline.types import Ints


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
        rows, columns = assign(gains)
    found = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in found if gains[row, column] > 0]


def assign(gains: np.ndarray) -> tuple[Ints, Ints]:
    """The rows, ascending, and columns (min(n, m),) of finite gains (n, m) whose sum is greatest.

    Jonker and Volgenant's shortest augmenting paths, as Crouse gives them ("On implementing 2D rectangular
    assignment algorithms", IEEE Transactions on Aerospace and Electronic Systems, 2016). Among equal sums it
    is the one that `scipy.optimize.linear_sum_assignment` takes, which follows the same paper.
    """
    if gains.shape[0] > gains.shape[1]:
        columns, rows = assign(gains.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    costs = -np.asarray(gains, np.float64)
    count, width = costs.shape
    of_rows, of_columns = np.zeros(count), np.zeros(width)  # the dual variables
    column_of, row_of = np.full(count, -1), np.full(width, -1)
    for start in range(count):
        # Dijkstra's search from this row to the nearest column that is free.
        shortest, before = np.full(width, np.inf), np.full(width, -1)
        left = np.arange(width)[::-1].copy()  # columns that are not reached yet; their order decides ties
        reached_rows, reached_columns, row, far = [], [], start, 0.0
        while True:
            reached_rows.append(row)
            lengths = far + costs[row, left] - of_rows[row] - of_columns[left]
            shorter = left[lengths < shortest[left]]
            before[shorter] = row
            shortest[left] = np.minimum(shortest[left], lengths)
            far = float(shortest[left].min())
            nearest = np.flatnonzero(shortest[left] == far)
            free = nearest[row_of[left[nearest]] < 0]
            place = free[-1] if len(free) else nearest[0]
            column = int(left[place])
            reached_columns.append(column)
            left[place] = left[-1]
            left = left[:-1]
            if row_of[column] < 0:
                break
            row = int(row_of[column])
        of_rows[start] += far
        for row in reached_rows[1:]:
            of_rows[row] += far - shortest[column_of[row]]
        of_columns[reached_columns] -= far - shortest[reached_columns]
        while column >= 0:  # along the path, each row takes the next column
            row = int(before[column])
            row_of[column] = row
            column_of[row], column = column, int(column_of[row])
    return np.arange(count), column_of
