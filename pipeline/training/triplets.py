"""Training on triplets: the folders that `recog data triplets` and `recog collect` fill, alone or beside LFW.

Alone as the well-known tutorial does it: each anchor with its positive and with its negative, binary
cross-entropy, pair by pair. Beside LFW the own pictures are one more person of many, and every pair of a
batch counts.

Nobody is on both sides: people with names are parted as everywhere, so that the card says truly who was held
out; of the own pictures the last tenth is held out, for neighbouring frames of a camera are nearly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.config import Settings
from pipeline.progress import Progress, silent, unheard
from pipeline.progress import Report as Note
from pipeline.training.data import align_listed, make_folder
from pipeline.training.evaluation import write
from pipeline.training.network import CALIBRATION_IMAGES, device_of, fit_network, held_out_of, lfw_crops
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw.files import split_people
from siamese.lfw.split import Split, split
from siamese.lfw.triplets import KINDS, YOU, Triplet, person_of, read_triplets
from siamese.metrics import Bools, Ints

if TYPE_CHECKING:
    from siamese.protocols.report import Report
    from siamese.training.batches import ListedPairs
    from siamese.training.faces import Faces

Part = Literal["fit", "validation", "held out"]
OWN_HELD = 0.1  # share of the own pictures, the last, that is not learned from


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows of a crop set."""

    rows: Ints  # (n, 2)
    same: Bools  # (n,)


@dataclass(frozen=True, slots=True)
class Material:
    """Triplets as faces and pairs of them. A stranger without a name is a person called by the file."""

    crops: CropSet
    named: Bools  # (n,) whether it is known who a face is
    part: list[Part]  # of each face
    fit: Pairs
    validation: Pairs
    dropped: int  # pairs in which no face was found, or whose people are in two parts or held out

    def rows(self, part: Part) -> Ints:
        """The faces of one part in which a face was found."""
        rows = [row for row, own in enumerate(self.part) if own == part and self.crops.found[row]]
        return np.array(rows, np.int64)


def train_on_triplets(
    folder: Path,
    beside: Path | None,
    root: Path,
    out: Path,
    settings: Settings,
    resume: bool,
    start: Path | None,
    device: str,
    hold_out: str | None,
    progress: Progress = silent,
    note: Note = unheard,
) -> tuple[Path, Report | None]:
    """Train; return the best checkpoint, and how it judges the pairs that were held out, if there are any.

    Args:
        folder: with `anchor`, `positive` and `negative`.
        beside: LFW, to learn from as well.
        root: LFW, whose protocol says who is held out; only read where people in the triplets have names.
        start: a checkpoint or exported network to begin with; it says what the network looks like, where the
            settings do not.
        hold_out: as `siamese.lfw.split` reads it; None: as the beginning was, else View 1's test half.
        note: is told in a line how good each epoch made the network.

    Raises:
        ConfigError: a device that is not there, or `hold_out` is not what the beginning held out.
        PipelineError, SiameseError: data or models that are missing or damaged, or too few pictures.
    """
    from siamese.training.faces import Faces
    from siamese.training.warm_start import provenance_of, settings_of

    chosen = device_of(device)
    earlier = out / "last.pt" if resume else start
    began_with = provenance_of(earlier) if earlier else None
    if earlier is not None and not settings.model.model_fields_set:
        settings = settings.model_copy(update={"model": settings_of(earlier)})
    triplets = read_triplets(folder)
    known = beside is not None or any(person_of(path) not in ("", YOU) for row in triplets for path in row)
    people = _split(beside or root, known, hold_out, began_with)
    make_folder(out)
    material = prepare(folder, triplets, settings, people, progress)
    provenance: dict[str, Any] = {
        "data": f"{len(material.fit.same)} pairs of triplets",
        "held out": people.hold_out,
        "outside data": _outside(material, began_with),
        "alignment": material.crops.alignment,
        "pairs of triplets left out": material.dropped,
        "began with": began_with,
    }
    held_out = material.crops.rows(material.rows("validation")).at_most(CALIBRATION_IMAGES)
    pairs: ListedPairs | None = None
    if beside is None:
        pairs = _listed(folder, material.fit, settings.train.seed)
        update = {"batches": "pairs", "batch": min(settings.train.batch, 2 * len(pairs))}
        settings = settings.model_copy(update={"train": settings.train.model_copy(update=update)})
        faces = Faces(material.crops.images, np.where(material.named, material.crops.labels(), -1))
    else:
        lfw = lfw_crops(beside, settings, progress)
        faces, added = _beside(lfw, people, material)
        held_out = _together(lfw.of_people(people.validation).at_most(CALIBRATION_IMAGES), held_out)
        provenance["data"] = f"LFW, {len(people.fit)} people, and {added} pictures of triplets"
    if len(set(held_out.people)) in (0, 1, len(held_out)):
        raise DataError(
            f"{folder}: too few pictures to hold some out, by which the best pass is chosen: collect twenty "
            "of each kind or more, or train beside LFW with --extra data/lfw"
        )
    best = fit_network(
        faces, held_out, settings, out, resume, start, chosen, provenance, pairs, progress, note
    )
    return best, evaluate(best, material, out / "evaluation")


