"""From the nearest templates to the nearest people.

FAISS ranks templates, so the search widens until enough different people have turned up: in a ranking, the
first template of a person is their nearest one. A person is as near as that one or, where people are to be
recognised, as all their templates pooled.
"""

from __future__ import annotations

import numpy as np

from gallery.large import Index, LargeIndex
from gallery.live import NOTHING, Difference
from gallery.pooled import pool
from gallery.types import Floats, Ints, Matches

_WIDEN = 4
_SPARE = 5  # people beyond those wanted who are ranked again with them, once their templates are pooled


def first_of_each(owners: Ints, most: int) -> Ints:
    """The positions (p <= most,) int64 in `owners` (k,) int64 where a person turns up first, ascending."""
    _, first = np.unique(owners, return_index=True)
    return np.sort(first)[:most].astype(np.int64)


class Matcher:
    """Templates and the people they belong to, in memory, ready to be searched. Not safe between threads.

    Attributes:
        held: what is in it.
    """

    def __init__(self, dimension: int, index: Index | None = None) -> None:
        """`index`: what to search, empty yet; by default one in memory."""
        self._index = LargeIndex(dimension) if index is None else index
        self._pooled: dict[int, Floats] = {}  # by person; only of people it was asked for
        self.held = NOTHING
        self._by_owner = self._owners = NOTHING.owners

    @property
    def remote(self) -> bool:
        """As `Index.remote`."""
        return self._index.remote

    def apply(self, change: Difference) -> None:
        """Take in how the file differs from this index."""
        if len(change.removed):
            self._index.remove(change.removed)
        for templates, _, embeddings in change.added:
            self._index.add(templates, embeddings)
        self.held = held = change.held
        self._by_owner = np.argsort(held.owners, kind="stable") if held.by_owner is None else held.by_owner
        self._owners = held.owners[self._by_owner]
        self._pooled = {}

    def search(self, probes: Floats, people: int, pooled: bool = False) -> Matches:
        """The `people` nearest people of each of `probes` (m, d) float32.

        Exactly up to `large.LARGE` templates; beyond, once in a while a nearest one is missed. While a server
        does not answer, of those in memory (`Matches.whole`).

        Args:
            pooled: distances are to everybody's templates pooled. Those are ranked who have the nearest
                templates, and some more.

        Raises ValueError for probes that are misshapen or not finite, and for `people` below 1.
        """
        if people < 1:
            raise ValueError(f"people is at least 1, not {people}")
        if probes.ndim != 2 or probes.shape[1] != self._index.dimension or not np.isfinite(probes).all():
            raise ValueError(f"probes are (m, {self._index.dimension}) and finite, not {probes.shape}")
        total, wanted = len(self._index), min(people, self.held.people)
        unasked = self._index.unasked
        # A single template, pooled, is itself; but what was asked of a server once is known from then on.
        pooled = pooled and (self.held.people < total or self._index.remote)
        if pooled:
            wanted = min(wanted + _SPARE, self.held.people)
        distances = np.full((len(probes), people), np.inf, np.float32)
        if not total or not len(probes):
            return Matches(((),) * len(probes), distances, total, self.held.people)
        # The first breadth suits a gallery where everybody has about as many templates as the next one.
        breadth = min(total, wanted * -(-total // self.held.people))
        ranked = self._ranked(probes, breadth)
        names = []
        denied = np.full((len(probes), people), np.inf, np.float32) if len(self.held.denied.people) else None
        for row in range(len(probes)):
            found, width = ranked[row], breadth
            first = first_of_each(found[1], wanted)
            while len(first) < wanted and width < total:
                width = min(total, width * _WIDEN)
                wider = self._ranked(probes[row : row + 1], width)[0]
                if len(wider[1]) <= len(found[1]):  # a server does not look any further
                    break
                found = wider
                first = first_of_each(found[1], wanted)
            near_by, persons = found[0][first], found[1][first]
            if pooled:
                near_by = np.abs(self._people(persons) - probes[row]).sum(axis=1)
                order = np.argsort(near_by, kind="stable")[:people]
                order = order[np.isfinite(near_by[order])]
                near_by, persons = near_by[order], persons[order]
            distances[row, : len(persons)] = near_by
            if denied is not None:
                denied[row, : len(persons)] = self._denied(probes[row], persons)
            names.append(tuple(self.held.names[int(person)] for person in persons))
        whole = self._index.unasked == unasked
        return Matches(tuple(names), distances, total, self.held.people, denied, whole)

    def _denied(self, probe: Floats, persons: Ints) -> Floats:
        """The distance (p,) of a probe (d,) to the nearest face that is not of each person; inf without."""
        found, denied = np.full(len(persons), np.inf, np.float32), self.held.denied
        first, last = np.searchsorted(denied.people, [persons, persons + 1])
        for place in np.flatnonzero(last > first):
            faces = denied.faces[first[place] : last[place]]
            found[place] = np.abs(faces - probe).sum(axis=1).min()
        return found

    def _people(self, persons: Ints) -> Floats:
        """The templates of each of `persons` (p,) as one, (p, d); inf where a server has none now."""
        theirs: dict[int, Ints] = {}
        for person in persons.tolist():
            if person not in self._pooled:
                first, last = np.searchsorted(self._owners, [person, person + 1])
                theirs[person] = self.held.templates[self._by_owner[first:last]]
        if theirs and self._index.remote:  # asked for at once; below they are in memory
            self._index.embeddings(np.sort(np.concatenate(list(theirs.values()))))
        partly: dict[int, Floats] = {}
        for person, templates in theirs.items():
            found = self._index.embeddings(templates)
            if len(found) == len(templates):
                self._pooled[person] = pool(found)
            else:  # of none `pool` makes zeros, which are near to everybody
                missing = np.full(self._index.dimension, np.inf, np.float32)
                partly[person] = pool(found) if len(found) else missing
        return np.stack([(partly if each in partly else self._pooled)[each] for each in persons.tolist()])

    def _ranked(self, probes: Floats, k: int) -> list[tuple[Floats, Ints]]:
        """For each probe the distances (n,) and owners (n,) of the n <= k nearest templates, best first."""
        distances, templates = self._index.search(probes, k)
        places = np.minimum(np.searchsorted(self.held.templates, templates), len(self.held.templates) - 1)
        # A server may know of templates that are not held yet, and lack some that still are.
        held = self.held.templates[places] == templates
        return [
            (distances[row][held[row]], self.held.owners[places[row][held[row]]])
            for row in range(len(probes))
        ]
