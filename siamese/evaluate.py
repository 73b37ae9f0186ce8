"""How well an embedder tells people apart on View 1 of LFW, how sure that is, and what it was measured with.

The threshold is chosen on people of DevTrain who were held out of training, and everything is reported on
the 1,711 people of DevTest: on the 1,000 pairs of the protocol, and on every pair of all their images, which
alone hold enough strangers to say anything of rare false accepts. No torch: what is evaluated is what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from siamese import calibration, lfw, metrics
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.intervals import Curve, Interval, over_pairs, over_people
from siamese.metrics import RATES, Bools, Doubles, Floats, Ints
from siamese.provenance import category, commit, versions
from siamese.shipped import sha256

PAIRS = "pairsDevTest.txt"
RARE = (1e-3, 1e-4)  # false accept rates to report where there are millions of pairs
PORTION = 256  # faces embedded between two reports of progress


class Embeds(Protocol):
    """`siamese.runtime.Embedder`, `siamese.teacher.Teacher`, or anything that embeds crops."""

    def embed(self, crops: npt.NDArray[np.uint8], /) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Validation:
    """Where the threshold comes from."""

    people: int
    images: int
    genuine: int  # pairs of one person
    impostor: int  # pairs of two
    threshold: float
    auc: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of the protocol. Row i of the first four is one pair."""

    first: Ints  # (p,) rows of the crop set
    second: Ints  # (p,)
    distances: Floats  # (p,)
    same: Bools  # (p,)
    threshold: float  # of the validation people
    accuracy: float  # at this threshold
    standard_error: float
    cost: float  # of trusting the calibrated ratios (Cllr), in bits; 1 is that of saying nothing
    figures: dict[str, Interval]  # as `metrics.verification`
    curve: Curve


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every pair of all images of the test people."""

    people: int
    images: int
    genuine: int
    impostor: int
    auc: float
    eer: float
    curve: Curve  # intervals over people


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `as_dict` is what is kept."""

    category: str
    validation: Validation
    pairs: Pairs
    everyone: Everyone
    calibration: Calibration
    not_found: dict[str, int]  # images whose centre stands in, because no face was found in them
    provenance: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the single pairs and the curves are left out."""
        pairs, everyone = self.pairs, self.everyone
        return {
            "data": "LFW View 1 (DevTest)",
            "category": self.category,
            "validation": asdict(self.validation),
            "pairs": {
                "genuine": int(pairs.same.sum()),
                "impostor": int((~pairs.same).sum()),
                "accuracy": pairs.accuracy,
                "standard error": pairs.standard_error,
                "calibration cost in bits": pairs.cost,
                **{name: asdict(pairs.figures[name]) for name in ("auc", "eer")},
                **_rates(pairs.curve, RATES),
            },
            "every pair": {
                "people": everyone.people,
                "images": everyone.images,
                "genuine": everyone.genuine,
                "impostor": everyone.impostor,
                "auc": everyone.auc,
                "eer": everyone.eer,
                **_rates(everyone.curve, RARE),
            },
            "no face found, centre taken": self.not_found,
            "calibration": self.calibration.as_dict(),
            **self.provenance,
        }


def _rates(curve: Curve, rates: tuple[float, ...]) -> dict[str, Any]:
    return {
        f"tar at far {rate:g}": asdict(curve.at(rate)) | {"resolved": curve.resolves(rate)} for rate in rates
    }


def evaluate_view1(
    embedder: Embeds,
    crops: CropSet,
    protocol: Path,
    *,
    model: Path | None = None,
    card: Mapping[str, Any] | None = None,
    calibrated: Calibration | None = None,
    validation: Collection[str] | None = None,
    validation_share: float = 0.1,
    samples: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Evaluate an embedder on people it was not trained on.

    Args:
        crops: all of LFW, aligned.
        protocol: the folder of the protocol files.
        model: the embedder's file, for the record.
        card: the embedder's model card, which says what it was trained with.
        calibrated: the embedder's own calibration; without it, one is fitted on the validation people.
        validation: the people who were held out of training, to choose the threshold on; by default those of
            `lfw.split_people` with `validation_share`.
        samples: how often data is drawn again for the intervals.
        progress: called with faces embedded so far and in all.

    Raises:
        DataError: an image is missing, validation people are test people, or too few for a threshold.
    """
    train, test = lfw.view1_split(protocol)
    held_out = lfw.split_people(train, validation_share)[1] if validation is None else sorted(validation)
    if both := sorted(set(held_out) & set(test)):
        raise DataError(f"{both[0]} is among the test people; a threshold chosen on them would flatter")
    row_of = {file: row for row, file in enumerate(crops.files)}
    counts = {
        person.name: person.images
        for part in ("Train", "Test")
        for person in lfw.read_people(protocol / f"peopleDev{part}.txt")
    }

    def rows_of(people: list[str]) -> Ints:
        if unknown := [name for name in people if name not in counts]:
            raise DataError(f"{unknown[0]} is nobody of {protocol}")
        return _rows(row_of, [lfw.image_name(p, n + 1) for p in people for n in range(counts[p])])

    fit_on, tested = rows_of(held_out), rows_of(test)
    listed = [pair for fold in lfw.read_pairs(protocol / PAIRS) for pair in fold]
    first = _rows(row_of, [pair.first for pair in listed])
    second = _rows(row_of, [pair.second for pair in listed])
    same = np.array([pair.same for pair in listed])
    embeddings = _embed(embedder, crops, np.unique(np.concatenate([fit_on, tested, first, second])), progress)

    chosen, judge = _validate(embeddings[fit_on], _people(crops, fit_on), calibrated)
    distances = np.abs(embeddings[first] - embeddings[second]).sum(axis=1)
    return Report(
        category(card or {}),
        chosen,
        _pairs(first, second, distances, same, chosen.threshold, judge, samples, seed),
        _everyone(embeddings[tested], _people(crops, tested), samples, seed),
        judge,
        {
            "validation": _missed(crops, fit_on),
            "pairs": _missed(crops, np.unique([first, second])),
            "every pair": _missed(crops, tested),
        },
        {
            "settings": {
                "validation people": f"share {validation_share:g}" if validation is None else "given",
                "calibration": "given" if calibrated else "fitted on the validation people",
                "bootstrap samples": samples,
                "seed": seed,
            },
            "alignment": crops.alignment,
            "sha256": {PAIRS: sha256(protocol / PAIRS), "model": sha256(model) if model else None},
            "commit": commit(),
            "versions": versions(),
        },
    )


