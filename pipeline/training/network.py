"""Training and exporting the Siamese network on LFW, from photographs to a file that can be shipped."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.progress import Progress, Report, silent, unheard
from pipeline.training.data import align_folder, make_folder
from pipeline.training.labelled import crop_set
from siamese import crops
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw.files import FOLDER
from siamese.lfw.split import VIEW1, split
from siamese.wild import HELD_OUT, PARTS, WildSet, description, fingerprint, read

if TYPE_CHECKING:
    from siamese.calibration import Calibration
    from siamese.training.batches import Pairs
    from siamese.training.faces import Faces
    from siamese.training.teacher import Floats, Teacher

SCALE_IMAGES = 400  # by which the scales of an int8 graph are set
CALIBRATION_IMAGES = 8  # of each person: LFW has people with a hundred, whose pairs would be all that counts


def lfw_crops(root: Path, settings: Settings, progress: Progress = silent) -> CropSet:
    """All of LFW, aligned; done once."""
    return align_folder(root / FOLDER, root / "crops", settings, named=True, progress=progress)


def train_on_lfw(
    root: Path,
    out: Path,
    settings: Settings,
    resume: bool,
    start: Path | None,
    device: str,
    teachers: list[str],
    extra: Sequence[Path] = (),
    hold_out: str | None = None,
    yunet: Path | None = None,
    wild: Path | None = None,
    progress: Progress = silent,
    report: Report = unheard,
) -> Path:
    """Train; return the best checkpoint.

    Args:
        extra: folders of more faces, as `pipeline.training.labelled.listed` reads them.
        wild: what `recog data wild` built: nobody in it is learned from, and its validation people choose the
            best epoch together with LFW's.
        hold_out: as `siamese.lfw.split` reads it; None: as the beginning was, else View 1's test half.
        report: is told in a line how good each epoch made the network.

    Raises:
        ConfigError: a device that is not there, extra faces without a teacher, or `hold_out` is not what the
            beginning, or the wild sets, held out.
        PipelineError, SiameseError: data or models that are missing or damaged.
    """
    from siamese.training.faces import Taught, assemble
    from siamese.training.warm_start import provenance_of

    if extra and not teachers:
        raise ConfigError(
            "--extra: without a --teacher nobody can say which of these faces show people who are held out"
        )
    chosen = device_of(device)
    earlier = out / "last.pt" if resume else start  # a wrong file is told before the work, not after
    began_with = provenance_of(earlier) if earlier else None
    models = [read_teacher(given, settings.train.threads) for given in teachers]
    people = split(root, held_out_of(began_with, hold_out))
    sets = read_wild(wild, people.hold_out) if wild else {}
    make_folder(out)
    kept = "crops" if yunet is None else "crops-yunet"
    lfw = align_folder(root / FOLDER, root / kept, settings, True, yunet, progress)
    more = [crop_set(folder, kept, settings, yunet, progress) for folder in extra]

    def taught(crops: CropSet, folder: Path) -> Taught:
        return Taught(crops, tuple(ask(model, crops, folder, progress) for model in models))

    faces, counts = assemble(
        taught(lfw, root / kept),
        people.fit,
        [taught(*each) for each in more],
        # Nobody of LFW resembles anybody in the wild sets: who built them saw to that.
        [taught(each.crops, wild / part) for part, each in sets.items()] if wild and more else [],
        tuple(model.weight for model in models),
    )
    provenance: dict[str, Any] = {
        "data": f"LFW, {len(people.fit)} people; {len(faces.images)} images in all",
        "held out": people.hold_out,
        "outside data": "labelled (through teachers)" if teachers else "none (but the detector's)",
        "extra faces": counts.learned,
        "extra faces with names": counts.named,
        "extra faces left out because they resemble held-out people": counts.resembling,
        "extra people whose names do not count because they resemble others": counts.doubtful,
        "teachers": {model.path.name: model.digest for model in models},
        "weights of the teachers": list(faces.weights),
        "alignment": lfw.alignment,
        "began with": began_with,
    }
    # A beginning of which that is not known may have learned from them.
    if wild and (began_with is None or began_with.get(HELD_OUT) == fingerprint(wild)):
        provenance[HELD_OUT] = fingerprint(wild)
    held_out = lfw.of_people(people.validation).at_most(CALIBRATION_IMAGES)
    beside = names_only(sets["validation"].crops).at_most(CALIBRATION_IMAGES) if sets else None
    return fit_network(
        faces, held_out, settings, out, resume, start, chosen, provenance, None, progress, report, beside
    )


def read_wild(folder: Path, hold_out: str) -> dict[str, WildSet]:
    """The sets that `recog data wild` built.

    Raises:
        ConfigError: people of LFW are in them whom `hold_out` does not hold out.
        DataError: there are none, or damaged ones.
    """
    described = description(folder)
    if described.get("of LFW") and described["held out"] != hold_out:
        raise ConfigError(
            f"--wild {folder}: holds people of LFW who are held out by {described['held out']}, which is not "
            f"{hold_out}; give --hold-out {described['held out']}"
        )
    return {part: read(folder / part) for part in PARTS}


def names_only(faces: CropSet) -> CropSet:
    """The faces whose people are known."""
    return faces.of_people(set(faces.people) - {""})


def held_out_of(began_with: dict[str, Any] | None, hold_out: str | None) -> str:
    """Whom not to learn from: what was asked for, or what the network to begin with held out.

    Args:
        began_with: what that network, or the run that is resumed, says of how it was made.

    Raises:
        ConfigError: it has learned from people who were to be held out; the new card would not be true.
    """
    before = began_with.get("held out") if began_with else None
    if hold_out is not None and before is not None and hold_out != before:
        raise ConfigError(
            f"--hold-out {hold_out}: the network to begin with held out {before}, and has learned from the "
            "others; leave --hold-out away"
        )
    return hold_out or before or VIEW1


def device_of(device: str) -> str:
    """`cpu` or `cuda`, for what was asked for.

    Raises:
        ConfigError: a device that is not there.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device}: give auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: there is no CUDA device here; use cpu or auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def fit_network(
    faces: Faces,
    held_out: CropSet,
    settings: Settings,
    out: Path,
    resume: bool,
    start: Path | None,
    device: str,
    provenance: dict[str, Any],
    pairs: Pairs | None = None,
    progress: Progress = silent,
    report: Report = unheard,
    beside: CropSet | None = None,
) -> Path:
    """Train; return the best checkpoint.

    Args:
        report: is told in a line how good each epoch made the network.
        beside: further people to choose the best epoch by, who weigh as much as `held_out`.

    Raises:
        SiameseError: as `siamese.training.train.train`.
    """
    from siamese.training.train import Step, train

    speeds: list[float] = []  # of the steps of this epoch

    def show(step: Step) -> None:
        speeds.append(step.speed)
        now = f"training: epoch {step.epoch}, loss {step.loss:.2f}, {step.speed:.0f} images/s"
        progress(now, step.step, step.steps)
        if step.validation is not None:
            areas = " and ".join(f"{area:.4f}" for area in step.areas)
            each = f" (mean of LFW's and wild ones, {areas})" if len(step.areas) > 1 else ""
            report(
                f"epoch {step.epoch}: area under ROC on validation people {step.validation:.4f}{each}, "
                f"{statistics.median(speeds):.0f} images a second"
            )
            speeds.clear()

    return train(
        faces, held_out, settings.model, settings.train, out, resume, start, device, provenance, show, pairs,
        beside,
    )  # fmt: skip


