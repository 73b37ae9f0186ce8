"""`recog train --backbone`: the L1 head on somebody else's frozen face embedder, as a model like others."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.progress import progress
from pipeline.training.data import make_folder
from pipeline.training.network import CALIBRATION_IMAGES, lfw_crops
from siamese.crops import CropSet
from siamese.lfw.files import read_people_folds
from siamese.lfw.split import Split, split
from siamese.metrics import Floats, Ints

if TYPE_CHECKING:
    from siamese.frozen.backbone import Backbone

ALL = "all"  # ten models, each with one fold of View 2 held out
PORTION = 64  # faces embedded between two reports of progress


def train_heads(backbone: Path, root: Path, out: Path, settings: Settings, hold_out: str) -> list[Path]:
    """Fit the head for one split of LFW's people, or for all ten folds; return the models.

    Args:
        backbone: any ONNX face embedder, (n, 3, 112, 112) -> (n, d).
        out: folder for the models, `frozen-view1.onnx`, `frozen-fold-9-10.onnx` and the like.
        hold_out: as `siamese.lfw.split` reads it, or `all`.

    Raises:
        ConfigError: recog[train] is not installed.
        PipelineError, SiameseError: data or models that are missing, damaged or of another kind, or `out`
            cannot be written.
    """
    if any(importlib.util.find_spec(module) is None for module in ("onnx", "sklearn")):
        raise ConfigError("--backbone: fitting a head needs onnx and scikit-learn: install recog[train]")
    from siamese.frozen.backbone import Backbone

    if hold_out == ALL:
        numbers = range(1, len(read_people_folds(root / "people.txt")) + 1)
        wanted = [split(root, f"fold:{number}") for number in numbers]
    else:
        wanted = [split(root, hold_out)]
    make_folder(out)
    frozen = Backbone(backbone, settings.backbone, settings.runtime.threads)
    crops = lfw_crops(root, settings)
    embeddings = embedded(frozen, crops, root / "embeddings")
    with progress() as display:
        each = display.track(wanted, description="fitting heads")
        return [_fit(frozen, embeddings, crops, people, out) for people in each]


def _fit(frozen: Backbone, embeddings: Floats, crops: CropSet, people: Split, out: Path) -> Path:
    """Fit, calibrate and write the model for one split."""
    from siamese import calibration, metrics
    from siamese.errors import ModelError
    from siamese.frozen.export import export_frozen
    from siamese.frozen.head import fit_head
    from siamese.lfw import seen
    from siamese.protocols.embedded import labels_of, rows_of_people

    def of(names: list[str]) -> tuple[Floats, Ints]:
        rows = rows_of_people(crops, names, CALIBRATION_IMAGES)
        return embeddings[rows], labels_of(crops, rows)

    head = fit_head(*of(people.fit), frozen.settings.whiten)
    held, labels = of(people.validation)
    distances, same = metrics.every_pair(head.apply(held), labels)
    try:
        fitted = calibration.fit(distances, same)
    except ValueError as error:
        raise ModelError(f"{frozen.model}: cannot be calibrated: {error}") from error
    card: dict[str, Any] = {
        "data": f"LFW, {len(people.fit)} people, for the head alone",
        "outside data": "labelled (whatever the backbone was trained on)",
        **seen.entries(people),
        "alignment": crops.alignment,
        "backbone": {"file": frozen.model.name, "sha256": frozen.digest},
        "metrics": {"area under ROC, validation people": metrics.verification(distances, same)["auc"]},
        "head": {"pairs of one person": head.genuine, "pairs of two": head.impostor, "loss": head.loss},
        "licence": f"the head: MIT; the backbone: that of {frozen.model.name}",
    }
    name = "frozen-" + people.hold_out.replace(":", "-").replace(",", "-") + ".onnx"
    try:
        return export_frozen(frozen, head, out / name, fitted, card)
    except OSError as error:
        raise SinkError(f"{out / name}: cannot be written ({error.strerror or error})") from error


def embedded(frozen: Backbone, crops: CropSet, folder: Path) -> Floats:
    """The backbone's embeddings (n, d) of a whole crop set; computed once and kept in `folder`.

    Raises:
        SinkError: the folder cannot be written.
    """
    made_of = [frozen.digest, frozen.settings.model_dump(exclude={"whiten"}), crops.alignment, crops.files]
    kept = folder / f"{hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]}.npy"
    if kept.is_file():
        found: Floats = np.load(kept)
        return found
    make_folder(folder)
    parts = []
    with progress() as display:
        task = display.add_task("embedding", total=len(crops))
        for start in range(0, len(crops), PORTION):
            parts.append(frozen.embed(np.asarray(crops.images[start : start + PORTION])))
            display.advance(task, len(parts[-1]))
    embeddings = np.concatenate(parts)
    temporary = kept.with_suffix(".tmp")
    try:
        # Faces can be told from embeddings: nobody else's to read.
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            np.save(file, embeddings)
        os.replace(temporary, kept)
    except OSError as error:
        raise SinkError(f"{kept}: cannot be written ({error.strerror or error})") from error
    return embeddings
