"""Which faces are shown together: pairs as in the original, or people times images.

Everything is a function of (seed, epoch) alone, so that a resumed training sees what an uninterrupted one
sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from siamese.training.faces import Crops

Ints = npt.NDArray[np.int64]


class Pairs(Protocol):
    """Pairs of faces, to be drawn by their number."""

    def __len__(self) -> int: ...

    def draw(self, index: int) -> tuple[int, int, float]:
        """The rows of pair `index`, and 1.0 if they show one person, else 0.0; there is no last one."""
        ...


class ListedPairs:
    """Pairs as somebody listed them, every one of them once in each round, in an order that changes."""

    def __init__(self, rows: Ints, same: npt.NDArray[np.bool_], seed: int) -> None:
        """
        Args:
            rows: (n, 2) of the faces.
            same: (n,) whether a pair shows one person.
        """
        if not same.any() or same.all():
            raise ValueError("training needs pairs of one person and pairs of two")
        self.rows, self.same, self.seed = rows, same, seed
        self._round, self._order = -1, np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def draw(self, index: int) -> tuple[int, int, float]:
        """The rows of pair `index` and whether they show one person."""
        number, place = divmod(index, len(self))
        if number != self._round:
            self._round = number
            self._order = np.random.default_rng((self.seed, number)).permutation(len(self))
        row = self._order[place]
        return int(self.rows[row, 0]), int(self.rows[row, 1]), float(self.same[row])


class FacePairs(Dataset[tuple[torch.Tensor, torch.Tensor, float]]):
    """Pairs of faces, every other one of the same person: item i is (anchor, other, 1.0 if same else 0.0).

    Crops come as uint8 tensors (112, 112, 3) BGR. Which faces make pair i follows from (seed, i).
    """

    def __init__(self, images: Crops, labels: Ints, length: int, seed: int) -> None:
        """
        Args:
            images: (n, 112, 112, 3) BGR.
            labels: (n,) the person in each row; rows with -1 (unknown) are not used.
            length: how many pairs there shall be.
        """
        self.images, self.length, self.seed = images, length, seed
        known = np.flatnonzero(labels >= 0)
        people, counts = np.unique(labels[known], return_counts=True)
        if not (counts >= 2).any() or len(people) < 2:
            raise ValueError("pairs need two people, and one of them with two images")
        self.rows = {int(person): np.flatnonzero(labels == person) for person in people}
        self.people = people
        self.several = people[counts >= 2]

    def __len__(self) -> int:
        return self.length

    def draw(self, index: int) -> tuple[int, int, float]:
        """The rows of pair `index` and whether they show one person."""
        random = np.random.default_rng((self.seed, index))
        if index % 2 == 0:
            person = int(random.choice(self.several))
            anchor, other = random.choice(self.rows[person], 2, replace=False)
            return int(anchor), int(other), 1.0
        first, second = random.choice(self.people, 2, replace=False)
        return int(random.choice(self.rows[int(first)])), int(random.choice(self.rows[int(second)])), 0.0

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, float]:
        if not 0 <= index < self.length:
            raise IndexError(index)
        anchor, other, same = self.draw(index)
        both = torch.from_numpy(self.images[np.array([anchor, other])])
        return both[0], both[1], same


def pair_batches(pairs: Pairs, batch: int, epoch: int) -> Iterator[Ints]:
    """Rows (batch,) of each step of an epoch: anchor and other of batch / 2 pairs by turns.

    Rows 2i and 2i + 1 are a pair.
    """
    each = batch // 2
    steps = len(pairs) // each
    for step in range(steps):
        first = (epoch * steps + step) * each
        yield np.array([row for i in range(each) for row in pairs.draw(first + i)[:2]], np.int64)


def people_batches(labels: Ints, batch: int, seed: int, epoch: int) -> Iterator[Ints]:
    """Rows (batch,) of each step of an epoch: half of them in shuffled order, each with a partner.

    The partner is another image of the same person where there is one, else any image. Over an epoch every
    image is shown about once.
    """
    random = np.random.default_rng((seed, epoch))
    others: dict[int, Ints] = {}
    for person in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == person)
        if len(rows) > 1:
            others[int(person)] = rows
    order = random.permutation(len(labels))
    half = batch // 2
    for start in range(0, max(1, len(order) // batch) * half, half):
        anchors = order[start : start + half]
        partners = []
        for anchor in anchors:
            candidates = others.get(int(labels[anchor]))
            choice = int(anchor)
            while choice == anchor:
                choice = int(
                    random.integers(len(labels)) if candidates is None else random.choice(candidates)
                )
            partners.append(choice)
        yield np.concatenate([anchors, np.array(partners, np.int64)])
