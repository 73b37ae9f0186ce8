"""The door to ultralytics, and how its weights (`.pt`) are read; it is kept from network and installing."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from pipeline.errors import DetectorError


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


# Services for experiments that ultralytics tells of each training as soon as their packages are installed,
# whatever for; most send it elsewhere. Ray, which `recog archive` needs, is one.
TOLD = ("clearml", "comet", "dvc", "mlflow", "raytune", "wandb")


def quiet_ultralytics(folder: Path) -> None:
    """Keep ultralytics from installing packages, asking or telling the network or writing outside `folder`.

    Raises:
        DetectorError: it is not installed.
    """
    if importlib.util.find_spec("ultralytics") is None:
        raise DetectorError("training and exporting a detector need ultralytics: install recog[train]")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(folder))
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    from ultralytics.utils import SETTINGS

    # Its own `update` would write them to a file, which may be the user's.
    dict.update(SETTINGS, dict.fromkeys((*TOLD, "sync"), False))
