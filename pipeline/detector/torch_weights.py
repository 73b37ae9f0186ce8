"""Ultralytics weights (`.pt`) as a detector: exported once to ONNX, and kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path

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
    from pipeline.detector.export import export

    folder.mkdir(parents=True, exist_ok=True)
    return export([weights], exported, {})
