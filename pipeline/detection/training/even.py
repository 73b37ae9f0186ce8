"""A loss of scores in which a photograph with one face weighs as much as it should beside a crowd.

Ultralytics divides the loss of a batch by how much of a face all places of all its images should see. Beside
a crowd of two hundred, a portrait then is two hundredths of the loss, and whatever is rare in crowds, like a
profile that fills the picture, is learned late and believed little.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

LEAST = 4.0  # what an image weighs at least by: one without a face would else weigh most of all


class Even(nn.Module):
    """Binary cross-entropy of every place (n, places, classes), weighted for each image by itself.

    Each image's loss is divided by the root of how much of a face its places should see; the whole keeps its
    size. So an image with a hundred faces weighs ten times as much as one with one, not a hundred times.
    """

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: Any = self.plain(logits, targets)
        seen = targets.detach().sum(dim=(1, 2)).clamp(min=LEAST)
        weights = seen.rsqrt() * (seen.sum() / seen.sqrt().sum())
        return torch.as_tensor(loss * weights[:, None, None])


def even_out(criterion: Any) -> Any:
    """Have a loss of ultralytics weigh images so; changed in place.

    Args:
        criterion: `v8DetectionLoss` or one made of it; or `E2ELoss`, which holds one for each of two heads.
    """
    for loss in of_heads(criterion):
        loss.bce = Even(loss.bce)
    return criterion


def of_heads(criterion: Any) -> list[Any]:
    """The loss of each head: `E2ELoss` of ultralytics holds one for each of two, any other is itself."""
    return [criterion] if hasattr(criterion, "bce") else [criterion.one2many, criterion.one2one]
