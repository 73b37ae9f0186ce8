"""Strangers that ship with a model: embeddings of people it never saw, against whom thresholds are set.

A `.cohort.npz` beside the model holds the embeddings, a number for each person, and which set of photographs
each is from, as strangers of one kind may come nearer than those of another. No images and no names; no
arrays of Python objects either, so that opening one runs nobody's code.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siamese.errors import ModelError
from siamese.metrics import Floats, Ints

Kinds = npt.NDArray[np.str_]

SUFFIX = ".cohort.npz"


@dataclass(frozen=True, slots=True)
class Cohort:
    """Faces of people whom a model never saw; row i of the first three is one face."""

    embeddings: Floats  # (n, d)
    people: Ints  # (n,) a number for each person
    kinds: Kinds  # (n,) the set of photographs it is from; "" where that was not written down
    model: str  # SHA-256 of the model
    alignment: str  # how the faces were aligned
    source: str  # who they are, in words

    @property
    def one_each(self) -> Floats:
        """The first face of each person, (p, d): as independent as faces can be."""
        return self.embeddings[self._first]

    @property
    def kinds_each(self) -> Kinds:
        """The kind of each row of `one_each`, (p,)."""
        return self.kinds[self._first]

    @property
    def _first(self) -> Ints:
        return np.sort(np.unique(self.people, return_index=True)[1]).astype(np.int64)

    def stranger_distances(self) -> npt.NDArray[np.float32]:
        """L1 distances of every two people by one face each, ascending, (p (p - 1) / 2,)."""
        faces = self.one_each.astype(np.float64)
        apart = [np.abs(faces[row + 1 :] - faces[row]).sum(axis=1) for row in range(len(faces))]
        return np.sort(np.concatenate([np.zeros(0), *apart]).astype(np.float32))


def cohort_path(model: Path) -> Path:
    """Where the cohort of a model file is."""
    return model.with_suffix(SUFFIX)


def write(cohort: Cohort, path: Path) -> None:
    """Write a cohort; the file appears whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(
                file,
                embeddings=cohort.embeddings.astype("<f4"),
                people=cohort.people.astype("<i8"),
                kinds=cohort.kinds,
                model=np.array(cohort.model),
                alignment=np.array(cohort.alignment),
                source=np.array(cohort.source),
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, model: str) -> Cohort:
    """The cohort at `path`, made with the model of this SHA-256.

    Raises:
        ModelError: there is none, it is damaged, or it was made with another model.
    """
    again = f"make one with: recog calibrate cohort --out {path}"
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            people = file["people"].astype(np.int64)
            cohort = Cohort(
                file["embeddings"].astype(np.float32),
                people,
                file["kinds"] if "kinds" in file else np.full(people.shape, ""),
                str(file["model"]),
                str(file["alignment"]),
                str(file["source"]),
            )
    except FileNotFoundError as error:
        raise ModelError(f"{path}: this model has no strangers to set thresholds by; {again}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: damaged, or no cohort of strangers; {again}") from error
    shape = cohort.embeddings.shape
    fit = len(shape) == 2 and cohort.people.shape == cohort.kinds.shape == shape[:1]
    if not fit or cohort.kinds.dtype.kind != "U" or not np.isfinite(cohort.embeddings).all():
        raise ModelError(f"{path}: damaged (its parts do not fit); {again}")
    if cohort.model != model:
        raise ModelError(f"{path}: was made with another model; {again}")
    return cohort
