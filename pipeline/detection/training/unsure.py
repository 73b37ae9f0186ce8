"""Places that may show a face or not: they say nothing in the loss of scores, for it nor against it.

In crowds the labels know the faces that somebody is sure of; the heads around them are too small or too far
turned to tell. To call these background would teach to miss, and to paint over them, as was done before,
teaches what pictures full of patches look like: in them the detectors found up to a sixth more of the same
faces than in the photographs as they are (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pipeline.detection.training.even import of_heads
from pipeline.detection.training.prepare import UNSURE_CLASS


class Sparing(nn.Module):
    """Binary cross-entropy of every place (n, places, classes) that is nought at places that are spared."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain
        self.spared: torch.Tensor | None = None  # (n, places) bool, of the batch that comes next

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: Any = self.plain(logits, targets)
        spared, self.spared = self.spared, None
        if spared is not None:
            # A face that is sure has its places, whatever else is suspected there.
            loss = loss.masked_fill(spared[..., None] & (targets <= 0), 0)
        return torch.as_tensor(loss)


def spare(criterion: Any) -> list[Sparing]:
    """Have a loss of ultralytics spare places; changed in place. Returns what the places are told to.

    Args:
        criterion: `v8DetectionLoss` or one made of it; or `E2ELoss`, which holds one for each of two heads.
    """
    sparing: list[Sparing] = []
    for loss in of_heads(criterion):
        loss.bce = Sparing(loss.bce)
        sparing.append(loss.bce)
    return sparing


def take_out(batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the unsure places out of a batch of ultralytics' labels, in place.

    Returns:
        The image (k,) that each is in, and their boxes (k, 4): middle and size as shares of the image.
    """
    unsure = batch["cls"].view(-1) == UNSURE_CLASS
    taken = batch["batch_idx"][unsure].long(), batch["bboxes"][unsure]
    for key in ("cls", "batch_idx", "bboxes", "keypoints"):
        batch[key] = batch[key][~unsure]
    return taken


def places_in(
    image: torch.Tensor, boxes: torch.Tensor, count: int, size: tuple[int, int], strides: Sequence[int]
) -> torch.Tensor:
    """Which places of the grids lie in a box, or within half a stride of it: (count, places) bool.

    Args:
        image: (k,) image of each box.
        boxes: (k, 4) middle and size, as shares of the image.
        count: images in the batch.
        size: their height and width in pixels.
        strides: of the grids, in the order in which their places come, row by row.
    """
    grids: list[torch.Tensor] = []
    height, width = size
    for stride in strides:
        rows, columns = height // stride, width // stride
        y = (torch.arange(rows, device=boxes.device) + 0.5) * stride
        x = (torch.arange(columns, device=boxes.device) + 0.5) * stride
        within_x = (x - boxes[:, :1] * width).abs() <= (boxes[:, 2:3] * width + stride) / 2
        within_y = (y - boxes[:, 1:2] * height).abs() <= (boxes[:, 3:] * height + stride) / 2
        within = (within_y[:, :, None] & within_x[:, None, :]).flatten(1)
        grid = torch.zeros(count, rows * columns, dtype=torch.int32, device=boxes.device)
        grids.append(grid.index_add_(0, image, within.to(torch.int32)) > 0)
    return torch.cat(grids, dim=1)
