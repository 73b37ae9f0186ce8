"""`recog evaluate`: how well a network tells people apart whom it has not seen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.data import LFW, WILD, LfwFolder, WildFolder
from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, Overwrite
from pipeline.outputs.places import Leaves, Use


def evaluate(
    protocol: Annotated[
        str | None,
        typer.Option(
            help="view1, view2, fold:K (or fold:9,10), one-shot or open-set, all on LFW; wild, on the "
            "sets of --wild. By default what the model's card says was held out of it; view2 for a folder "
            "of models."
        ),
    ] = None,
    wild: WildFolder = WILD,
    pairs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Instead of LFW: other pairs, in the format of LFW's pairs.txt."),
        Use.READ,
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The images of --pairs: DIR/NAME/NAME_0001.jpg."),
        Use.READ,
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="NAME|FILE",
            help="An embedder that `recog export`, `models adopt` or `train --backbone` made; for view2 a "
            "folder of ten.",
        ),
        Use.READ,
    ] = None,
    root: LfwFolder = LFW,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives figures and pictures."),
        Use.FOLDER,
        Leaves(("figures.json", "*.png")),
    ] = Path("runs/evaluation"),
    overwrite: Overwrite = False,
    photos: Annotated[
        int, typer.Option(min=1, help="open-set, wild: photographs to enrol of each person.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Draws trials, splits and intervals.")] = 0,
    even_seen: Annotated[
        bool,
        typer.Option("--even-seen", help="Measure on people the model has seen, too; marked as no result."),
    ] = False,
    detector: DetectorFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Accuracy, ROC, one-shot and open-set identification, on people whom the model has not seen.

    A model is refused where its card says that it was trained on the people of the protocol. Leaves
    figures.json, curves, the most wrong pairs and a map of embeddings in --out; without recog[train], only
    figures.json.
    """
    from pipeline.commands.display import shown
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.errors import ConfigError
    from pipeline.training.evaluation import (
        evaluate_on_lfw,
        evaluate_on_pairs,
        evaluate_on_wild,
        missing_for_pictures,
    )
    from siamese.protocols.evaluate import EvaluationSettings

    settings = settings_from(config, assignments, detector, model)
    chosen = EvaluationSettings(photos=photos, seed=seed)
    if (pairs is None) != (images is None):
        raise ConfigError("--pairs FILE and --images DIR belong together: give both")
    with shown() as progress:
        if pairs is not None and images is not None:
            report, paths = evaluate_on_pairs(pairs, images, out, settings, chosen, progress)
        elif protocol == "wild":
            report, paths = evaluate_on_wild(wild, out, settings, chosen, even_seen, progress)
        else:
            note = lambda line: print(f"recog: {line}", file=sys.stderr)  # noqa: E731
            report, paths = evaluate_on_lfw(protocol, root, out, settings, chosen, even_seen, progress, note)
    if missing := missing_for_pictures():
        print(
            f"recog: no pictures, for they need {' and '.join(missing)}: install recog[train]",
            file=sys.stderr,
        )
    if as_json:
        print_json(report.as_dict())
        return
    for line in report.lines():
        print(line)
    for path in paths:
        print(f"written: {path}")
