"""From the nearest templates to the nearest people.

A person's distance is the least over their templates. FAISS ranks templates, so the search widens until
enough different people have turned up: in a ranking, the first template of a person is their nearest one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gallery.index import ExactIndex
from gallery.types import Floats, Ints, Matches

_WIDEN = 4


def first_of_each(owners: Ints, most: int) -> Ints:
    """The positions (p <= most,) int64 in `owners` (k,) int64 where a person turns up first, ascending."""
    _, first = np.unique(owners, return_index=True)
    return np.sort(first)[:most].astype(np.int64)


class Matcher:
    """Templates and the people they belong to, in memory, ready to be searched. Not safe between threads."""

    def __init__(self, dimension: int) -> None:
        self._index = ExactIndex(dimension)
        self._names: dict[int, str] = {}  # by person
        self._templates: Ints = np.zeros(0, np.int64)  # ascending, so that owners are found by bisection
        self._owners: Ints = np.zeros(0, np.int64)  # person of each template, same order

    def add(self, templates: Ints, owners: Ints, embeddings: Floats, names: Mapping[int, str]) -> None:
        """Add templates (n,) int64 of owners (n,) int64 with embeddings (n, d) float32.

        Template ids ascend, within the call and from call to call. `names` maps every new owner to a name.
        """
        self._index.add(templates, embeddings)
        self._templates = np.append(self._templates, templates)
        self._owners = np.append(self._owners, owners)
        self._names.update(names)

    def remove(self, person: int) -> None:
        """Forget a person and their templates; one who is not there is no error."""
        theirs = self._owners == person
        self._index.remove(self._templates[theirs])
        self._templates, self._owners = self._templates[~theirs], self._owners[~theirs]
        self._names.pop(person, None)

    def search(self, probes: Floats, people: int) -> Matches:
        """The `people` nearest people of each of `probes` (m, d) float32, exactly.

        Raises ValueError for probes that are misshapen or not finite, and for `people` below 1.
        """
        if people < 1:
            raise ValueError(f"people is at least 1, not {people}")
        if probes.ndim != 2 or probes.shape[1] != self._index.dimension or not np.isfinite(probes).all():
            raise ValueError(f"probes are (m, {self._index.dimension}) and finite, not {probes.shape}")
        total, wanted = len(self._index), min(people, len(self._names))
        distances = np.full((len(probes), people), np.inf, np.float32)
        if not total or not len(probes):
            return Matches(((),) * len(probes), distances, total, len(self._names))
        # The first breadth suits a gallery where everybody has about as many templates as the next one.
        breadth = min(total, wanted * -(-total // len(self._names)))
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
            names.append(tuple(self._names[int(person)] for person in found[1][first]))
        return Matches(tuple(names), distances, total, len(self._names))

    def _ranked(self, probes: Floats, k: int) -> tuple[Floats, Ints]:
        """Distances (m, k) and owners (m, k) of the k <= total nearest templates, best first."""
        distances, templates = self._index.search(probes, k)
        return distances, self._owners[np.searchsorted(self._templates, templates)]
