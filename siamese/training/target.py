"""What an embedding itself shall be: the teachers' embeddings, on as many coordinates as the network has.

Without this each teacher is guessed by a layer of its own, which is thrown away, and the network's own space
is free to turn. With it the space is fixed: it stays the same from one training to the next, and the last
layer can be computed (`siamese.training.warm_start.fit_last_layer`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from siamese.training.faces import Faces
from siamese.training.teacher import Floats, unit

SAMPLE = 20_000  # faces by which the axes are found
SEED = 3


def direct(faces: Faces, dimension: int) -> Faces:
    """The same faces with one target (n, `dimension`): all teachers' on their first principal axes.

    The axes are turned at random: on principal axes themselves a few coordinates would make most of an L1
    distance, which costs accuracy (docs/experiments.md).
    """
    joined = _joined(faces)
    rows = np.linspace(0, len(joined) - 1, min(SAMPLE, len(joined))).astype(np.int64)
    axes = principal(joined[rows], dimension)
    return replace(faces, targets=[unit(joined @ axes)], weights=())


def principal(vectors: Floats, dimension: int) -> Floats:
    """The first principal axes of `vectors` (n, d), not centred, turned at random: (d, `dimension`).

    Raises:
        ValueError: vectors of fewer coordinates than that.
    """
    if vectors.shape[1] < dimension:
        raise ValueError(f"{dimension} coordinates of {vectors.shape[1]}")
    values = vectors.astype(np.float64)
    _, axes = np.linalg.eigh(values.T @ values)
    turned, _ = np.linalg.qr(np.random.default_rng(SEED).standard_normal((dimension, dimension)))
    return np.ascontiguousarray(axes[:, ::-1][:, :dimension] @ turned, np.float32)


def _joined(faces: Faces) -> npt.NDArray[np.float32]:
    """Teachers side by side: the cosine of two rows is the weighted mean of the teachers' cosines."""
    shares = np.array(faces.weights or (1.0,) * len(faces.targets))
    scales = np.sqrt(shares / shares.sum())
    parts = [target * np.float32(scale) for target, scale in zip(faces.targets, scales, strict=True)]
    return np.concatenate(parts, axis=1)
