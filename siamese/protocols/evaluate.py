"""How well an embedder tells people apart, how sure that is, and what it was measured with. No torch.

The rule that everything here serves: a model is measured on people whom its training has not seen, and what
is measured otherwise says so, loudly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from siamese import wild
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw import files as lfw
from siamese.lfw import seen
from siamese.lfw.split import VIEW1, folds, split
from siamese.protocols import lfw_pairs
from siamese.protocols import wild as wild_faces
from siamese.protocols.embedded import embed_rows, labels_of, missed, rows_of_people
from siamese.protocols.everyone import everyone
from siamese.protocols.lfw_pairs import IMAGES_EACH, VIEW1_PAIRS, VIEW2_PAIRS, Model, PairTest
from siamese.protocols.one_shot import one_shot
from siamese.protocols.open_set import open_set
from siamese.protocols.pair_file import pair_file
from siamese.protocols.reliability import reliability
from siamese.protocols.report import Part, Report, check_seen
from siamese.protocols.verification import verify
from siamese.provenance import category, commit, versions
from siamese.shipped import sha256

Name = Literal["view1", "view2", "fold", "one-shot", "open-set", "wild"]


class EvaluationSettings(BaseModel):
    """How an evaluation is made; kept in its results."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(1000, ge=10, description="how often data is drawn again for the intervals")
    seed: int = 0
    trials: int = Field(2000, ge=1, description="one-shot trials for each number of ways")
    photos: int = Field(1, ge=1, description="images of a person to enrol (open-set, wild)")
    splits: int = Field(10, ge=1, description="random choices of who is enrolled (open-set, wild)")


def parse(text: str) -> tuple[Name, tuple[int, ...]]:
    """A protocol as on the command line: its name, and the folds of `fold:9,10`.

    Raises:
        ValueError: no such protocol.
    """
    name, _, numbers = text.partition(":")
    if name == "fold" and all(part.isdecimal() for part in numbers.split(",")):
        return "fold", tuple(sorted({int(part) for part in numbers.split(",")}))
    for known in ("view1", "view2", "one-shot", "open-set", "wild"):
        if text == known:
            return known, ()
    raise ValueError(f"{text}: give view1, view2, fold:K (or fold:9,10), one-shot, open-set or wild")


def own_protocol(models: Sequence[Model]) -> str:
    """The protocol of the people whom these models' cards say they have not seen: View 2 of several models.

    A card that says nothing is taken for one of View 1; the evaluation then refuses it.
    """
    if len(models) > 1:
        return "view2"
    (model,) = models
    return model.split.hold_out if model.split else VIEW1


