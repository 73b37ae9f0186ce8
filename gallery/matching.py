"""From the nearest templates to the nearest people.

A person's distance is the least over their templates. FAISS ranks templates, so the search widens until
enough different people have turned up: in a ranking, the first template of a person is their nearest one.
"""

from __future__ import annotations

import numpy as np

from gallery.large import Keeper, LargeIndex
from gallery.live import NOTHING, Difference
from gallery.types import Floats, Ints, Matches

_WIDEN = 4


def first_of_each(owners: Ints, most: int) -> Ints:
    """The positions (p <= most,) int64 in `owners` (k,) int64 where a person turns up first, ascending."""
    _, first = np.unique(owners, return_index=True)
    return np.sort(first)[:most].astype(np.int64)


class Matcher:
    """Templates and the people they belong to, in memory, ready to be searched. Not safe between threads.

    Attributes:
        held: what is in it.
    """

    def __init__(self, dimension: int, keeper: Keeper | None = None) -> None:
        self._index = LargeIndex(dimension, keeper)
        self.held = NOTHING

    def apply(self, change: Difference) -> None:
        """Take in how the file differs from this index."""
        if len(change.removed):
            self._index.remove(change.removed)
        for templates, _, embeddings in change.added:
            self._index.add(templates, embeddings)
        self.held = change.held

    def search(self, probes: Floats, people: int) -> Matches:
        """The `people` nearest people of each of `probes` (m, d) float32.

        Exactly up to `large.LARGE` templates; beyond, once in a while a nearest one is missed.

        Raises ValueError for probes that are misshapen or not finite, and for `people` below 1.
        """
        if people < 1:
            raise ValueError(f"people is at least 1, not {people}")
        if probes.ndim != 2 or probes.shape[1] != self._index.dimension or not np.isfinite(probes).all():
            raise ValueError(f"probes are (m, {self._index.dimension}) and finite, not {probes.shape}")
        total, wanted = len(self._index), min(people, self.held.people)
        distances = np.full((len(probes), people), np.inf, np.float32)
        if not total or not len(probes):
            return Matches(((),) * len(probes), distances, total, self.held.people)
        # The first breadth suits a gallery where everybody has about as many templates as the next one.
        breadth = min(total, wanted * -(-total // self.held.people))
        near, owners = self._ranked(probes, breadth)
        names = []
        for row in range(len(probes)):
            found, width = (near[row], owners[row]), breadth
            first = first_of_each(found[1], wanted)
            while len(first) < wanted and width < total:
                width = min(total, width * _WIDEN)
                wider_near, wider_owners = self._ranked(probes[row : row + 1], width)
                found = wider_near[0], wider_owners[0]
                first = first_of_each(found[1], wanted)
            distances[row, : len(first)] = found[0][first]
            names.append(tuple(self.held.names[int(person)] for person in found[1][first]))
        return Matches(tuple(names), distances, total, self.held.people)

    def _ranked(self, probes: Floats, k: int) -> tuple[Floats, Ints]:
        """Distances (m, k) and owners (m, k) of the k <= total nearest templates, best first."""
        distances, templates = self._index.search(probes, k)
        return distances, self.held.owners[np.searchsorted(self.held.templates, templates)]
