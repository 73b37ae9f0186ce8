"""Evaluating embedders, from photographs to figures and pictures in a folder."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import build
from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.progress import Progress, silent
from pipeline.training.data import align_folder, make_folder
from pipeline.training.network import lfw_crops
from siamese.errors import ModelError
from siamese.lfw import seen

DRAWING = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}  # modules, and what they are installed as

if TYPE_CHECKING:
    from siamese.crops import CropSet
    from siamese.protocols.evaluate import EvaluationSettings
    from siamese.protocols.report import Report
    from siamese.runtime import Embedder


def evaluate_on_lfw(
    protocol: str | None,
    root: Path,
    out: Path,
    settings: Settings,
    chosen: EvaluationSettings,
    allow_seen: bool,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda line: None,
) -> tuple[Report, list[Path]]:
    """Evaluate the model of the settings; return the report and the files it was written to.

    Args:
        protocol: as `siamese.protocols.evaluate.parse` reads it; None: the people whom the model's card says
            were held out of it, which `note` is then told in a line.

    Raises:
        ConfigError: no such protocol.
        PipelineError, SiameseError: data or models that are missing or damaged, a model that has seen the
            people of the protocol, or `out` cannot be written.
    """
    from siamese.lfw.files import view1_split
    from siamese.protocols.evaluate import evaluate_lfw, own_protocol, parse
    from siamese.protocols.lfw_pairs import Model

    if protocol is not None:
        try:
            parse(protocol)
        except ValueError as error:
            raise ConfigError(f"--protocol {error}") from error
    view1_split(root)  # whether LFW is there at all
    make_folder(out)
    files = model_files(settings)
    models = [
        Model(each, each.card, seen.of_card(each.card, root), each.calibration)
        for each in _embedders(files, settings)
    ]
    if protocol is None:
        protocol = own_protocol(models)
        if all(model.split for model in models):
            which = f"{files[0].name}, as its card says" if len(files) == 1 else f"these {len(files)} models"
            note(f"protocol {protocol}, the people held out of {which}")
    crops = lfw_crops(root, settings, progress)
    report = evaluate_lfw(
        protocol, models, crops, root, chosen, files=files, allow_seen=allow_seen, progress=progress
    )
    return report, write(report, crops, out)


def evaluate_on_wild(
    folder: Path,
    out: Path,
    settings: Settings,
    chosen: EvaluationSettings,
    allow_seen: bool,
    progress: Progress = silent,
) -> tuple[Report, list[Path]]:
    """As `evaluate_on_lfw`, on the sets that `recog data wild` built in `folder`."""
    from siamese.protocols.evaluate import evaluate_wild
    from siamese.protocols.lfw_pairs import Model
    from siamese.wild import description

    description(folder)  # before the work
    files = model_files(settings)
    if len(files) > 1:
        raise ConfigError(f"--model {settings.emb.model}: several models; --protocol wild takes one of them")
    make_folder(out)
    (embedder,) = _embedders(files, settings)
    model = Model(embedder, embedder.card, None, embedder.calibration)
    report, crops = evaluate_wild(
        model, embedder.calibration, folder, chosen, files=files, allow_seen=allow_seen, progress=progress
    )
    return report, write(report, crops, out)


def evaluate_on_pairs(
    pairs: Path,
    images: Path,
    out: Path,
    settings: Settings,
    chosen: EvaluationSettings,
    progress: Progress = silent,
) -> tuple[Report, list[Path]]:
    """As `evaluate_on_lfw`, on the pairs of a file in LFW's format with images `images/NAME/NAME_0001.*`."""
    from siamese.lfw import files as lfw
    from siamese.protocols.evaluate import evaluate_pairs
    from siamese.protocols.lfw_pairs import Model

    lfw.read_pairs(pairs)  # before the work
    make_folder(out)
    files = model_files(settings)
    if len(files) > 1:
        raise ConfigError(f"--model {settings.emb.model}: several models; --pairs takes one of them")
    (embedder,) = _embedders(files, settings)
    crops = align_folder(images, images / "crops", settings, named=True, progress=progress)
    model = Model(embedder, embedder.card, None, embedder.calibration)
    report = evaluate_pairs(model, embedder.calibration, crops, pairs, chosen, files=files, progress=progress)
    return report, write(report, crops, out)


def model_files(settings: Settings) -> list[Path]:
    """The model's file; where a folder is given, those in it: one for each fold of View 2.

    Raises:
        ModelError: a folder without models.
    """
    given = settings.emb.model
    if given is None or not given.is_dir():
        return [build.embedder_path(settings)]
    if not (found := sorted(given.glob("*.onnx"))):
        raise ModelError(f"{given}: no .onnx files in this folder")
    return found


def missing_for_pictures() -> list[str]:
    """What must be installed before pictures can be drawn; the base install has none of it."""
    return [package for module, package in DRAWING.items() if importlib.util.find_spec(module) is None]


def write(report: Report, crops: CropSet, out: Path) -> list[Path]:
    """Leave the figures, and the pictures if they can be drawn, in `out`; return the files.

    Raises:
        SinkError: a file cannot be written.
    """
    figures = out / "figures.json"
    try:
        figures.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
        drawn = [] if missing_for_pictures() else [draw() for draw in _pictures(report, crops, out)]
        return [figures, *drawn]
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error


def _pictures(report: Report, crops: CropSet, out: Path) -> list[Callable[[], Path]]:
    from siamese.plots import curves, scatter, sheet
    from siamese.protocols.everyone import Everyone
    from siamese.protocols.reliability import Reliability
    from siamese.protocols.verification import Verification

    title = f"{report.data}\n{report.category}" + ("\nPEOPLE SEEN IN TRAINING" if report.warning else "")
    judged, pairs = report.judged, report.parts.get("pairs")
    everyone, calibration = report.parts.get("every pair"), report.parts.get("calibration")
    drawn: list[Callable[[], Path]] = []
    if judged is not None and isinstance(pairs, Verification):
        assert everyone is None or isinstance(everyone, Everyone)
        drawn += [
            lambda: sheet.pair_sheet(judged, crops, out / "pairs.png"),
            lambda: curves.roc_curve(pairs, everyone, title, out / "roc.png"),
            lambda: curves.det_curve(judged, title, out / "det.png"),
            lambda: curves.histogram(judged, pairs, title, out / "scores.png"),
        ]
    if isinstance(calibration, Reliability):
        drawn.append(lambda: curves.reliability_diagram(calibration, title, out / "reliability.png"))
    embeddings, shown = report.embeddings, report.shown
    if embeddings is not None and len(shown):
        drawn.append(lambda: scatter.embedding_map(embeddings, crops, shown, out / "map.png", title))
    return drawn


def _embedders(files: list[Path], settings: Settings) -> list[Embedder]:
    from siamese.runtime import Embedder

    return [Embedder(file, settings.runtime.threads) for file in files]
