"""`recog models adopt`: anybody's face embedder with our head, as a model like every other.

The embedder stays as it is. How it wants its input is known or tried out, the L1 head is fitted to people of
LFW, calibrated on others, and tried on folds 9 and 10, used for nothing else. People with one image have
nothing to teach the head; they are the strangers by whom galleries are calibrated.

Everything slow is kept beside LFW, the crops and the embeddings: interrupted, it goes on where it was.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import build
from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.models import local
from pipeline.models.catalogue import find
from pipeline.progress import Progress, silent
from pipeline.training.cohort import TWO_NAMES
from pipeline.training.data import align_listed, make_folder
from pipeline.training.frozen import KEPT, Fitted, card_of, embedded, fit_and_calibrate
from pipeline.training.network import CALIBRATION_IMAGES
from siamese import metrics
from siamese.crops import CropSet
from siamese.errors import DataError, ModelError
from siamese.lfw.files import FOLDER, Pair, images, read_pairs
from siamese.lfw.split import Split, folds, split
from siamese.metrics import Floats, Ints
from siamese.shipped import record, sha256

if TYPE_CHECKING:
    from siamese.frozen.backbone import Backbone
    from siamese.frozen.inputs import Trial
    from siamese.frozen.settings import BackboneSettings

HOLD_OUT = "fold:9,10"
TRIAL_PEOPLE = 150  # with two images each, on whom the ways to feed an embedder are tried
CROPS = "crops-adopt"  # folder beside LFW: only the faces that are needed
NEEDED = {
    "onnx": "onnx",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
}  # modules, and what they are installed as


@dataclass(frozen=True, slots=True)
class Needed:
    """Files of LFW by what they are for; nobody is in two of the first three."""

    fit: list[str]  # of people with several images
    alone: list[str]  # of people with one image each
    held: list[str]  # of people to calibrate on
    pairs: list[list[Pair]]  # of the folds that are held out

    def files(self) -> list[str]:
        """All of them, sorted."""
        asked = {file for fold in self.pairs for pair in fold for file in (pair.first, pair.second)}
        return sorted({*self.fit, *self.alone, *self.held, *asked})


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of an embedder."""

    path: Path
    trials: list[Trial]  # ways to feed it, the best first; one where it was known
    people: int  # the head was fitted to
    strangers: int  # in its cohort
    accuracy: float  # on the pairs of the folds held out
    shipped: float  # the same of the model that ships


def adopt(
    model: Path,
    name: str,
    root: Path,
    settings: Settings,
    wants: BackboneSettings | None,
    licence: str,
    progress: Progress = silent,
) -> Adopted:
    """Make a model of an embedder, under this name in the local catalogue.

    Args:
        model: an ONNX face embedder, (n, 3, 112, 112) -> (n, d).
        root: LFW, as `recog data lfw` leaves it.
        wants: how the embedder wants its input, where that is known; else the usual ways are tried.
        licence: of the embedder, for the model's card.

    Raises:
        ConfigError: something is not installed, or the name cannot be given.
        PipelineError, SiameseError: `model` is no such embedder, data are missing or damaged, or there is no
            room.
    """
    if any(importlib.util.find_spec(module) is None for module in NEEDED):
        raise ConfigError(f"adopting a model needs {', '.join(NEEDED.values())}: install recog[adopt]")
    from siamese.frozen.backbone import Backbone

    frozen = Backbone(model, wants or settings.backbone, threads=1)  # no embedder: told before the work
    out = target(name, frozen.digest)
    people = split(root, HOLD_OUT)
    needed = needed_of(root, people)
    crops = align_listed(
        root / FOLDER,
        needed.files(),
        root / CROPS,
        settings,
        named=True,
        whole=root / "crops",
        progress=progress,
    )
    row_of = {file: row for row, file in enumerate(crops.files)}
    fit, held, alone = (_rows(row_of, files) for files in (needed.fit, needed.held, needed.alone))
    trials = _find_out(model, [wants] if wants else None, crops, fit, settings, progress)
    chosen = trials[0].settings.model_dump(include={"colour", "mean", "scale"})
    frozen = Backbone(model, settings.backbone.model_copy(update=chosen), threads=1)

    threads, rows = build.threads(settings), _rows(row_of, needed.files())
    embeddings = embedded(frozen, frozen.fed, crops, root / KEPT, threads, rows, progress)
    fitted = fit_and_calibrate(frozen, embeddings, crops, fit, held)
    accuracy = _accuracy(fitted.head.apply(embeddings), row_of, needed.pairs)
    shipped = _accuracy(_by_shipped(crops, row_of, needed, root, threads), row_of, needed.pairs)

    learned_from = len({crops.people[row] for row in fit})
    card = card_of(frozen, fitted, people, learned_from, crops.alignment)
    card["metrics"] |= {f"accuracy on the pairs of {HOLD_OUT}": accuracy}
    card["licence"] = f"the head: MIT; the backbone: {licence}"
    strangers = [
        row for row in sorted([*alone, *held]) if crops.found[row] and crops.people[row] not in TWO_NAMES
    ]
    cohort = _write(out, frozen, fitted, card, embeddings, crops, np.array(strangers), people)
    return Adopted(out, trials, learned_from, cohort, accuracy, shipped)