def evaluate_lfw(
    protocol: str,
    models: Sequence[Model],
    crops: CropSet,
    root: Path,
    settings: EvaluationSettings | None = None,
    *,
    files: Sequence[Path] = (),
    allow_seen: bool = False,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Report:
    """Evaluate one model on people of LFW, or for View 2 one model for each fold.

    Args:
        protocol: as `parse` reads it.
        crops: all of LFW, aligned.
        root: the folder of the protocol files.
        files: the models' files, for the record.
        allow_seen: measure also on people whom a model has seen, and mark the report.
        progress: called with what is being done, how much of it is, and of how much.

    Raises:
        ValueError: no such protocol.
        DataError: data are missing, a fold has no model, or a model has seen those it would be tested on.
    """
    chosen, (name, numbers) = settings or EvaluationSettings(), parse(protocol)
    if name == "wild":
        raise ValueError("the protocol wild is not of LFW: evaluate_wild")
    if name == "view2":
        return _view2(models, crops, root, chosen, files, allow_seen, progress)
    if len(models) != 1:
        raise DataError(f"{protocol} takes one model, not {len(models)}")
    (model,) = models
    tested = _tested(model, name, numbers, root)
    warning = check_seen([model], [tested], allow_seen)
    told = partial(progress, "embedding")

    if name in ("one-shot", "open-set"):
        rows = rows_of_people(crops, tested)
        faces = embed_rows(model.embedder, crops, rows, told)
        part: Part
        if name == "one-shot":
            part = one_shot(
                faces.embeddings[rows], labels_of(crops, rows), chosen.trials, chosen.samples, chosen.seed
            )
        else:
            part = open_set(
                faces.embeddings[rows], labels_of(crops, rows), chosen.photos, chosen.splits, chosen.samples,
                chosen.seed, lambda done: progress("random splits", done, chosen.splits),
            )  # fmt: skip
        return Report(
            protocol, f"LFW, {len(tested):,} people held out of the training", category(model.card), warning,
            {name: part}, {"people": missed(crops, rows)},
            _provenance(models, crops, [root / "people.txt"], files, chosen, faces.sha256),
            shown=rows, embeddings=faces.embeddings,
        )  # fmt: skip
    view1 = name == "view1"
    if view1:
        test = lfw_pairs.view1(model, crops, root, told)
    else:
        test = lfw_pairs.folds(model, crops, root, numbers, told)
    progress("figures", 0, 3)
    parts: dict[str, Part] = {"pairs": verify(test.judged, chosen.samples, chosen.seed)}
    progress("figures", 1, 3)
    parts |= _people(test, crops, chosen)
    progress("figures", 3, 3)
    described = "View 1, test half" if view1 else f"View 2, folds {', '.join(map(str, numbers))}"
    return Report(
        protocol, f"LFW {described}", category(model.card), warning, parts,
        {"people tested": missed(crops, test.tested)},
        _provenance(
            models, crops, [root / (VIEW1_PAIRS if view1 else VIEW2_PAIRS)], files, chosen, test.faces.sha256
        ),
        test.judged, test.tested, test.faces.embeddings,
    )  # fmt: skip


def evaluate_pairs(
    model: Model,
    judge: Calibration,
    crops: CropSet,
    pairs: Path,
    settings: EvaluationSettings | None = None,
    *,
    files: Sequence[Path] = (),
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Report:
    """Evaluate on a set that comes with a pairs file; whom of it the model has seen, only its owner knows.

    Raises:
        DataError: the file is malformed, or an image is missing.
    """
    chosen = settings or EvaluationSettings()
    judged, digest = pair_file(
        model.embedder, judge, crops, lfw.read_pairs(pairs), partial(progress, "embedding")
    )
    rows = lfw_pairs.rows_in(judged)
    return Report(
        "pairs", f"the pairs of {pairs.name} (whether the model has seen these people, its card cannot say)",
        category(model.card), None, {"pairs": verify(judged, chosen.samples, chosen.seed)},
        {"pairs": missed(crops, rows)},
        _provenance([model], crops, [pairs], files, chosen, digest), judged,
    )  # fmt: skip


def evaluate_wild(
    model: Model,
    judge: Calibration,
    folder: Path,
    settings: EvaluationSettings | None = None,
    *,
    files: Sequence[Path] = (),
    allow_seen: bool = False,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> tuple[Report, CropSet]:
    """Evaluate on the test set of what `recog data wild` built; also give its crops.

    Args:
        judge: the model's calibration.
        folder: of the sets.
        allow_seen: measure also where the model may have seen people of LFW who are in the set.

    Raises:
        DataError: no such sets, or damaged ones, or the model may have seen somebody.
    """
    chosen = settings or EvaluationSettings()
    known, warning = wild_faces.provenance_of(folder, model.card, allow_seen)
    faces = wild.read(folder / "test")
    parts, embeddings, digest = wild_faces.figures(
        model.embedder, judge, faces, chosen.photos, chosen.splits, chosen.samples, chosen.seed, progress
    )
    people = len(set(faces.crops.people) - {""})
    report = Report(
        "wild", f"{people:,} people and {faces.crops.people.count(''):,} strangers beyond press photographs "
        f"({known})", category(model.card), warning, parts,
        {"faces": missed(faces.crops, np.arange(len(faces.crops)))},
        _provenance([model], faces.crops, [folder / wild.DESCRIBED], files, chosen, digest),
        shown=np.flatnonzero([bool(person) for person in faces.crops.people]), embeddings=embeddings,
    )  # fmt: skip
    return report, faces.crops


def _view2(
    models: Sequence[Model],
    crops: CropSet,
    root: Path,
    chosen: EvaluationSettings,
    files: Sequence[Path],
    allow_seen: bool,
    progress: Callable[[str, int, int], None],
) -> Report:
    """All ten folds, each by the model that has not seen it."""
    parts = lfw.read_people_folds(root / "people.txt")
    numbers = range(1, len(parts) + 1)
    people = [[person.name for person in part] for part in parts]
    if len(models) == 1:
        warning = check_seen([models[0]] * len(parts), people, allow_seen)
        tests = [lfw_pairs.folds(models[0], crops, root, list(numbers), partial(progress, "embedding"))]
    else:
        own = {fold: model for model in models for fold in _held_out(model)}
        if missing := [number for number in numbers if number not in own]:
            raise DataError(
                f"View 2 needs a model for every fold; none of {len(models)} holds out fold {missing[0]}"
            )
        by_fold = [own[number] for number in numbers]
        warning = check_seen(by_fold, people, allow_seen)
        tests = [
            lfw_pairs.folds(
                own[number],
                crops,
                root,
                [number],
                partial(progress, f"embedding fold {number}"),
                everyone=False,
            )
            for number in numbers
        ]
    judged = lfw_pairs.together(tests)
    digest = hashlib.sha256("".join(test.faces.sha256 for test in tests).encode()).hexdigest()
    return Report(
        "view2", "LFW View 2, ten folds", category(models[0].card), warning,
        {"pairs": verify(judged, chosen.samples, chosen.seed)},
        {"pairs": missed(crops, lfw_pairs.rows_in(judged))},
        _provenance(models, crops, [root / VIEW2_PAIRS, root / "people.txt"], files, chosen, digest),
        judged, tests[0].tested, tests[0].faces.embeddings,
    )  # fmt: skip


def _held_out(model: Model) -> list[int]:
    """The folds of View 2 that it has not seen."""
    return [] if model.split is None or model.split.hold_out == VIEW1 else folds(model.split.hold_out)


def _tested(model: Model, name: Name, numbers: tuple[int, ...], root: Path) -> Sequence[str]:
    """The people that the figures will be of."""
    if name == "view1":
        return lfw.view1_split(root)[1]
    if name == "fold":
        return split(root, "fold:" + ",".join(map(str, numbers))).test
    return model.split.test if model.split else lfw.view1_split(root)[1]


def _people(test: PairTest, crops: CropSet, chosen: EvaluationSettings) -> dict[str, Part]:
    """The figures over every pair of the people tested."""
    rows = test.tested
    few = rows_of_people(crops, sorted({crops.people[row] for row in rows}), IMAGES_EACH)
    embeddings = test.faces.embeddings
    return {
        "every pair": everyone(embeddings[rows], labels_of(crops, rows), chosen.samples, chosen.seed),
        "calibration": reliability(test.calibration, embeddings[few], labels_of(crops, few), chosen.seed),
    }


def _provenance(
    models: Sequence[Model],
    crops: CropSet,
    protocol: Sequence[Path],
    files: Sequence[Path],
    chosen: EvaluationSettings,
    digest: str,
) -> dict[str, Any]:
    return {
        "settings": chosen.model_dump(),
        "held out of the models": [model.card.get(seen.HELD_OUT) for model in models],
        "alignment": crops.alignment,
        "sha256": {
            **{path.name: sha256(path) for path in protocol},
            "crops": digest,
            "models": {path.name: sha256(path) for path in files},
        },
        "commit": commit(),
        "versions": versions(),
    }