def _rows(row_of: dict[str, int], files: list[str]) -> Ints:
    try:
        return np.array([row_of[file] for file in files], np.int64)
    except KeyError as error:
        raise DataError(
            f"{error.args[0]}: not among the aligned faces; make them with: recog data align"
        ) from None


def _people(crops: CropSet, rows: Ints) -> Ints:
    """A number from 0 for the person in each row."""
    names = [crops.files[row].partition("/")[0] for row in rows]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _missed(crops: CropSet, rows: Ints) -> int:
    return int((~crops.found[rows]).sum())


def _embed(embedder: Embeds, crops: CropSet, rows: Ints, progress: Callable[[int, int], None]) -> Floats:
    """Embeddings (n, d) in the order of the crops; those of rows that are not asked for are zero."""
    portions = []
    for start in range(0, len(rows), PORTION):
        portions.append(embedder.embed(np.array(crops.images[rows[start : start + PORTION]])))
        progress(min(start + PORTION, len(rows)), len(rows))
    embeddings = np.zeros((len(crops), portions[0].shape[1]), np.float32)
    embeddings[rows] = np.concatenate(portions)
    return embeddings


def _validate(
    embeddings: Floats, labels: Ints, calibrated: Calibration | None
) -> tuple[Validation, Calibration]:
    """The threshold, and the calibration unless there is one."""
    distances, same = metrics.every_pair(embeddings, labels)
    if same.all() or not same.any():
        raise DataError("a threshold needs two validation people, and two images of one of them")
    try:
        judge = calibrated or calibration.fit(distances, same)
    except ValueError as error:
        raise DataError(f"the validation people allow no calibration: {error}") from error
    threshold = metrics.best_threshold(distances, same)
    auc = metrics.verification(distances, same)["auc"]
    people, genuine = len(np.unique(labels)), int(same.sum())
    return Validation(people, len(labels), genuine, len(same) - genuine, threshold, auc), judge


def _pairs(
    first: Ints,
    second: Ints,
    distances: Floats,
    same: Bools,
    threshold: float,
    judge: Calibration,
    samples: int,
    seed: int,
) -> Pairs:
    accuracy = metrics.accuracy(distances, same, threshold)
    return Pairs(
        first,
        second,
        distances,
        same,
        threshold,
        accuracy,
        (accuracy * (1 - accuracy) / len(same)) ** 0.5,
        calibration.cost(judge.llr(distances), same),
        *over_pairs(distances, same, _grid(-3, 0), samples, seed),
    )


def _everyone(embeddings: Floats, labels: Ints, samples: int, seed: int) -> Everyone:
    distances, same = metrics.every_pair(embeddings, labels)
    figures = metrics.verification(distances, same)
    return Everyone(
        len(np.unique(labels)),
        len(labels),
        int(same.sum()),
        int((~same).sum()),
        figures["auc"],
        figures["eer"],
        over_people(distances, labels, _grid(-5, -2), samples, seed),
    )


def _grid(low: int, high: int) -> Doubles:
    """False accept rates from 10^low to 10^high, twenty to each power of ten."""
    grid: Doubles = np.logspace(low, high, 20 * (high - low) + 1)
    return grid
