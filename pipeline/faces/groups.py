"""Faces that are of one person, put together."""

from __future__ import annotations

import numpy as np

from pipeline.types import Floats, Ints


def groups(embeddings: Floats, distance: float) -> Ints:
    """A number for each of n embeddings (n, d), from 0 for the largest group: looks within `distance` on
    average.

    Groups are joined by the mean distance of their members: one look between two people joins nobody.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(embeddings) < 2:
        return np.zeros(len(embeddings), np.int64)
    labels = fcluster(linkage(pdist(embeddings, "cityblock"), "average"), distance, "distance")
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    places = np.empty(len(counts), np.int64)
    places[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return places[numbers]
