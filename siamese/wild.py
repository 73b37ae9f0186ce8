"""Faces beyond press photographs, of people from whom nobody learns: what the protocol `wild` measures on.

`recog data wild` builds it once. A folder holds three crop sets: `validation` chooses passes and calibrates,
`test` is reported on, `cohort` are strangers to set thresholds by. Faces with a name are of people with
several pictures; each face without one is a stranger of its own. Beside each set `traits.csv` says of every
face where it is from, how far it is turned, how sharp it is, and its age where that is known.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamese import crops
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.metrics import Bools, Floats

PARTS = ("validation", "test", "cohort")
DESCRIBED, TRAITS = "wild.json", "traits.csv"
COLUMNS = ("file", "source", "turn", "sharpness", "age")
HELD_OUT = "wild set"  # in a model's card: the fingerprint of the set that was left out of its training
TURNED = (
    1 / 3
)  # from here on a head counts as turned: the nose is a sixth of the eyes' distance off their middle
BLURRED = (
    7.2  # deviation of the Laplacian: the median of LFW shrunk to 48 pixels, the smallest worth enrolling
)


@dataclass(frozen=True, slots=True)
class WildSet:
    """Faces with what they are like. Row i of each field is one face."""

    crops: CropSet  # strangers have no name
    sources: tuple[str, ...]
    turn: Floats  # (n,) 0 frontal .. 1 profile; NaN where it could not be measured
    sharpness: (
        Floats  # (n,) deviation of the crop's Laplacian, grey levels: low of small faces as of blurred ones
    )
    age: Floats  # (n,) years; NaN where not known

    @property
    def frontal(self) -> Bools:
        """(n,) whether a head is known to be turned hardly or not."""
        return np.asarray(self.turn < TURNED)

    @property
    def turned(self) -> Bools:
        """(n,) whether a head is known to be turned aside."""
        return np.asarray(self.turn >= TURNED)

    @property
    def poor(self) -> Bools:
        """(n,) whether a face is small or blurred: enlarged to a crop, a small one is blurred as well."""
        return np.asarray(self.sharpness < BLURRED)


def write(wild: WildSet, folder: Path) -> None:
    """Write one of the sets. Raises OSError."""
    crops.write(wild.crops, folder)
    with (folder / TRAITS).open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(COLUMNS)
        rows = zip(wild.crops.files, wild.sources, wild.turn, wild.sharpness, wild.age, strict=True)
        for file, source, *numbers in rows:
            out.writerow([file, source, *("" if math.isnan(n) else f"{n:.4g}" for n in numbers)])


def read(folder: Path) -> WildSet:
    """Open one of the sets.

    Raises:
        DataError: there is none, or what is there is damaged.
    """
    if not (folder / TRAITS).is_file():
        raise DataError(f"{folder}: no set of wild faces here; build it with: recog data wild")
    kept = crops.read(folder)
    try:
        with (folder / TRAITS).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        numbers = np.array([[float(row[name] or "nan") for name in COLUMNS[2:]] for row in rows], np.float32)
        sources = tuple(row["source"] for row in rows)
        files = tuple(row["file"] for row in rows)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"{folder / TRAITS}: damaged ({error}); build it again: recog data wild") from error
    if files != kept.files:
        raise DataError(f"{folder}: {TRAITS} and faces.json do not fit; build it again: recog data wild")
    turn, sharpness, age = numbers.T
    return WildSet(kept, sources, turn, sharpness, age)


def description(folder: Path) -> dict[str, Any]:
    """How the sets of a folder were built.

    Raises:
        DataError: there are none, or they are not whole.
    """
    try:
        described = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no wild sets here; build them with: recog data wild") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / DESCRIBED}: damaged; build the sets again: recog data wild") from error
    if not isinstance(described, dict) or "held out" not in described:
        raise DataError(f"{folder / DESCRIBED}: damaged; build the sets again: recog data wild")
    return described


def fingerprint(folder: Path) -> str:
    """Stands for everybody in the sets of a folder.

    Raises:
        DataError: a set is missing.
    """
    digest = hashlib.sha256()
    for part in PARTS:
        try:
            digest.update((folder / part / "faces.json").read_bytes())
        except OSError as error:
            raise DataError(f"{folder / part}: missing; build the sets again: recog data wild") from error
    return digest.hexdigest()
