"""Training and exporting the Siamese network on LFW, from photographs to a file that can be shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.shared import progress
from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.training_data import align_folder, make_folder
from siamese.crops import CropSet
from siamese.lfw import FOLDER, split_people, view1_split

if TYPE_CHECKING:
    from siamese.calibration import Calibration
    from siamese.evaluate import Report
    from siamese.runtime import Embedder

CALIBRATION_IMAGES = 8  # of each person: LFW has people with a hundred, whose pairs would be all that counts


def lfw_crops(root: Path, settings: Settings) -> CropSet:
    """All of LFW, aligned; done once."""
    return align_folder(root / FOLDER, root / "crops", settings, named=True)


def train_on_lfw(
    root: Path,
    out: Path,
    settings: Settings,
    resume: bool,
    start: Path | None,
    device: str,
    teachers: list[Path],
    extra: Path | None,
) -> Path:
    """Train; return the best checkpoint.

    Raises:
        ConfigError: a device that is not there, or extra faces without a teacher.
        PipelineError, SiameseError: data or models that are missing or damaged.
    """
    import torch

    from siamese.checkpoint import load
    from siamese.faces import assemble
    from siamese.shipped import sha256
    from siamese.teacher import Teacher
    from siamese.train import Step, train

    if extra is not None and not teachers:
        raise ConfigError("--extra: faces without names teach nothing without a --teacher")
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device}: give auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: there is no CUDA device here; use cpu or auto")
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    people, _ = view1_split(root)
    fit, validation = split_people(people)
    make_folder(out)
    lfw = lfw_crops(root, settings)
    more = align_folder(extra, extra / "crops", settings, named=False) if extra else None
    models = [Teacher(path, settings.train.threads) for path in teachers]
    with progress() as display:
        task = display.add_task("asking the teachers", total=None, visible=bool(teachers))
        faces, left_out = assemble(lfw, fit, more, models, lambda done: display.update(task, completed=done))
    provenance: dict[str, Any] = {
        "data": f"LFW View 1, {len(fit)} people of the training half; {len(faces.images)} images in all",
        "outside data": "labelled (through teachers)" if teachers else "none (but the detector's)",
        "extra faces": 0 if more is None else len(more) - left_out,
        "extra faces left out because they resemble held-out people": left_out,
        "teachers": {path.name: sha256(path) for path in teachers},
        "alignment": lfw.alignment,
        "began with": load(start)["provenance"] if start else None,
    }
    held_out = lfw.of_people(validation)
    with progress() as display:
        task = display.add_task("training", total=None)

        def show(step: Step) -> None:
            description = f"epoch {step.epoch}, loss {step.loss:.2f}"
            display.update(task, completed=step.step, total=step.steps, description=description)
            if step.validation is not None:
                print(f"epoch {step.epoch}: area under ROC on validation people {step.validation:.4f}")

        return train(
            faces, held_out, settings.model, settings.train, out, resume, start, chosen, provenance, show
        )


def export_checkpoint(checkpoint: Path, out: Path, root: Path, settings: Settings) -> Calibration:
    """Export a checkpoint, calibrated on the validation people. Returns the calibration.

    Raises:
        ModelError: no checkpoint, or one that has learned nothing that could be calibrated.
        PipelineError, SiameseError: data that are missing or damaged, or `out` cannot be written.
    """
    from siamese import calibration, metrics
    from siamese.checkpoint import build, load
    from siamese.embed import embed
    from siamese.errors import ModelError
    from siamese.export import export

    state = load(checkpoint)
    if out.is_dir():
        raise SinkError(f"{out} is a folder; give a file inside it")
    make_folder(out.parent)
    network = build(state)
    people, _ = view1_split(root)
    _, validation = split_people(people)
    held = lfw_crops(root, settings).of_people(validation).at_most(CALIBRATION_IMAGES)
    distances, same = metrics.every_pair(embed(network, held.images), held.labels())
    try:
        fitted = calibration.fit(distances, same)
    except ValueError as error:
        raise ModelError(f"{checkpoint}: cannot be calibrated: {error}") from error
    card = dict(state["provenance"]) | {
        "epoch": state["epoch"],
        "settings": state["train_settings"],
        "licence": "MIT",
    }
    export(network, out, fitted, card)
    return fitted


def evaluate_on_lfw(
    embedder: Embedder, root: Path, out: Path, settings: Settings
) -> tuple[Report, list[Path]]:
    """Evaluate on the test people; return the report and the files it was written to.

    Raises:
        PipelineError, SiameseError: data that are missing or damaged, or `out` cannot be written.
    """
    from siamese import plots
    from siamese.evaluate import evaluate_view1
    from siamese.runtime import DEFAULT

    view1_split(root)  # whether LFW is there at all
    make_folder(out)
    crops = lfw_crops(root, settings)
    with progress() as display:
        task = display.add_task("evaluating", total=None)
        report = evaluate_view1(
            embedder, crops, root,
            model=settings.emb.model or DEFAULT, card=embedder.card, calibrated=embedder.calibration,
            progress=lambda done, total: display.update(task, completed=done, total=total),
        )  # fmt: skip
    figures = out / "figures.json"
    try:
        figures.write_text(json.dumps(report.as_dict(), indent=2))
        sheet = plots.pair_sheet(report, crops, out / "pairs.png")
        curve, scores = plots.roc_curve(report, out / "roc.png"), plots.histogram(report, out / "scores.png")
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return report, [figures, sheet, curve, scores]
