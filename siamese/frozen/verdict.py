"""The head on a frozen backbone, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siamese.metrics import Floats


@dataclass(frozen=True, slots=True)
class Head:
    """`logit = bias - sum_i weights_i |a_i - c_i|` of embeddings that were whitened first."""

    whitening: Floats | None  # (d, d); None for none
    weights: Floats  # (d,), each at least zero
    bias: float
    loss: float  # mean binary cross-entropy, both kinds of pairs weighing the same
    genuine: int  # pairs it was fitted on
    impostor: int

    def apply(self, embeddings: Floats) -> Floats:
        """Embeddings (n, d) whose plain L1 distance is the head's, of the backbone's (n, d)."""
        return before_weights(embeddings, self.whitening) * self.weights


def before_weights(embeddings: Floats, whitening: Floats | None) -> Floats:
    """Embeddings (n, d) whitened and of length one; or as they are."""
    if whitening is None:
        return embeddings
    white = embeddings @ whitening
    unit: Floats = white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32)
