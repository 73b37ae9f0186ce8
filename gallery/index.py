"""The adapter of FAISS, and the only file that names it.

FAISS is imported when an index is made, not when this file is: it takes a good part of a second, and most
commands never search.
"""

from __future__ import annotations

import numpy as np

from gallery.types import Floats, Ints


class ExactIndex:
    """Exact nearest neighbours by L1 distance: a flat scan, no training, nothing approximate."""

    def __init__(self, dimension: int) -> None:
        import faiss

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

    def _checked(self, embeddings: Floats) -> Floats:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dimension:
            raise ValueError(f"embeddings are (n, {self.dimension}), not {embeddings.shape}")
        return np.ascontiguousarray(embeddings, np.float32)
