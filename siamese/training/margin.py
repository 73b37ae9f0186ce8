"""An auxiliary task beside the pairs: say which of the people learned from a face shows, with a margin.

H. Wang et al., "CosFace: large margin cosine loss for deep face recognition", 2018. The classifier is thrown
away after the training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SCALE = 32.0  # of cosines, before the softmax


class MarginSoftmax(nn.Module):
    """A direction for each person: faces are to lie nearer to their person's than to others by a margin."""

    def __init__(self, people: int, dimension: int, margin: float) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(people, dimension) / dimension**0.5)
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of `SCALE * (cosine - margin where it is the person)`, meaned over known faces.

        Args:
            embeddings: (n, d).
            labels: (n,) the person in each row, -1 where unknown: such rows do not count.
        """
        known = labels >= 0
        if not known.any():
            return embeddings.sum() * 0
        directions = functional.normalize(self.directions, dim=1)
        cosines = functional.normalize(embeddings[known], dim=1) @ directions.T
        target = functional.one_hot(labels[known], len(directions)).to(cosines.dtype)
        return functional.cross_entropy(SCALE * (cosines - self.margin * target), labels[known])
