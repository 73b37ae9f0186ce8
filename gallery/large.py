"""Searching more templates than a flat scan does in time: a shortlist, ranked by exact distance.

Which index, and how much of it is looked at, was chosen by measurement: benchmarks/gallery_scale.py.
"""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np

from gallery.index import ExactIndex, InvertedFile
from gallery.types import Floats, Ints

LARGE = 100_000  # templates from which there is a shortlist; a flat scan of so many takes a few milliseconds
MOST = 1024  # neighbours up to which a shortlist serves; ten people with a hundred photos each need so many
STALE = 0.1  # share of templates that came or went, from which a kept shortlist is built again
SHORTLIST = 256  # candidates whose exact distance is computed, at least
_SPARE = 4  # candidates for each neighbour asked for


class Index(Protocol):
    """What a `Matcher` searches: `LargeIndex`, or a server's."""

    dimension: int
    unasked: int  # how often what is elsewhere could not be asked, and what is here had to do

    def __len__(self) -> int: ...

    @property
    def remote(self) -> bool:
        """Whether some of it is elsewhere, and may not be heard of now and then."""
        ...

    def add(self, ids: Ints, embeddings: Floats | None) -> None:
        """Add ids (n,) with embeddings (n, d); None for such as stay where `Records.searched` left them."""
        ...

    def remove(self, ids: Ints) -> None:
        """Forget ids (n,) that were added."""
        ...

    def embeddings(self, ids: Ints) -> Floats:
        """The embeddings (n, d) under ids (n,)."""
        ...

    def search(self, embeddings: Floats, k: int) -> tuple[Floats, Ints]:
        """Distances (m, k) and ids (m, k) of the k nearest of each of `embeddings` (m, d), best first.

        Where fewer are found, the rest of a row is inf and -1. Some may be new or gone since what was added.
        """
        ...


class LargeIndex:
    """As `ExactIndex`; beyond `LARGE` templates the nearest are missed now and then, never misjudged.

    The shortlist is built by another thread, or taken from where an earlier one was kept; until it is ready,
    and for many neighbours, the scan is exact.
    """

    def __init__(self, dimension: int, keeper: Keeper | None = None) -> None:
        self.dimension, self.unasked = dimension, 0
        self._keeper = keeper
        self._exact = ExactIndex(dimension)
        self._shortlist: InvertedFile | None = None
        self._building: Building | None = None

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def remote(self) -> bool:
        """Never: all of it is in memory."""
        return False

    @property
    def approximate(self) -> bool:
        """Whether the shortlist is ready."""
        self._settle()
        return self._shortlist is not None

    def add(self, ids: Ints, embeddings: Floats | None) -> None:
        """As `ExactIndex.add`."""
        assert embeddings is not None  # a file leaves none elsewhere
        self._exact.add(ids, embeddings)
        self._settle()
        if self._shortlist is not None:
            self._shortlist.add(ids, embeddings)
        elif self._building is not None:
            self._building.missed.append((ids, embeddings))

    def remove(self, ids: Ints) -> None:
        """As `ExactIndex.remove`."""
        self._exact.remove(ids)
        self._settle()
        if self._shortlist is not None:
            self._shortlist.remove(ids)
        elif self._building is not None:
            self._building.missed.append((ids, None))

    def embeddings(self, ids: Ints) -> Floats:
        """As `ExactIndex.embeddings`."""
        return self._exact.embeddings(ids)

    def search(self, embeddings: Floats, k: int) -> tuple[Floats, Ints]:
        """As `ExactIndex.search`; ids are those of the k nearest, save for what the shortlist lacks."""
        self._settle()
        if self._building is None and self._shortlist is None and len(self) > LARGE:
            self._building = Building(*self._exact.everything(), self._keeper)
        if self._shortlist is None or k > MOST:
            return self._exact.search(embeddings, k)
        candidates = self._shortlist.search(embeddings, max(SHORTLIST, _SPARE * k))
        distances = np.full((len(embeddings), k), np.inf, np.float32)
        ids = np.full((len(embeddings), k), -1, np.int64)
        for row, probe in enumerate(embeddings):
            found = candidates[row][candidates[row] >= 0]
            if len(found) < k:  # so few in the parts that were looked at
                distances[row], ids[row] = (each[0] for each in self._exact.search(probe[None], k))
                continue
            exact = np.abs(self._exact.embeddings(found) - probe).sum(axis=1)
            order = np.argsort(exact, kind="stable")[:k]
            distances[row], ids[row] = exact[order], found[order]
        return distances, ids

    def _settle(self) -> None:
        """Take over what another thread has built, with what has come and gone since it began."""
        building = self._building
        if building is None or not building.done:
            return
        self._building = None
        self._shortlist = building.result()
        for ids, embeddings in building.missed:
            if embeddings is None:
                self._shortlist.remove(ids)
            else:
                self._shortlist.add(ids, embeddings)


class Keeper(Protocol):
    """Where a shortlist outlives the process."""

    def read(self) -> InvertedFile | None:
        """The one that was kept, if there is one and it is whole."""
        ...

    def write(self, made: InvertedFile) -> None:
        """Keep this one, if that can be done."""
        ...


class Building:
    """An inverted file in the making, in a thread of its own.

    One that was kept is brought up to date instead, if it differs little from what is there now.

    Attributes:
        missed: ids (n,) and embeddings (n, d), or None for removed, that came after it began, in order.
    """

    def __init__(self, ids: Ints, embeddings: Floats, keeper: Keeper | None = None) -> None:
        self._keeper = keeper
        self.missed: list[tuple[Ints, Floats | None]] = []
        self._made: InvertedFile | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(
            target=self._build, args=(ids, embeddings), name="gallery shortlist", daemon=True
        )
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return not self._thread.is_alive()

    def result(self) -> InvertedFile:
        """What was built, waiting for it; an error of the thread is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

    def _build(self, ids: Ints, embeddings: Floats) -> None:
        try:
            kept = None if self._keeper is None else self._keeper.read()
            if kept is None or not brought_up(kept, ids, embeddings):
                kept = InvertedFile(embeddings, ids)
                if self._keeper is not None:
                    self._keeper.write(kept)
            self._made = kept
        except Exception as error:  # handed to whoever asks for the result
            self._error = error


def brought_up(kept: InvertedFile, ids: Ints, embeddings: Floats) -> bool:
    """Add to a kept index what came since and take out what went; False where it had better be built again.

    Args:
        ids: all there are (t,), with `embeddings` (t, d).
    """
    held = kept.ids()
    gone, new = np.setdiff1d(held, ids), np.flatnonzero(~np.isin(ids, held))
    if len(gone) + len(new) > STALE * len(ids):
        return False
    # Of another gallery, it may well have the same ids: then it does not find its own embeddings again.
    sample = np.random.default_rng(0).choice(np.flatnonzero(np.isin(ids, held)), 50)
    found = kept.search(embeddings[sample], SHORTLIST)
    if (found == ids[sample, None]).any(axis=1).mean() < 0.9:
        return False
    if len(gone):
        kept.remove(gone)
    if len(new):
        kept.add(ids[new], embeddings[new])
    return True
