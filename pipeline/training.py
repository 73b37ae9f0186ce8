"""Training and exporting the Siamese network on LFW, from photographs to a file that can be shipped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import Settings
from pipeline.errors import ConfigError
from pipeline.training_data import align_folder
from siamese.crops import CropSet
from siamese.lfw import FOLDER, split_people, view1_split

if TYPE_CHECKING:
    from rich.progress import Progress

    from siamese.calibration import Calibration


def lfw_crops(root: Path, settings: Settings) -> CropSet:
    """All of LFW, aligned; done once."""
    return align_folder(root / FOLDER, root / "crops", settings, named=True)


def train_on_lfw(
    root: Path,
    out: Path,
    settings: Settings,
    resume: bool,
    device: str,
    teachers: list[Path],
    extra: Path | None,
    display: Progress,
) -> Path:
    """Train; return the best checkpoint.

    Raises:
        ConfigError: a device that is not there, or extra faces without a teacher.
        PipelineError, SiameseError: data or models that are missing or damaged.
    """
    import torch

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
    lfw = lfw_crops(root, settings)
    more = align_folder(extra, extra / "crops", settings, named=False) if extra else None
    task = display.add_task("asking the teachers", total=None, visible=bool(teachers))
    models = [Teacher(path, settings.train.threads) for path in teachers]
    faces, left_out = assemble(lfw, fit, more, models, lambda done: display.update(task, completed=done))
    display.remove_task(task)
    provenance: dict[str, Any] = {
        "data": f"LFW View 1, {len(fit)} people of the training half; {len(faces.images)} images in all",
        "outside data": "labelled (through teachers)" if teachers else "none (but the detector's)",
        "extra faces": 0 if more is None else len(more) - left_out,
        "extra faces left out because they resemble held-out people": left_out,
        "teachers": {path.name: sha256(path) for path in teachers},
        "alignment": lfw.alignment,
    }
    task = display.add_task("training", total=None)

    def show(step: Step) -> None:
        display.update(
            task,
            completed=step.step,
            total=step.steps,
            description=f"epoch {step.epoch}, loss {step.loss:.2f}",
        )
        if step.validation is not None:
            display.console.print(
                f"epoch {step.epoch}: area under ROC on validation people {step.validation:.4f}"
            )

    return train(
        faces,
        lfw.of_people(validation),
        settings.model,
        settings.train,
        out,
        resume,
        chosen,
        provenance,
        show,
    )


def export_checkpoint(checkpoint: Path, out: Path, root: Path, settings: Settings) -> Calibration:
    """Export a checkpoint, calibrated on the validation people. Returns the calibration."""
    from siamese import calibration, metrics
    from siamese.checkpoint import build, load
    from siamese.embed import embed
    from siamese.export import export

    state = load(checkpoint)
    network = build(state)
    people, _ = view1_split(root)
    _, validation = split_people(people)
    held = lfw_crops(root, settings).of_people(validation)
    distances, same = metrics.every_pair(embed(network, held.images), held.labels())
    fitted = calibration.fit(distances, same)
    card = dict(state["provenance"]) | {
        "epoch": state["epoch"],
        "settings": state["train_settings"],
        "licence": "MIT",
    }
    export(network, out, fitted, card)
    return fitted
