"""What the network learns from: crops, people where known, and what teachers think of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from siamese.crops import CropSet
from siamese.training.teacher import Floats

# Mean cosine over the teachers from which a face without a name may be somebody who is held out. Of 10,000
# faces, 4 % have a held-out face as near as this, 0.7 % one as near as 0.45: it leaves out more than it must.
RESEMBLES = 0.40


Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Crops(Protocol):
    """Crops (n, 112, 112, 3) BGR, of which rows can be had: an array, or several mapped from files."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Ints, /) -> Bytes: ...


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows of several crop sets one after the other, left in their files until they are asked for."""

    parts: tuple[tuple[Bytes, Ints], ...]  # all crops of a set, and which of them

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.parts)

    def __getitem__(self, rows: Ints) -> Bytes:
        wanted = np.asarray(rows)
        found, first = np.empty((len(wanted), *self.parts[0][0].shape[1:]), np.uint8), 0
        for images, own in self.parts:
            here = np.flatnonzero((wanted >= first) & (wanted < first + len(own)))
            found[here] = images[own[wanted[here] - first]]
            first += len(own)
        return found


@dataclass(frozen=True, slots=True)
class Faces:
    """What is learned from. Row i of each field is one face."""

    images: Crops
    labels: npt.NDArray[np.int64]  # (n,) -1 where the person is not known
    targets: list[npt.NDArray[np.float32]] = field(default_factory=list)  # per teacher (n, d_t), unit rows
    weights: tuple[float, ...] = ()  # of the teachers; none: all the same


def assemble(
    lfw: CropSet,
    fit: list[str],
    extra: CropSet | None,
    taught: list[tuple[Floats, Floats | None]],
    weights: tuple[float, ...] = (),
) -> tuple[Faces, int]:
    """The training faces: the images of the `fit` people of LFW, and extra faces without names.

    Extra faces may show people who are held out for validation or test. Those that teachers find to resemble
    any held-out image are left out, so that "never saw these people" stays true.

    Args:
        taught: for each teacher its embeddings of all of `lfw`, (n, d_t), and of `extra`,
            (m, d_t), unit rows.
        weights: how much each teacher counts.

    Returns:
        The faces, and how many extra ones were left out.
    """
    wanted = set(fit)
    inside = np.array([person in wanted for person in lfw.people], np.bool_)
    own = np.flatnonzero(inside)
    numbers = {person: number for number, person in enumerate(sorted(wanted & set(lfw.people)))}
    labels = np.array([numbers[lfw.people[row]] for row in own], np.int64)
    if extra is None:
        return Faces(Joined(((lfw.images, own),)), labels, [ours[own] for ours, _ in taught], weights), 0
    alike = np.full(len(extra), -1.0, np.float32)
    sides = [(ours, more) for ours, more in taught if more is not None]
    if sides and not inside.all():
        for start in range(0, len(extra), 1024):  # not the whole matrix at once
            rows = slice(start, start + 1024)
            cosines = [more[rows] @ ours[~inside].T for ours, more in sides]
            alike[rows] = np.mean(cosines, axis=0).max(axis=1)
    keep = np.flatnonzero(alike < RESEMBLES)
    images = Joined(((lfw.images, own), (extra.images, keep)))
    labels = np.concatenate([labels, np.full(len(keep), -1, np.int64)])
    targets = [np.concatenate([ours[own], more[keep]]) for ours, more in sides]
    return Faces(images, labels, targets, weights), len(extra) - len(keep)
