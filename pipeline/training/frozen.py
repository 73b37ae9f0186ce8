"""`recog train --backbone`: the L1 head on somebody else's frozen face embedder, as a model like others."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline import build
from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.outputs.places import Output, check_outputs
from pipeline.progress import Progress, silent
from pipeline.training.data import make_folder
from pipeline.training.network import CALIBRATION_IMAGES, lfw_crops
from siamese.crops import CropSet
from siamese.growing import GrowingRows
from siamese.lfw.files import read_people_folds
from siamese.lfw.split import Split, split
from siamese.metrics import Floats, Ints

if TYPE_CHECKING:
    from siamese.calibration import Calibration
    from siamese.frozen.backbone import Backbone
    from siamese.frozen.verdict import Head

ALL = "all"  # ten models, each with one fold of View 2 held out
KEPT = "embeddings"  # folder beside LFW's crops
BATCH = 32  # faces that one thread embeds at once


def train_heads(
    backbone: Path,
    root: Path,
    out: Path,
    settings: Settings,
    hold_out: str,
    progress: Progress = silent,
    overwrite: bool = False,
) -> list[Path]:
    """Fit the head for one split of LFW's people, or for all ten folds; return the models.

    Args:
        backbone: any ONNX face embedder, (n, 3, 112, 112) -> (n, d).
        out: folder for the models, `frozen-view1.onnx`, `frozen-fold-9-10.onnx` and the like.
        hold_out: as `siamese.lfw.split` reads it, or `all`.
        overwrite: models that are there already may be replaced.

    Raises:
        SinkError: a model is there already.
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
    earlier = [out / _name(people) for people in wanted if (out / _name(people)).exists()]
    check_outputs([Output(path) for path in earlier], [backbone], overwrite)
    make_folder(out)
    frozen = Backbone(backbone, settings.backbone, threads=1)
    crops = lfw_crops(root, settings, progress)
    embeddings = embedded(frozen, frozen.fed, crops, root / KEPT, build.threads(settings), progress=progress)
    made: list[Path] = []
    for people in wanted:
        progress("fitting heads", len(made), len(wanted))
        made.append(_fit(frozen, embeddings, crops, people, out))
    return made


def _fit(frozen: Backbone, embeddings: Floats, crops: CropSet, people: Split, out: Path) -> Path:
    """Fit, calibrate and write the model for one split."""
    from siamese.frozen.export import export_frozen
    from siamese.protocols.embedded import rows_of_people

    fit = rows_of_people(crops, people.fit, CALIBRATION_IMAGES)
    held = rows_of_people(crops, people.validation, CALIBRATION_IMAGES)
    fitted = fit_and_calibrate(frozen, embeddings, crops, fit, held)
    card = card_of(frozen, fitted, people, len(people.fit), crops.alignment)
    card["licence"] = f"the head: MIT; the backbone: that of {frozen.model.name}"
    name = _name(people)
    try:
        return export_frozen(frozen, fitted.head, out / name, fitted.calibration, card)
    except OSError as error:
        raise SinkError(f"{out / name}: cannot be written ({error.strerror or error})") from error


def _name(people: Split) -> str:
    return "frozen-" + people.hold_out.replace(":", "-").replace(",", "-") + ".onnx"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was made on top of a frozen backbone."""

    head: Head
    calibration: Calibration
    auc: float  # area under the ROC curve on the people it was calibrated on


def fit_and_calibrate(frozen: Backbone, embeddings: Floats, crops: CropSet, fit: Ints, held: Ints) -> Fitted:
    """Fit the head on some faces and calibrate it on others.

    Args:
        embeddings: (n, d) of the crops; rows that are in neither are not looked at.
        fit: rows of the people to learn from.
        held: rows of other people.

    Raises:
        DataError: there are no two images of one person, or no two people, to learn from.
        ModelError: distance says nothing of the others.
    """
    from siamese import calibration, metrics
    from siamese.errors import ModelError
    from siamese.frozen.head import fit_head
    from siamese.protocols.embedded import labels_of

    head = fit_head(embeddings[fit], labels_of(crops, fit), frozen.settings.whiten)
    distances, same = metrics.every_pair(head.apply(embeddings[held]), labels_of(crops, held))
    try:
        calibrated = calibration.fit(distances, same)
    except ValueError as error:
        raise ModelError(f"{frozen.model}: cannot be calibrated: {error}") from error
    return Fitted(head, calibrated, metrics.verification(distances, same)["auc"])


def card_of(
    frozen: Backbone, fitted: Fitted, people: Split, learned_from: int, alignment: str
) -> dict[str, Any]:
    """What the model's card says, but for the licence.

    Args:
        people: whom it may have seen, and whom not.
        learned_from: how many people the head was fitted to.
    """
    from siamese.lfw import seen

    head = fitted.head
    return {
        "data": f"LFW, {learned_from} people, for the head alone",
        "outside data": "labelled (whatever the backbone was trained on)",
        **seen.entries(people),
        "alignment": alignment,
        "backbone": {"file": frozen.model.name, "sha256": frozen.digest},
        "metrics": {"area under ROC, validation people": fitted.auc},
        "head": {"pairs of one person": head.genuine, "pairs of two": head.impostor, "loss": head.loss},
    }


class Embeds(Protocol):
    """A frozen backbone, or a whole model."""

    dimension: int
    digest: str

    def embed(self, crops: npt.NDArray[np.uint8], /) -> Floats: ...


def embedded(
    embedder: Embeds,
    fed: Mapping[str, Any],
    crops: CropSet,
    folder: Path,
    threads: int,
    rows: Ints | None = None,
    progress: Progress = silent,
) -> Floats:
    """Embeddings (n, d) of a crop set, computed once and kept in `folder`. Interrupted, it goes on.

    Args:
        embedder: works in one thread.
        fed: how it is fed, beside its file: other settings make other embeddings.
        threads: how many call it side by side.
        rows: which crops, ascending, each once; all if None. Rows of others are zero.

    Raises:
        SinkError: the folder cannot be written; what was embedded so far is kept.
    """
    chosen = np.arange(len(crops)) if rows is None else rows
    files = [crops.files[row] for row in chosen]
    made_of = [embedder.digest, dict(fed), crops.alignment, files]
    kept = folder / f"{hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]}.npy"
    if not kept.is_file():
        make_folder(folder)
        try:
            _embed_into(kept, embedder, crops, chosen, threads, progress)
        except OSError as error:
            raise SinkError(
                f"{kept}: cannot be written ({error.strerror or error}); what is embedded so far is kept"
            ) from error
    embeddings = np.zeros((len(crops), embedder.dimension), np.float32)
    embeddings[chosen] = np.load(kept)
    return embeddings


def _embed_into(
    kept: Path, embedder: Embeds, crops: CropSet, rows: Ints, threads: int, progress: Progress
) -> None:
    # Faces can be told from embeddings: nobody else's to read.
    growing = GrowingRows(kept, len(rows), (embedder.dimension,), np.float32, mode=0o600)
    with closing(growing), ThreadPoolExecutor(threads) as pool:
        step = BATCH * threads
        for start in range(growing.done, len(rows), step):
            portion = rows[start : start + step]
            batches = [
                crops.images[portion[first : first + BATCH]] for first in range(0, len(portion), BATCH)
            ]
            for embeddings in pool.map(embedder.embed, batches):
                growing.append(embeddings)
            progress("embedding", growing.done, len(rows))
        growing.finish()
