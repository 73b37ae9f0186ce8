"""Ultralytics weights (`.pt`): how they are read; and as a detector, exported once to ONNX, and kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from pipeline.errors import DetectorError
from siamese.shipped import sha256

CACHE = Path("~/.cache/recog/detectors")


def as_onnx(weights: Path, cache: Path | None = None) -> Path:
    """The ONNX graph of these weights, exported on first use.

    Opening a `.pt` can run code from it: know where it comes from.

    Raises:
        DetectorError: no such file, ultralytics is not installed, or it cannot read them.
    """
    if not weights.is_file():
        raise DetectorError(f"{weights}: no such weights")
    folder = (cache or CACHE).expanduser()
    exported = folder / f"{sha256(weights)[:16]}.onnx"
    if exported.is_file():
        return exported
    if importlib.util.find_spec("ultralytics") is None:
        raise DetectorError(
            f"{weights}: .pt weights need ultralytics (install recog[train]); or give an .onnx of them"
        )
    from pipeline.detection.training.export import export

    folder.mkdir(parents=True, exist_ok=True)
    return export([weights], exported, {})


def read(weights: Path, told: Path | None = None) -> Any:
    """The `ultralytics.YOLO` of weights. Opening them can run code: know where they come from.

    Args:
        told: the file to name in errors, where `weights` is a copy of it.

    Raises:
        DetectorError: ultralytics cannot read them.
    """
    from ultralytics import YOLO  # type: ignore[attr-defined]

    try:
        return YOLO(str(weights), task="pose")
    except Exception as error:  # whatever unpickling a foreign file raises
        raise unusable(told or weights, "read", error) from error


def unusable(weights: Path, what: str, error: Exception) -> DetectorError:
    """The error that ultralytics cannot do `what` with these weights, in one line."""
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return DetectorError(f"{weights}: ultralytics cannot {what} these weights ({reason})")