def read_teacher(given: str, threads: int) -> Teacher:
    """The teacher that FILE,weight=2,divisor=128 means.

    Raises:
        ConfigError: not of this form.
        ModelError: not a teacher.
    """
    from siamese.training.teacher import Teacher

    file, *options = given.split(",")
    numbers = {"weight": 1.0, "divisor": 127.5}
    for option in options:
        key, _, value = option.partition("=")
        try:
            numbers[key] = float(value) if key in numbers else math.nan
        except ValueError:
            numbers[key] = math.nan
        if not 0 < numbers[key] < math.inf:
            raise ConfigError(f"--teacher {given}: give FILE, FILE,weight=2 or FILE,divisor=128")
    return Teacher(Path(file), threads, numbers["weight"], numbers["divisor"])


def ask(teacher: Teacher, crops: CropSet, folder: Path, progress: Progress = silent) -> Floats:
    """What a teacher says of a crop set; asked once, then read from the set's folder."""
    return teacher.cached(crops, folder, partial(progress, f"asking {teacher.path.name}", total=len(crops)))


def named(folder: Path) -> CropSet:
    """The faces of a crop set whose people are known.

    Raises:
        DataError: no crop set, or one without names.
    """
    known = names_only(crops.read(folder))
    if not len(known):
        raise DataError(f"{folder}: nobody in this crop set has a name; give one whose people are known")
    return known


