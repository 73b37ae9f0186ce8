"""Faces of an evaluation with their embeddings, and what they were made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.metrics import Floats, Ints

PORTION = 256  # faces embedded between two reports of progress

Progress = Callable[[int, int], None]  # faces so far, faces in all


class Embeds(Protocol):
    """`siamese.runtime.Embedder`, `siamese.training.teacher.Teacher`, or anything that embeds crops."""

    def embed(self, crops: npt.NDArray[np.uint8], /) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """Some rows of a crop set, embedded."""

    embeddings: Floats  # (n, d) in the order of the crop set; rows that were not asked for are zero
    rows: Ints  # those that were, ascending
    sha256: str  # of their crops, in this order


def embed_rows(
    embedder: Embeds, crops: CropSet, rows: Ints, progress: Progress = lambda done, total: None
) -> Embedded:
    """Embed the crops in `rows`, each once, and nothing else."""
    chosen, digest, portions = np.unique(rows), hashlib.sha256(), []
    for start in range(0, len(chosen), PORTION):
        portion = np.array(crops.images[chosen[start : start + PORTION]])
        digest.update(portion.tobytes())
        portions.append(embedder.embed(portion))
        progress(min(start + PORTION, len(chosen)), len(chosen))
    embeddings = np.zeros((len(crops), portions[0].shape[1]), np.float32)
    embeddings[chosen] = np.concatenate(portions)
    return Embedded(embeddings, chosen, digest.hexdigest())


def rows_of_files(crops: CropSet, files: Iterable[str]) -> Ints:
    """The row of each file.

    Raises:
        DataError: a file is not among the crops.
    """
    row_of = {file: row for row, file in enumerate(crops.files)}
    try:
        return np.array([row_of[file] for file in files], np.int64)
    except KeyError as error:
        raise DataError(
            f"{error.args[0]}: not among the aligned faces; make them with: recog data align"
        ) from None


def rows_of_people(crops: CropSet, people: Iterable[str], most: int | None = None) -> Ints:
    """The rows of all images of these people; of each the first `most`.

    Raises:
        DataError: there is no image of somebody.
    """
    rows: dict[str, list[int]] = {name: [] for name in people}
    for row, person in enumerate(crops.people):
        if person in rows:
            rows[person].append(row)
    if missing := [name for name, theirs in rows.items() if not theirs]:
        raise DataError(f"{missing[0]}: no image among the aligned faces; make them: recog data align")
    return np.sort(np.array([row for theirs in rows.values() for row in theirs[:most]], np.int64))


def labels_of(crops: CropSet, rows: Ints) -> Ints:
    """A number from 0 for the person in each row."""
    names = [crops.people[row] for row in rows]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def missed(crops: CropSet, rows: Ints) -> int:
    """In how many of these images no face was found, so that the centre stands in."""
    return int((~crops.found[np.unique(rows)]).sum())