def target(name: str, digest: str) -> Path:
    """The file of a model that is to be called so.

    Args:
        digest: SHA-256 of the embedder.

    Raises:
        ConfigError: the name is taken, or is none.
    """
    if not name or not all(letter.isalnum() or letter in "._-" for letter in name) or name[0] in ".-":
        raise ConfigError(f"--name {name}: give letters, digits, dots, hyphens and underscores")
    taken = local.known(name)
    path = local.adopted_folder() / f"{name}.onnx"
    if taken is not None and taken.path != path:
        entry = find(name)
        if entry is None or entry.sha256 != digest:
            raise ConfigError(f"{name}: another model is called so; choose another name with --name")
    if path.is_file() and _made_of(path) != digest:
        raise ConfigError(
            f"{name}: made of another embedder before; choose another name with --name, or remove {path}"
        )
    return path


def needed_of(root: Path, people: Split) -> Needed:
    """Which images of LFW adopting takes: of each person the first few, of the test only what is in a pair.

    Raises:
        DataError: an image or a protocol file is missing.
    """
    by_person: dict[str, list[str]] = {}
    for photo in images(root / FOLDER):
        by_person.setdefault(photo.person, []).append(photo.file)
    if missing := sorted({*people.fit, *people.validation} - by_person.keys()):
        raise DataError(f"{root / FOLDER}: no image of {missing[0]}; bring LFW again: recog data lfw")

    def first(names: Sequence[str]) -> list[str]:
        return [file for name in names for file in by_person[name][:CALIBRATION_IMAGES]]

    several = [name for name in people.fit if len(by_person[name]) > 1]
    alone = [name for name in people.fit if len(by_person[name]) == 1]
    every = read_pairs(root / "pairs.txt")
    wanted = folds(people.hold_out)
    if max(wanted) > len(every):
        raise DataError(f"{root / 'pairs.txt'}: has {len(every)} folds, not {max(wanted)}")
    return Needed(first(several), first(alone), first(people.validation), [every[n - 1] for n in wanted])


def _rows(row_of: dict[str, int], files: Sequence[str]) -> Ints:
    try:
        return np.sort(np.array([row_of[file] for file in files], np.int64))
    except KeyError as error:
        raise DataError(f"{error.args[0]}: is in the pairs, but not on the disk; bring LFW again") from None