def export_checkpoint(
    checkpoint: Path,
    out: Path,
    root: Path,
    settings: Settings,
    int8: bool = True,
    also: Sequence[Path] = (),
    progress: Progress = silent,
) -> Calibration:
    """Export a checkpoint, calibrated on the validation people. Returns the calibration.

    Args:
        also: crop sets of further people who were not learned from, to calibrate by beside LFW's.
        int8: in eight-bit integers, their scales from faces that were learned from.

    Raises:
        ModelError: no checkpoint, or one that has learned nothing that could be calibrated.
        PipelineError, SiameseError: data that are missing or damaged, or `out` cannot be written.
    """
    import onnx

    from siamese import calibration, metrics
    from siamese.errors import ModelError
    from siamese.lfw import seen
    from siamese.runtime import embed_by
    from siamese.session import session_of
    from siamese.training.checkpoint import build, load
    from siamese.training.export import export, traced
    from siamese.training.quantise import quantised

    state = load(checkpoint)
    if out.is_dir():
        raise SinkError(f"{out} is a folder; give a file inside it")
    make_folder(out.parent)
    network = build(state)
    # Checkpoints of before there was a choice hold out View 1's test half.
    people = split(root, state["provenance"].get("held out", VIEW1))
    faces = lfw_crops(root, settings, progress)
    with tempfile.TemporaryDirectory() as folder:
        bare = traced(network, Path(folder) / "bare.onnx")
        if int8:
            fit = set(people.fit)
            learned = [row for row, person in enumerate(faces.people) if person in fit]
            rows = learned[:: max(1, len(learned) // SCALE_IMAGES)]
            graph = quantised(bare, ({"crops": np.asarray(faces.images[[row]])} for row in rows))
        else:
            graph = onnx.load(str(bare))
    held = [faces.of_people(people.validation), *(named(folder) for folder in also)]
    held = [each.at_most(CALIBRATION_IMAGES) for each in held]
    images = np.concatenate([each.images for each in held])
    embeddings = embed_by(session_of(graph.SerializeToString(), str(checkpoint)), images)
    names = [f"{number}/{person}" for number, each in enumerate(held) for person in each.people]
    distances, same = metrics.every_pair(embeddings, np.unique(names, return_inverse=True)[1])
    try:
        fitted = calibration.fit(distances, same)
    except ValueError as error:
        raise ModelError(f"{checkpoint}: cannot be calibrated: {error}") from error
    card = dict(state["provenance"]) | {
        **seen.entries(people),
        "epoch": state["epoch"],
        "settings": state["train_settings"],
        "calibrated on": f"{len(set(names))} people, {len(names)} faces",
        "precision": "int8" if int8 else "float32",
        "licence": "MIT",
    }
    export(network, out, fitted, card, graph)
    return fitted
