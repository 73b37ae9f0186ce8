"""Whitening within people: directions in which photographs of one person differ count less."""

from __future__ import annotations

import numpy as np

from siamese.metrics import Floats, Ints


def within_people(embeddings: Floats, labels: Ints, shrinkage: float) -> Floats:
    """The symmetric matrix (d, d) that makes the scatter within people round; embeddings @ matrix.

    Within-class covariance normalisation (Hatch et al., 2006), by the symmetric root, so that coordinates
    stay as near to what they were as they can.

    Args:
        embeddings: (n, d).
        labels: (n,) the person in each row, from 0; those with one image say nothing.
        shrinkage: how much of a round scatter is mixed in, for each part of the measured one.
    """
    counts = np.bincount(labels)
    means = np.zeros((len(counts), embeddings.shape[1]))
    np.add.at(means, labels, embeddings)
    means /= np.maximum(counts, 1)[:, None]
    several = counts[labels] > 1
    apart = (embeddings - means[labels])[several]
    scatter = apart.T @ apart / max(int(several.sum()), 1)
    size = float(np.trace(scatter)) / len(scatter)
    if not size > 0:
        return np.eye(len(scatter), dtype=np.float32)
    mixed = (scatter / size + shrinkage * np.eye(len(scatter))) / (1 + shrinkage)
    values, vectors = np.linalg.eigh(mixed)
    matrix: Floats = ((vectors * values**-0.5) @ vectors.T).astype(np.float32)
    return matrix
