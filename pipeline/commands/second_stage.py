"""The body of `recog detector train-second-stage`: what it learns from, training, and the file."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.config import DetectSettings
from pipeline.detection.second_stage import FIRST
from pipeline.detection.training.candidates import (
    FACE,
    LEAST,
    Candidates,
    gather,
    joined,
    labelled,
    read,
    write,
)
from pipeline.detection.training.views import softened, turned
from pipeline.detection.yolo import YoloDetector
from pipeline.detectors import detector_file
from pipeline.errors import DetectorError
from pipeline.progress import Progress
from pipeline.protocols import Detector
from pipeline.sources.images import list_photos
from pipeline.types import Floats

SIZES = (320, 480, 640)  # long sides at which the detectors look
WEIGHED = 10  # one photograph of so many without people is left for weighing
_NOBODY: Floats = np.zeros((0, 5), np.float32)


@dataclass(frozen=True, slots=True)
class Material:
    """What is learned from."""

    dataset: Path  # dataset.yaml
    negatives: Sequence[Path]  # folders
    detectors: Sequence[Path]  # names or files
    kept: Path | None  # where candidates are kept
    checkpoint: Path | None  # weights to go on from, and where they are kept


def make(material: Material, out: Path, minutes: float, threads: int, progress: Progress) -> list[float]:
    """Train a second stage and write it. Returns what is added to the logits, and their weights.

    Raises:
        DetectorError: torch is not installed, there is nothing to learn from, or `out` cannot be written.
        siamese.errors.ModelError: a detector cannot be used.
    """
    if importlib.util.find_spec("torch") is None:
        raise DetectorError("training needs torch: install recog[train]")
    for each in filter(None, (material.kept, material.checkpoint)):
        if not each.parent.is_dir():
            raise DetectorError(f"{each}: cannot be written, there is no folder {each.parent}")
    import torch

    from pipeline.detection.training import second_stage as training

    learned, held = _candidates(material, progress)
    for what, of in (("to learn from", learned), ("to weigh by", held)):
        faces = int((of.overlaps >= FACE).sum())
        if not faces or faces == len(of):
            raise DetectorError(f"{material.dataset}: no places {what}, faces and others")
    if threads:
        torch.set_num_threads(threads)
    start = None
    if material.checkpoint is not None and material.checkpoint.is_file():
        start = training.restored(material.checkpoint)
    network = training.train(learned, minutes, start, progress=progress)
    weights = training.weigh(network, held, FIRST)
    training.write(network, weights, out)
    if material.checkpoint is not None:
        training.keep(network, material.checkpoint)
    return weights


def _candidates(material: Material, progress: Progress) -> tuple[Candidates, Candidates]:
    """Places to learn from, and places to weigh by."""
    if material.kept is not None and material.kept.is_file():
        return read(material.kept)
    cv2.setNumThreads(1)
    detectors: list[Detector] = [
        YoloDetector(detector_file(model), DetectSettings(size=size, confidence=LEAST))
        for model in material.detectors
        for size in SIZES
    ]
    empty = [(path, _NOBODY) for folder in material.negatives for path in list_photos(folder)]
    parts = {
        "train": [each for number, each in enumerate(empty) if number % WEIGHED],
        "val": empty[::WEIGHED],
    }
    photos = {part: labelled(material.dataset, part) for part in parts}  # what is missing is said first
    learned, held = (
        joined(
            gather(photos[part], detectors, progress=progress, views=softened if part == "train" else None),
            gather(nobody, detectors, progress=progress, views=turned if part == "train" else None),
        )
        for part, nobody in parts.items()
    )
    if material.kept is not None:
        write(material.kept, learned, held)
    return learned, held