def _find_out(
    model: Path,
    ways: list[BackboneSettings] | None,
    crops: CropSet,
    fit: Ints,
    settings: Settings,
    progress: Progress,
) -> list[Trial]:
    """The ways to feed an embedder, the best first, tried on people who may be learned from."""
    from siamese.frozen.backbone import Backbone
    from siamese.frozen.inputs import find_out, usual
    from siamese.protocols.embedded import labels_of

    seen: dict[str, list[int]] = {}
    for row in fit:
        seen.setdefault(crops.people[row], []).append(int(row))
    rows = np.array([row for theirs in list(seen.values())[:TRIAL_PEOPLE] for row in theirs[:2]], np.int64)
    if ways is None and settings.backbone.model_fields_set & {"colour", "mean", "scale"}:
        ways = [settings.backbone]
    try:
        return find_out(
            lambda way: Backbone(model, way.model_copy(update={"mirror": False}), settings.runtime.threads),
            ways or list(usual()),
            np.asarray(crops.images[rows]),
            labels_of(crops, rows),
            partial(progress, "trying ways to feed it"),
        )
    except ModelError as error:
        raise ModelError(f"{model.name}: {error}") from error


def _accuracy(embeddings: Floats, row_of: dict[str, int], pairs: Sequence[Sequence[Pair]]) -> float:
    """Mean accuracy over folds, each by the threshold of the others, as `recog evaluate` has it."""
    listed = [(number, pair) for number, fold in enumerate(pairs) for pair in fold]
    first, second = (
        embeddings[[row_of[getattr(pair, side)] for _, pair in listed]] for side in ("first", "second")
    )
    distances = np.abs(first - second).sum(axis=1)
    same, fold = np.array([pair.same for _, pair in listed]), np.array([number for number, _ in listed])
    right = (distances <= metrics.thresholds_of_others(distances, same, fold)) == same
    return float(np.mean([right[fold == number].mean() for number in range(len(pairs))]))


def _by_shipped(crops: CropSet, row_of: dict[str, int], needed: Needed, root: Path, threads: int) -> Floats:
    """What the model that ships makes of the faces in the pairs."""
    from siamese.runtime import Embedder

    shipped = Embedder(threads=1)
    files = {file for fold in needed.pairs for pair in fold for file in (pair.first, pair.second)}
    return embedded(shipped, {}, crops, root / KEPT, threads, _rows(row_of, sorted(files)))


def _made_of(path: Path) -> str | None:
    """SHA-256 of the embedder that an adopted model was made of; None for another model, or a damaged one."""
    from pipeline.models import describe

    with contextlib.suppress(ModelError, ValueError):
        card: dict[str, Any] = json.loads(describe.read(path).entries.get("recog.card", "{}"))
        return str(card["backbone"]["sha256"]) if "backbone" in card else None
    return None


def _write(
    out: Path,
    frozen: Backbone,
    fitted: Fitted,
    card: dict[str, Any],
    embeddings: Floats,
    crops: CropSet,
    strangers: Ints,
    people: Split,
) -> int:
    """Write the model, its strangers, and its checksum; return how many strangers there are."""
    from siamese.cohort import Cohort, cohort_path, write
    from siamese.frozen.export import export_frozen
    from siamese.protocols.embedded import labels_of
    from siamese.runtime import Embedder

    make_folder(out.parent)
    try:
        # Under its own name, which it bears inside a gallery, but where nobody looks for it yet.
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".") as folder:
            made = export_frozen(frozen, fitted.head, Path(folder) / out.name, fitted.calibration, card)
            few = strangers[:8]
            again = Embedder(made).embed(np.asarray(crops.images[few]))
            if not np.allclose(again, fitted.head.apply(embeddings[few]), rtol=1e-2, atol=1e-2):
                raise ModelError(f"{frozen.model}: embeds in its own file otherwise than when it was tried")
            cohort = Cohort(
                fitted.head.apply(embeddings[strangers]),
                labels_of(crops, strangers),
                np.full(len(strangers), "LFW"),
                sha256(made),
                crops.alignment,
                f"LFW, {len({crops.people[row] for row in strangers}):,} people to whom the head was not "
                f"fitted; nobody of those reported on ({people.hold_out}). What the embedder itself learned "
                "from is not known",
            )
            write(cohort, cohort_path(out))
            os.replace(made, out)
        (out.parent / "SHA256SUMS").touch()
        record(out)
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return len(set(cohort.people))
