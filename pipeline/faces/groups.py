"""Faces that are of one person, put together."""

from __future__ import annotations

import numpy as np

from gallery.distances import l1
from pipeline.types import Floats, Ints


def groups(embeddings: Floats, distance: float) -> Ints:
    """A number for each of n embeddings (n, d), from 0 for the largest group: looks within `distance` on
    average.

    Groups are joined by the mean distance of their members: one look between two people joins nobody. Of
    groups as large as each other, the one that is seen first has the smaller number.
    """
    labels = average_linkage(l1(embeddings, embeddings), distance)
    _, first, numbers, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    places = np.empty(len(counts), np.int64)
    places[np.lexsort((first, -counts))] = np.arange(len(counts))
    return places[numbers]


def average_linkage(distances: np.ndarray, most: float) -> Ints:
    """A label for each of n things at distances (n, n) from each other: equal within a group.

    Groups are joined while the mean distance between the members of two is at most `most`, the nearest two
    first (UPGMA). Each group's nearest is followed until two are each other's, which gives the same tree in
    n^2 steps (Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer
    Journal, 1983); ties as in `scipy.cluster.hierarchy.linkage`, which does the same.

    Raises ValueError for distances that are not finite.
    """
    if not np.isfinite(distances).all():
        raise ValueError("distances that are not finite group nothing")
    apart = np.array(distances, np.float64)
    np.fill_diagonal(apart, np.inf)
    labels, sizes = np.arange(len(apart)), np.ones(len(apart))
    chain: list[int] = []
    for _ in range(len(apart) - 1):
        if not chain:
            chain = [int(np.argmax(sizes > 0))]
        while True:
            here = chain[-1]
            nearest = int(apart[here].argmin())
            if len(chain) > 1 and apart[here, chain[-2]] <= apart[here, nearest]:
                nearest = chain[-2]  # in a tie, back: else the chain could run in circles
                break
            chain.append(nearest)
        chain = chain[:-2]
        # A group is known by its last member. Joins beyond `most` only lead the chain on: a group that was
        # joined so is never nearer to another than that.
        gone, kept = min(here, nearest), max(here, nearest)
        if apart[kept, gone] <= most:
            labels[labels == gone] = kept
        apart[kept] = (sizes[gone] * apart[gone] + sizes[kept] * apart[kept]) / (sizes[gone] + sizes[kept])
        apart[kept, kept] = np.inf
        apart[gone] = apart[:, gone] = np.inf
        apart[:, kept] = apart[kept]
        sizes[kept], sizes[gone] = sizes[kept] + sizes[gone], 0
    return labels
