"""Verification on any set in the format of LFW's pairs files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from siamese import metrics
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw import files as lfw
from siamese.metrics import Ints
from siamese.protocols.embedded import Embeds, Progress, embed_rows
from siamese.protocols.verification import Judged


def pair_file(
    embedder: Embeds,
    judge: Calibration,
    crops: CropSet,
    pairs: Sequence[Sequence[lfw.Pair]],
    progress: Progress = lambda done, total: None,
) -> tuple[Judged, str]:
    """Judge the pairs of each fold; also give the checksum of the crops.

    The threshold comes from the other folds; where there is but one, from the model's own calibration.

    Args:
        judge: the model's calibration.
        crops: the set's images; suffixes need not be those of the pairs.

    Raises:
        DataError: an image is missing, two of one name differ in suffix alone, or pairs are of one kind.
    """
    listed = [pair for fold in pairs for pair in fold]
    first = _rows(crops, [pair.first for pair in listed])
    second = _rows(crops, [pair.second for pair in listed])
    same = np.array([pair.same for pair in listed])
    fold = np.repeat(np.arange(1, len(pairs) + 1), [len(part) for part in pairs]).astype(np.int64)
    faces = embed_rows(embedder, crops, np.concatenate([first, second]), progress)
    distances = np.abs(faces.embeddings[first] - faces.embeddings[second]).sum(axis=1)
    if len(pairs) > 1:
        thresholds = metrics.thresholds_of_others(distances, same, fold)
        source = "the pairs of the other folds"
    else:
        thresholds = np.full(len(same), judge.distance(0.0))
        source = "the model's calibration (a log-likelihood ratio of 0)"
    judged = Judged(first, second, same, fold, distances, thresholds, judge.llr(distances), source)
    return judged, faces.sha256


def _rows(crops: CropSet, files: Sequence[str]) -> Ints:
    """The row of each file, whatever its suffix."""
    row_of: dict[str, int] = {}
    for row, file in enumerate(crops.files):
        stem = str(PurePath(file).with_suffix(""))
        if stem in row_of:
            raise DataError(
                f"{file}: there is another image of this name; which one is meant cannot be known"
            )
        row_of[stem] = row
    try:
        return np.array([row_of[str(PurePath(file).with_suffix(""))] for file in files], np.int64)
    except KeyError as error:
        raise DataError(f"{error.args[0]}: no such image among those given with --images") from None
