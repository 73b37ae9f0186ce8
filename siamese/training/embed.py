"""Embedding many crops with a torch network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from siamese.training.model import Siamese


@torch.no_grad()
def embed(network: Siamese, images: npt.NDArray[np.uint8], batch: int = 128) -> npt.NDArray[np.float32]:
    """Weighted embeddings (n, d) float32 of crops (n, 112, 112, 3) uint8 BGR.

    Their plain L1 distance is the head's distance.
    """
    device = next(network.parameters()).device
    network.eval()
    parts = []
    for start in range(0, len(images), batch):
        part = torch.from_numpy(np.array(images[start : start + batch])).to(device)
        parts.append(network.weighted(part).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)
