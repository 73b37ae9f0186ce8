"""A set of aligned face crops on disk: what the network is trained and evaluated on.

A folder with `images.npy`, (n, 112, 112, 3) uint8 BGR, which is memory-mapped, and `faces.json`, which names
each row's file and person and says whether a face was found or the centre of the picture was taken instead.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siamese.errors import DataError
from siamese.growing import GrowingRows

FORMAT = 1


@dataclass(frozen=True, slots=True)
class CropSet:
    """Aligned crops with their people; row i of each field is one face."""

    images: npt.NDArray[np.uint8]  # (n, 112, 112, 3) BGR
    files: tuple[str, ...]  # as in the protocol files: NAME/NAME_0001.jpg
    people: tuple[str, ...]  # "" where the person is not known
    found: npt.NDArray[np.bool_]  # (n,) False where no face was detected and the centre crop stands in
    alignment: str  # version of the alignment and fingerprint of the detector

    def __len__(self) -> int:
        return len(self.files)

    def of_people(self, people: Sequence[str] | set[str]) -> CropSet:
        """The rows of these people, in order."""
        wanted = set(people)
        rows = np.array([row for row, person in enumerate(self.people) if person in wanted], np.int64)
        return self.rows(rows)

    def at_most(self, count: int) -> CropSet:
        """The first `count` rows of each person, in order: nobody with many pictures outweighs others.

        Faces without a name are all kept: whether two of them are of one person is not known.
        """
        seen: Counter[str] = Counter()
        kept = []
        for row, person in enumerate(self.people):
            seen[person] += 1
            if not person or seen[person] <= count:
                kept.append(row)
        return self.rows(np.array(kept, np.int64))

    def rows(self, rows: npt.NDArray[np.int64]) -> CropSet:
        """The given rows, in the order given. Copies the images into memory."""
        return CropSet(
            np.ascontiguousarray(self.images[rows]),
            tuple(self.files[row] for row in rows),
            tuple(self.people[row] for row in rows),
            self.found[rows],
            self.alignment,
        )

    def labels(self) -> npt.NDArray[np.int64]:
        """A number for each person (n,); -1 where the person is not known."""
        numbers = {person: number for number, person in enumerate(sorted(set(self.people) - {""}))}
        return np.array([numbers.get(person, -1) for person in self.people], np.int64)


class GrowingCrops:
    """A crop set that is written a few faces at a time; interrupted, it goes on with the next face.

    What was in the folder before stays until the new set is whole.
    """

    def __init__(
        self, folder: Path, files: Sequence[str], people: Sequence[str], alignment: str, size: int = 112
    ) -> None:
        """
        Args:
            folder: exists; parts of other sets in it are removed.

        Raises:
            OSError: it cannot be written into.
        """
        self.folder, self.files, self.people, self.alignment = folder, files, people, alignment
        # Parts of a set go on only with the very same files, aligned in the same way.
        described = json.dumps([FORMAT, alignment, list(files), list(people)])
        name = hashlib.sha256(described.encode()).hexdigest()[:16]
        for stale in folder.glob("*.npy.part"):
            if not stale.name.startswith(name):
                stale.unlink()
        self._images = GrowingRows(folder / f"{name}-images.npy", len(files), (size, size, 3), np.uint8)
        self._found = GrowingRows(folder / f"{name}-found.npy", len(files), (), np.bool_)
        self.done = min(self._images.done, self._found.done)
        self._images.keep(self.done)
        self._found.keep(self.done)

    def append(self, images: npt.NDArray[np.uint8], found: npt.NDArray[np.bool_]) -> None:
        """Write the next crops (m, 112, 112, 3) and whether a face was found in each. Raises OSError."""
        self._images.append(images)
        self._found.append(found)
        self.done += len(found)

    def finish(self) -> None:
        """Put the set in place; the description comes last, so that half of it is never taken for whole."""
        self._images.finish()
        self._found.finish()
        found = np.load(self._found.path)
        (self.folder / "faces.json").unlink(missing_ok=True)
        os.replace(self._images.path, self.folder / "images.npy")
        _describe(self.folder, self.files, self.people, found, self.alignment)
        self._found.path.unlink()

    def close(self) -> None:
        """Leave what there is for next time."""
        self._images.close()
        self._found.close()


def write(crops: CropSet, folder: Path) -> None:
    """Write a crop set; the description comes last, so that an interrupted write is never taken for whole.

    Whoever has the set open goes on with what was there before: to cut off a file that is mapped into memory
    would end that program with a bus error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faces.json").unlink(missing_ok=True)
    new = folder / ".images.npy"
    try:
        np.save(new, crops.images)
        os.replace(new, folder / "images.npy")
    finally:
        new.unlink(missing_ok=True)  # a full disk is not left fuller
    _describe(folder, crops.files, crops.people, crops.found, crops.alignment)


def _describe(
    folder: Path,
    files: Sequence[str],
    people: Sequence[str],
    found: npt.NDArray[np.bool_],
    alignment: str,
) -> None:
    faces = [[file, person, bool(was)] for file, person, was in zip(files, people, found, strict=True)]
    described = {"format": FORMAT, "alignment": alignment, "faces": faces}
    (folder / "faces.json").write_text(json.dumps(described))


def read(folder: Path) -> CropSet:
    """Open a crop set.

    Raises:
        DataError: the folder holds none, or the two files do not fit each other.
    """
    try:
        described = json.loads((folder / "faces.json").read_text())
        images = np.load(folder / "images.npy", mmap_mode="r")
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no aligned faces here; make them with: recog data align") from error
    except (EOFError, ValueError, OSError) as error:  # an empty file ends before it begins
        raise DataError(f"{folder}: damaged ({error}); make it again with: recog data align") from error
    known = isinstance(described, dict) and described.get("format") == FORMAT
    faces = described["faces"] if known else []
    if not known or images.shape != (len(faces), 112, 112, 3):
        raise DataError(f"{folder}: images.npy and faces.json do not fit; make them again: recog data align")
    return CropSet(
        images,
        tuple(face[0] for face in faces),
        tuple(face[1] for face in faces),
        np.array([face[2] for face in faces], np.bool_),
        described["alignment"],
    )
