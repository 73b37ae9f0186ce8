"""Verification on LFW: View 1's test pairs, and View 2's folds, each judged by a model that has not seen it.

A threshold is never chosen on the people it is used on. Where several folds were held out of the model, it
comes from the pairs of the others of them. Else it is where the model's own calibration says that one person
is as likely as two: that was fitted on its validation people, who are of the other folds (or of View 1's
training half) and whom the network did not learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamese import calibration, metrics
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw import files as lfw
from siamese.lfw.split import VIEW1, Split, split
from siamese.metrics import Floats, Ints
from siamese.protocols.embedded import (
    Embedded,
    Embeds,
    Progress,
    embed_rows,
    labels_of,
    rows_of_files,
    rows_of_people,
)
from siamese.protocols.verification import Judged

VIEW1_PAIRS, VIEW2_PAIRS = "pairsDevTest.txt", "pairs.txt"
IMAGES_EACH = 8  # of a validation person: people with a hundred would be all that counts


@dataclass(frozen=True, slots=True)
class Model:
    """What is evaluated, and whom it has seen."""

    embedder: Embeds
    card: Mapping[str, Any]
    split: Split | None  # None: its card does not say
    calibration: Calibration | None  # without one, one is fitted on the validation people


@dataclass(frozen=True, slots=True)
class PairTest:
    """Pairs of LFW judged by one model, with what was needed for it."""

    judged: Judged
    calibration: Calibration
    faces: Embedded
    tested: Ints  # rows of every image of the people tested; none unless asked for


def view1(
    model: Model, crops: CropSet, protocol: Path, progress: Progress = lambda done, total: None
) -> PairTest:
    """Judge the pairs of View 1's test half.

    Raises:
        DataError: a protocol file or an image is missing, or validation people are test people.
    """
    _, test = lfw.view1_split(protocol)
    pairs = lfw.read_pairs(protocol / VIEW1_PAIRS)
    own = model.split or split(protocol, VIEW1)
    return _judge(model, crops, [pairs[0]], [1], own.validation, test, True, progress)


def folds(
    model: Model,
    crops: CropSet,
    protocol: Path,
    numbers: Sequence[int],
    progress: Progress = lambda done, total: None,
    everyone: bool = True,
) -> PairTest:
    """Judge the pairs of some folds of View 2.

    Args:
        numbers: the folds, from 1.
        everyone: embed also the images of the folds' people that are in no pair.

    Raises:
        DataError: a protocol file or an image is missing, or there is no such fold.
    """
    pairs = lfw.read_pairs(protocol / VIEW2_PAIRS)
    if not numbers or not set(numbers) <= set(range(1, len(pairs) + 1)):
        raise DataError(f"{protocol / VIEW2_PAIRS}: there are folds 1 to {len(pairs)}; name one or more")
    chosen = sorted(set(numbers))
    tested = split(protocol, "fold:" + ",".join(map(str, chosen)))
    own = model.split or tested
    return _judge(
        model, crops, [pairs[n - 1] for n in chosen], chosen, own.validation, tested.test, everyone, progress
    )


def together(tests: Sequence[PairTest]) -> Judged:
    """The pairs of several models, each of which judged its own fold, in one."""
    parts = [test.judged for test in tests]

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    names = ("first", "second", "same", "folds", "distances", "thresholds", "llr")
    return Judged(**{name: joined(name) for name in names}, threshold_from=parts[0].threshold_from)


def rows_in(judged: Judged) -> Ints:
    """The rows of the crop set that are in any pair, ascending."""
    return np.unique(np.concatenate([judged.first, judged.second]))


def fit_calibration(embeddings: Floats, labels: Ints) -> Calibration:
    """A calibration on every pair of these faces.

    Raises:
        DataError: they are too few, or distance says nothing about them.
    """
    distances, same = metrics.every_pair(embeddings, labels)
    try:
        return calibration.fit(distances, same)
    except ValueError as error:
        raise DataError(f"the validation people allow no calibration: {error}") from error


def _judge(
    model: Model,
    crops: CropSet,
    pairs: Sequence[Sequence[lfw.Pair]],
    numbers: Sequence[int],
    validation: Sequence[str],
    people: Sequence[str],
    everyone: bool,
    progress: Progress,
) -> PairTest:
    """Judge the pairs of each fold; `people` are all that the folds are of, embedded too if `everyone`."""
    listed = [pair for fold in pairs for pair in fold]
    first = rows_of_files(crops, [pair.first for pair in listed])
    second = rows_of_files(crops, [pair.second for pair in listed])
    same = np.array([pair.same for pair in listed])
    fold = np.repeat(numbers, [len(part) for part in pairs]).astype(np.int64)
    tested = rows_of_people(crops, people) if everyone else np.zeros(0, np.int64)
    fitted_on = np.zeros(0, np.int64)
    if model.calibration is None:
        if both := sorted(set(validation) & set(people)):
            raise DataError(f"{both[0]} is among the test people; a threshold chosen on them would flatter")
        fitted_on = rows_of_people(crops, validation, IMAGES_EACH)
    wanted = np.concatenate([first, second, tested, fitted_on])
    faces = embed_rows(model.embedder, crops, wanted, progress)
    judge = model.calibration or fit_calibration(faces.embeddings[fitted_on], labels_of(crops, fitted_on))
    distances = np.abs(faces.embeddings[first] - faces.embeddings[second]).sum(axis=1)
    if len(numbers) > 1:
        source = "the pairs of the other folds"
        thresholds = metrics.thresholds_of_others(distances, same, fold)
    else:
        source = "the model's calibration on its validation people, at a log-likelihood ratio of 0"
        thresholds = np.full(len(same), judge.distance(0.0))
    judged = Judged(first, second, same, fold, distances, thresholds, judge.llr(distances), source)
    return PairTest(judged, judge, faces, tested)
