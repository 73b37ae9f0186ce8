"""Searching a gallery on a server: small ones in memory, large ones by the server's index.

The index of pgvector suggests who may be near; how near they are is computed here, by the same arithmetic as
with a file. While the server is not heard of, a run is answered from those whom it found lately, and told
that this is a part of the gallery: who is not in it may be enrolled all the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gallery.errors import BusyError, UnusableError
from gallery.index import ExactIndex
from gallery.large import LARGE
from gallery.server.store import MOST, ServerStore
from gallery.types import Floats, Ints

SHORTLIST = 64  # candidates whose exact distance is computed, at least
_SPARE = 2  # candidates for each neighbour asked for


class ServerIndex:
    """As `LargeIndex`; of a large gallery, only those are in memory who were found lately."""

    def __init__(self, made_with: tuple[str, int], store: Callable[[], ServerStore], live: bool) -> None:
        """
        Args:
            made_with: fingerprint and dimension of what is searched.
            store: what is open now.
            live: answer from memory when the server does not, or not now, and count that; else that is an
                error.
        """
        self._made_with, self.dimension = made_with, made_with[1]
        self._store, self._live = store, live
        self.unasked = 0
        self._count = 0
        self._memory = ExactIndex(self.dimension)
        self._known: Ints = np.zeros(0, np.int64)  # what is in memory, ascending

    def __len__(self) -> int:
        return self._count

    @property
    def remote(self) -> bool:
        """Whether the server has some that are not in memory."""
        return len(self._memory) < self._count

    def add(self, ids: Ints, embeddings: Floats | None) -> None:
        """Add (n,) ids with embeddings (n, d), or None for those that stay on the server."""
        self._count += len(ids)
        if embeddings is not None:
            self._remember(ids, embeddings)

    def remove(self, ids: Ints) -> None:
        """Forget (n,) ids, all of which were added."""
        self._count -= len(ids)
        self._memory.remove(ids)
        self._known = np.setdiff1d(self._known, ids)

    def embeddings(self, ids: Ints) -> Floats:
        """As `ExactIndex.embeddings`, of ascending ids; while the server is not heard of, of those known."""
        known = self._has(ids)
        if known.all():
            return self._memory.embeddings(ids)
        parts = [(ids[known], self._memory.embeddings(ids[known]))] if known.any() else []
        try:
            parts.append(self._store().under(ids[~known], self._made_with))
        except UnusableError as error:
            self._go_without(error)
        # Others may have removed some in this moment.
        found = np.concatenate([ids[:0], *(part for part, _ in parts)])
        rows = np.concatenate([np.zeros((0, self.dimension), np.float32), *(rows for _, rows in parts)])
        order = np.argsort(found)
        self._remember(found[order], rows[order])  # a person wholly, even where room was made for them
        return rows[order]

    def search(self, embeddings: Floats, k: int) -> tuple[Floats, Ints]:
        """As `ExactIndex.search`; ids are those of the k nearest, save for what the server's index lacks.

        Of those in memory where the server has none: another model took the gallery over this moment.

        Raises:
            UnusableError: the server could not be asked, and this is not `live`.
        """
        if not self.remote:
            return self._memory.search(embeddings, k)
        try:
            wanted = min(MOST, max(SHORTLIST, _SPARE * k))
            candidates = self._store().nearest(embeddings, wanted, self._made_with)
            if not all(len(found) for found, _ in candidates):
                raise BusyError("another program is changing the gallery; try again in a moment")
        except UnusableError as error:
            self._go_without(error)
            return self._memory.search(embeddings, k)
        distances = np.full((len(embeddings), k), np.inf, np.float32)
        ids = np.full((len(embeddings), k), -1, np.int64)
        for row, (found, theirs) in enumerate(candidates):
            exact = np.abs(theirs - embeddings[row]).sum(axis=1)
            order = np.argsort(exact, kind="stable")[:k]
            distances[row, : len(order)], ids[row, : len(order)] = exact[order], found[order]
        return distances, ids

    def _go_without(self, error: UnusableError) -> None:
        """Make do with what is in memory, if this is live."""
        if not self._live:
            raise error
        self.unasked += 1

    def _has(self, ids: Ints) -> npt.NDArray[np.bool_]:
        """Which of ids (n,) are in memory. Costs microseconds, however many are."""
        if not len(self._known):
            return np.zeros(len(ids), np.bool_)
        places = np.minimum(np.searchsorted(self._known, ids), len(self._known) - 1)
        return np.asarray(self._known[places] == ids)

    def _remember(self, ids: Ints, embeddings: Floats) -> None:
        if len(self._memory) + len(ids) > max(LARGE, len(ids)) and self.remote:
            self._memory, self._known = ExactIndex(self.dimension), self._known[:0]
        new = ~self._has(ids)
        if new.any():
            self._memory.add(ids[new], embeddings[new])
            self._known = np.union1d(self._known, ids[new])
