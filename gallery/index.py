"""The adapter of FAISS, and the only file that names it.

FAISS is imported when an index is made, not when this file is: it takes a good part of a second, and most
commands never search.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gallery.types import Floats, Ints

_CELLS = 4.0  # cells of an inverted file by the root of the number of embeddings: 4,000 for a million
_SAMPLE = 40  # embeddings a cell that the cells are trained on
_LOOKED_AT = 1 / 8  # share of the cells that are searched: recall@1 of 0.99 among a million


class ExactIndex:
    """Exact nearest neighbours by L1 distance: a flat scan, no training, nothing approximate."""

    def __init__(self, dimension: int) -> None:
        faiss = _faiss()
        self.dimension = dimension
        self._index = faiss.IndexIDMap2(faiss.IndexFlat(dimension, faiss.METRIC_L1))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Ints, embeddings: Floats) -> None:
        """Add `embeddings` (n, d) float32 under `ids` (n,) int64, which must be new to the index.

        Raises ValueError where the shapes do not fit together.
        """
        if ids.shape != (len(embeddings),):
            raise ValueError(f"{len(embeddings)} embeddings need as many ids, not {ids.shape}")
        self._index.add_with_ids(self._checked(embeddings), np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: Ints) -> None:
        """Forget the embeddings under `ids` (n,) int64; ids that are not there are no error."""
        import faiss

        self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))

    def search(self, embeddings: Floats, k: int) -> tuple[Floats, Ints]:
        """The k nearest of each of `embeddings` (m, d) float32, best first.

        Returns L1 distances (m, k) float32 and ids (m, k) int64; where fewer than k are
        stored, the rest of a row is inf and -1.

        Raises ValueError for embeddings of another shape and for k below 1.
        """
        if k < 1:
            raise ValueError(f"k is at least 1, not {k}")
        distances, ids = self._index.search(self._checked(embeddings), k)
        distances[ids < 0] = np.inf  # FAISS pads with the greatest float32, which passes for a distance
        return distances, ids

    def embeddings(self, ids: Ints) -> Floats:
        """The embeddings (n, d) under `ids` (n,) int64, which must be there."""
        found = self._index.reconstruct_batch(np.ascontiguousarray(ids, np.int64))
        return np.asarray(found, np.float32)

    def everything(self) -> tuple[Ints, Floats]:
        """A copy of all ids (t,) and embeddings (t, d)."""
        import faiss

        ids = faiss.vector_to_array(self._index.id_map).astype(np.int64)
        return ids, np.asarray(self._index.index.reconstruct_n(0, len(ids)), np.float32)

    def _checked(self, embeddings: Floats) -> Floats:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dimension:
            raise ValueError(f"embeddings are (n, {self.dimension}), not {embeddings.shape}")
        return np.ascontiguousarray(embeddings, np.float32)


class InvertedFile:
    """Suggests near embeddings without looking at all: those in the cells nearest to a probe.

    Cells are found and candidates ordered by Euclidean distance on embeddings of one byte a dimension, which
    is close enough to L1 for a shortlist.
    """

    def __init__(self, embeddings: Floats, ids: Ints) -> None:
        """Sort `embeddings` (n, d) float32 under `ids` (n,) int64 into cells; takes seconds to minutes."""
        faiss = _faiss()
        count, dimension = embeddings.shape
        cells = max(1, int(_CELLS * np.sqrt(count)))
        self._index = faiss.index_factory(dimension, f"IVF{cells},SQ8")
        chance = np.random.default_rng(0)
        sample = chance.choice(count, min(count, _SAMPLE * cells), replace=False)
        self._index.train(np.ascontiguousarray(embeddings[sample]))
        self._index.nprobe = max(1, round(cells * _LOOKED_AT))
        self.add(ids, embeddings)

    def add(self, ids: Ints, embeddings: Floats) -> None:
        """Add embeddings (n, d) under ids (n,)."""
        rows = np.ascontiguousarray(embeddings, np.float32)
        self._index.add_with_ids(rows, np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: Ints) -> None:
        """Forget ids (n,); those that are not there are no error."""
        import faiss

        self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))

    def search(self, embeddings: Floats, k: int) -> Ints:
        """Ids (m, k) int64 of candidates for each of `embeddings` (m, d), -1 where there are fewer."""
        return np.asarray(self._index.search(np.ascontiguousarray(embeddings, np.float32), k)[1], np.int64)


_threads = 0


def use_threads(count: int) -> None:
    """How many threads FAISS uses from now on in this process, 0 for its own choice; does not load it."""
    global _threads
    _threads = count


def _faiss() -> Any:
    import faiss

    faiss.omp_set_num_threads(_threads or faiss.omp_get_max_threads())
    return faiss
