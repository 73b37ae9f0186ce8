"""`recog models adopt`: a model of our own kind out of anybody's face embedder."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.data import LFW, LfwFolder, bring_lfw
from pipeline.commands.fetching import bring
from pipeline.commands.options import AsJson, Assignments, ConfigFile, Yes
from pipeline.outputs.places import Use

if TYPE_CHECKING:
    from pipeline.training.adopt import Adopted


def adopt(
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="An embedder of `recog models list`, or any ONNX face embedder."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What it shall be called; by default as NAME or FILE is.")
    ] = None,
    root: LfwFolder = LFW,
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="lfw-deepfunneled.tgz that you have, where LFW is not in --root."),
        Use.READ,
    ] = None,
    yes: Yes = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Fit our head to a face embedder, calibrate it and try it: `--model NAME` takes it from then on.

    Learns from LFW's people of folds 1 to 8 and tries on folds 9 and 10. How the embedder wants its input is
    tried out, unless it is known or said with --set backbone.scale=128 and the like. Interrupted, it goes on.
    """
    from pipeline.commands.display import shown
    from pipeline.commands.shared import settings_from
    from pipeline.errors import ConfigError
    from pipeline.models import describe, local
    from pipeline.models.catalogue import EMBEDDER, find, note
    from pipeline.training.adopt import adopt as make

    settings, entry = settings_from(config, assignments), find(model)
    if entry is not None and entry.kind != EMBEDDER:
        raise ConfigError(f"{model}: is a {entry.kind}; only embedders can be adopted")
    if entry is not None:
        # What is told and asked must not stand among the JSON.
        with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
            path, licence = bring(entry, local.folder(), yes), entry.licence
    else:
        path = local.resolve(model)
        licence = describe.licence(describe.read(path))
        if licence == describe.UNSTATED:
            licence = note(path.name) or licence
    if not as_json:
        print(f"licence: {licence}{'; ask whoever made it' if licence == describe.UNSTATED else ''}")
    chosen = name or (entry.name if entry else path.stem)
    bring_lfw(root, archive, yes)
    with shown() as progress:
        made = make(path, chosen, root, settings, entry.wants if entry else None, licence, progress)
    _report(made, chosen, licence, as_json)


def _report(made: Adopted, name: str, licence: str, as_json: bool) -> None:
    from pipeline.commands.shared import print_json
    from siamese.frozen.inputs import told

    if as_json:
        print_json(
            {
                "name": name, "file": str(made.path), "licence": licence,
                "input": made.trials[0].settings.words(),
                "tried": [
                    {"input": trial.settings.words(), "equal_error_rate": trial.wrong, "auc": trial.auc}
                    for trial in made.trials
                ],
                "people": made.people, "strangers": made.strangers,
                "accuracy": made.accuracy, "shipped_accuracy": made.shipped,
            }
        )  # fmt: skip
        return
    print(f"input: {told(made.trials)}")
    print(f"head: fitted to {made.people:,} people; {made.strangers:,} others are strangers for calibration")
    print(f"{made.path}: written; use it with: --model {name}")
    print(f"bring your gallery over with: recog gallery migrate --model {name}")
    print(f"folds 9 and 10: {made.accuracy:.1%}, shipped {made.shipped:.1%}")