def prepare(
    folder: Path,
    triplets: Sequence[Triplet],
    settings: Settings,
    people: Split,
    progress: Progress = silent,
) -> Material:
    """Align the images of triplets, each once, and part their pairs by who is learned from.

    Raises:
        PipelineError, SiameseError: an image that cannot be read, a detector that cannot be used, or no room.
    """
    # LFW's images stand there once for each row they are in; one of them serves for all.
    first: dict[str, Path] = {}
    of: dict[Path, str] = {}
    for path in sorted({path for row in triplets for path in row}):
        own = person_of(path) in ("", YOU)
        image = str(path.relative_to(folder)) if own else path.name.partition("_")[2]
        if not own and not path.name[:6].isdecimal():
            image = path.name
        of[path] = str(first.setdefault(image, path).relative_to(folder))
    files = sorted(set(of.values()))
    crops = align_listed(folder, files, folder / "crops", settings, named=False, progress=progress)
    who = [person_of(folder / file) for file in files]
    part = _parts(files, who, people)
    crops = replace(
        crops, people=tuple(name or f"stranger {file}" for name, file in zip(who, files, strict=True))
    )
    row_of = {file: row for row, file in enumerate(files)}
    listed = [
        (row_of[of[anchor]], row_of[of[other]], same)
        for anchor, positive, negative in triplets
        for other, same in ((positive, True), (negative, False))
    ]
    kept: dict[Part, list[tuple[int, int, bool]]] = {"fit": [], "validation": []}
    for a, b, same in listed:
        if part[a] == part[b] != "held out" and a != b and crops.found[[a, b]].all():
            kept[part[a]].append((a, b, same))
    return Material(
        crops,
        np.array([bool(name) for name in who], np.bool_),
        part,
        _pairs(kept["fit"]),
        _pairs(kept["validation"]),
        len(listed) - sum(map(len, kept.values())),
    )


def evaluate(checkpoint: Path, material: Material, out: Path) -> Report | None:
    """How a network judges the pairs that were held out, with pictures in `out`; None if they are too few.

    Raises:
        ModelError: no checkpoint of ours.
        SinkError: `out` cannot be written.
    """
    from siamese.protocols.embedded import missed
    from siamese.protocols.report import Report
    from siamese.protocols.verification import Judged, verify
    from siamese.provenance import category
    from siamese.training.checkpoint import build, load
    from siamese.training.embed import embed

    pairs = material.validation
    if not pairs.same.any() or pairs.same.all():
        return None
    state = load(checkpoint)
    network = build(state)
    rows = np.unique(pairs.rows)
    embeddings = np.zeros((len(material.crops), network.backbone.dimension), np.float32)
    embeddings[rows] = embed(network, material.crops.images[rows])
    first, second = pairs.rows.T
    distances = np.abs(embeddings[first] - embeddings[second]).sum(axis=1)
    bias = float(network.head.bias.detach())
    judged = Judged(
        first, second, pairs.same, np.ones(len(first), np.int64), distances,
        np.full(len(first), bias), (bias - distances).astype(np.float64), "the head itself: its logit at 0",
    )  # fmt: skip
    report = Report(
        "triplets", "pairs of triplets that were held out", category(state["provenance"]), None,
        {"pairs": verify(judged)}, {"pairs": missed(material.crops, rows)},
        {"checkpoint": str(checkpoint), "held out": state["provenance"]["held out"]}, judged,
    )  # fmt: skip
    make_folder(out)
    write(report, material.crops, out)
    return report


