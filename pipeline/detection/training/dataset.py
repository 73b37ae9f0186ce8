"""Images of a training set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.detection.yolo import letterbox
from pipeline.errors import DetectorError
from pipeline.sources.images import read_plain

if TYPE_CHECKING:
    import torch


def sample(dataset: Path, batches: int = 8, batch: int = 16, size: int = 320) -> list[torch.Tensor]:
    """Some of the training images, letterboxed to a square: (batch, 3, size, size) float32 RGB in 0..1."""
    import torch

    images = [read_plain(path) for path in training_images(dataset, batches * batch)]
    planes = [
        torch.from_numpy(letterbox(i.astype(np.uint8), size, (size, size))[0])
        for i in images
        if i is not None
    ]
    return [torch.cat(planes[start : start + batch]) for start in range(0, len(planes), batch)]


def training_images(dataset: Path, count: int) -> list[Path]:
    """`count` of the training images, evenly spread; all of them where there are no more.

    Raises:
        DetectorError: there are none.
    """
    paths = images_of(dataset, "train")
    return [paths[int(place)] for place in np.linspace(0, len(paths) - 1, min(count, len(paths)))]


def images_of(dataset: Path, part: str) -> list[Path]:
    """All images of a part of a training set, `train` or `val`, by name.

    Raises:
        DetectorError: there are none.
    """
    folder = dataset.parent / "images" / part
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if not paths:
        raise DetectorError(f"{folder}: no training images; make them with: recog detector prepare")
    return paths
