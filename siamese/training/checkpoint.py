"""Checkpoints: all that a training needs to go on exactly, and an evaluation to say what it is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from siamese.errors import ModelError
from siamese.settings import ModelSettings
from siamese.training.model import Siamese

FORMAT = 1
NEEDED = {"model_settings", "train_settings", "step", "epoch", "best", "random"}
NEEDED |= {"network", "averaged", "guess", "optimizer"}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that the file is either the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save({"format": FORMAT, **state}, temporary)
    os.replace(temporary, path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint. Only tensors and plain values are read: loading never runs code from the file.

    Raises:
        ModelError: the file is missing, damaged, or not a checkpoint of ours.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint; train one with: recog train")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere inside torch
        raise ModelError(f"{path}: not a checkpoint that can be read, or damaged") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or not state.keys() >= NEEDED:
        raise ModelError(f"{path}: not a checkpoint of this version of recog")
    return state


def build(state: dict[str, Any]) -> Siamese:
    """The network of a checkpoint with its averaged weights, ready to evaluate or export.

    Raises:
        ModelError: the weights do not fit the network that the checkpoint describes.
    """
    try:
        network = Siamese(ModelSettings(**state["model_settings"]))
        network.load_state_dict(state["averaged"])
    except (ValueError, TypeError, RuntimeError) as error:
        raise ModelError(
            "the checkpoint describes a network that this version of recog cannot build"
        ) from error
    return network.eval()