def _split(protocol: Path, known: bool, hold_out: str | None, began_with: dict[str, Any] | None) -> Split:
    """Who of LFW is learned from; nobody where no name is known."""
    chosen = held_out_of(began_with, hold_out)
    return split(protocol, chosen) if known else Split([], [], [], chosen)


def _parts(files: Sequence[str], who: Sequence[str], people: Split) -> list[Part]:
    """What each face is for."""
    names = {name for name in who if name not in ("", YOU)}
    fit, validation, test = set(people.fit), set(people.validation), set(people.test)
    more_fit, more_validation = split_people(sorted(names - fit - validation - test))
    fit, validation = fit | set(more_fit), validation | set(more_validation)
    own = {kind: [file for file, name in zip(files, who, strict=True)
                  if name == YOU and file.startswith(f"{kind}/")] for kind in KINDS}  # fmt: skip
    # Names sort by time: the last are of another minute, if not of another day.
    last = {file for theirs in own.values() for file in theirs[len(theirs) - int(OWN_HELD * len(theirs)) :]}
    parts: list[Part] = []
    for file, name in zip(files, who, strict=True):
        if name == YOU:
            parts.append("validation" if file in last else "fit")
        elif not name:
            parts.append("validation" if split_people([file])[1] else "fit")
        else:
            parts.append("fit" if name in fit else "validation" if name in validation else "held out")
    return parts


def _outside(material: Material, began_with: dict[str, Any] | None) -> str:
    """Where LFW's rules put a network that learns from these, as its card says it."""
    before = "none (but the detector's)" if began_with is None else str(began_with.get("outside data", ""))
    foreign = not material.named.all() or YOU in material.crops.people
    return "labelled (own pictures)" if foreign and before.startswith(("none", "label-free")) else before


def _pairs(listed: Sequence[tuple[int, int, bool]]) -> Pairs:
    rows = np.array([(a, b) for a, b, _ in listed], np.int64).reshape(-1, 2)
    return Pairs(rows, np.array([same for *_, same in listed], np.bool_))


def _listed(folder: Path, pairs: Pairs, seed: int) -> ListedPairs:
    from siamese.training.batches import ListedPairs

    try:
        return ListedPairs(pairs.rows, pairs.same, seed)
    except ValueError as error:
        raise DataError(f"{folder}: {error}; collect more, or make more triplets") from error


def _beside(lfw: CropSet, people: Split, material: Material) -> tuple[Faces, int]:
    """The training faces: those of LFW, and those of the triplets who are not of LFW and known; how many."""
    from siamese.training.faces import Faces, Joined

    wanted, everybody = set(people.fit), set(lfw.people)
    own = np.array([row for row, person in enumerate(lfw.people) if person in wanted], np.int64)
    names = material.crops.people
    new = [row for row in material.rows("fit") if material.named[row] and names[row] not in everybody]
    both = [*(lfw.people[row] for row in own), *(names[row] for row in new)]
    labels = np.unique(both, return_inverse=True)[1].astype(np.int64)
    images = Joined(((lfw.images, own), (material.crops.images, np.array(new, np.int64))))
    return Faces(images, labels), len(new)


def _together(one: CropSet, other: CropSet) -> CropSet:
    """Both sets in memory, without a person of the first in the second."""
    present = set(one.people)
    more = other.rows(
        np.array([row for row, person in enumerate(other.people) if person not in present], np.int64)
    )
    return CropSet(
        np.concatenate([one.images, more.images]),
        one.files + more.files,
        one.people + more.people,
        np.concatenate([one.found, more.found]),
        one.alignment,
    )
