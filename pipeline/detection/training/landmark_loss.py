"""A loss of landmarks that tells a head rolled by ten degrees from an upright one.

Ultralytics takes an error for large where it is a good part of the face: the spread of its similarity of
keypoints is a fifth of the side. An eye that is off by a thirtieth of the face, as the eyes of a head rolled
by twenty degrees are when it is shown as rolled by ten, cost nearly nothing. Its mean goes over all faces,
too, and in crowds most have no landmarks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pipeline.detection.training.even import of_heads


class LandmarkLoss(nn.Module):
    """One minus the similarity of keypoints of COCO (OKS), over the faces that have landmarks.

    OKS is exp(-d^2 / (8 s^2 a)) for a landmark off by d of a face of area a (cocodataset.org,
    "Keypoint Evaluation").
    """

    def __init__(self, sigma: float) -> None:
        """
        Args:
            sigma: s, in roots of the face's area.
        """
        super().__init__()
        self.sigma = sigma

    def forward(
        self, points: torch.Tensor, labels: torch.Tensor, known: torch.Tensor, area: torch.Tensor
    ) -> torch.Tensor:
        """The mean over faces of the mean over their landmarks; nought where no face has any.

        Args:
            points: (n, landmarks, 2 or more) x, y of what was found.
            labels: (n, landmarks, 2 or more) x, y of where they are.
            known: (n, landmarks) bool, which of them are.
            area: (n, 1) of the faces, in the square of the same unit.
        """
        squared = (points[..., :2] - labels[..., :2]).square().sum(dim=-1)
        lost = 1 - torch.exp(-squared / (8 * self.sigma**2 * (area + 1e-9)))
        count = known.sum(dim=1)
        each = (lost * known).sum(dim=1) / count.clamp(min=1)
        return each.sum() / (count > 0).sum().clamp(min=1)


def sharpen(criterion: Any, sigma: float) -> None:
    """Have a loss of ultralytics weigh landmarks so; changed in place.

    Which places of the grid see which face is decided as before.

    Args:
        criterion: `PoseLoss26` or one made of it; or `E2ELoss`, which holds one for each of two heads.
        sigma: as `LandmarkLoss` takes it.
    """
    for loss in of_heads(criterion):
        loss.keypoint_loss = LandmarkLoss(sigma)
