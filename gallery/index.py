"""The adapter of FAISS, and the only file that names it.

FAISS is imported when an index is made, not when this file is: it takes a good part of a second, and most
commands never search.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from gallery.types import Floats, Ints

_CELLS = 4.0  # cells of an inverted file by the root of the number of embeddings: 4,000 for a million
_SAMPLE = 40  # embeddings a cell that the cells are trained on
_LOOKED_AT = 1 / 6  # share of the cells that are searched: recall@1 of 0.998 among a million
# Numbers that a search compares, up to which one thread does it alone, in about a millisecond. Others would
# have to be woken, wait for work by spinning, and are started for each thread that searches: measured on 2
# cores, 3 probes among 9 embeddings took 0.03 ms and now and then 19 ms with two threads, and 4 ms of CPU.
_ALONE = 1 << 22


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
        rows = self._checked(embeddings)
        _share(len(rows) * len(self) * self.dimension)
        distances, ids = self._index.search(rows, k)
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
        self._mapped: Any = None  # read-only, if anything
        self._gone: Ints = np.zeros(0, np.int64)  # ids in it that were removed
        self._index = faiss.index_factory(dimension, f"IVF{cells},SQ8")
        chance = np.random.default_rng(0)
        sample = chance.choice(count, min(count, _SAMPLE * cells), replace=False)
        self._index.train(np.ascontiguousarray(embeddings[sample]))
        self._index.nprobe = max(1, round(cells * _LOOKED_AT))
        self.add(ids, embeddings)

    @classmethod
    def mapped(cls, path: Path) -> Self:
        """What `write` wrote, mapped into memory and so shared by all who do: only what is searched is read.

        The file must not change. What comes and goes afterwards is kept beside it.
        Raises ValueError for what FAISS did not write.
        """
        faiss = _faiss()
        made = cls.__new__(cls)
        try:
            made._mapped = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise ValueError(f"{path} is no index") from error
        _lists(made._mapped).prefetch_nthread = 0  # reading ahead would start 32 threads for every search
        made._index = faiss.IndexIVFScalarQuantizer(
            made._mapped.quantizer,
            made._mapped.d,
            made._mapped.nlist,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_L2,
        )
        made._index.own_fields = False  # the cells are the other's
        made._index.sq, made._index.by_residual = made._mapped.sq, made._mapped.by_residual
        made._index.is_trained, made._index.nprobe = True, made._mapped.nprobe
        made._gone = np.zeros(0, np.int64)
        return made

    def write(self, path: Path) -> None:
        """Write what was built or added to a file, in FAISS's format; not what is mapped."""
        import faiss

        faiss.write_index(self._index, str(path))

    def ids(self) -> Ints:
        """All ids (n,), in no order."""
        parts = [_ids(self._index)]
        if self._mapped is not None:
            stored = _ids(self._mapped)
            parts.append(stored[~np.isin(stored, self._gone)])
        return np.concatenate(parts)

    def add(self, ids: Ints, embeddings: Floats) -> None:
        """Add embeddings (n, d) under ids (n,), which must be new to the index or have been removed."""
        rows = np.ascontiguousarray(embeddings, np.float32)
        self._index.add_with_ids(rows, np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: Ints) -> None:
        """Forget ids (n,); those that are not there are no error."""
        import faiss

        self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))
        if self._mapped is not None:
            self._gone = np.union1d(self._gone, ids)

    def search(self, embeddings: Floats, k: int) -> Ints:
        """Ids (m, n) int64 of candidates for each of `embeddings` (m, d), -1 where there are fewer.

        k of what was built or added, and as many of what is mapped.
        """
        rows = np.ascontiguousarray(embeddings, np.float32)
        _share(_ALONE)
        found = []
        if self._mapped is None or self._index.ntotal:
            found.append(np.asarray(self._index.search(rows, k)[1], np.int64))
        if self._mapped is not None:
            stored = np.asarray(self._mapped.search(rows, k)[1], np.int64)
            if len(self._gone):
                stored[np.isin(stored, self._gone)] = -1
            found.append(stored)
        return np.concatenate(found, axis=1)


def _lists(index: Any) -> Any:
    import faiss

    return faiss.downcast_InvertedLists(index.invlists)


def _ids(index: Any) -> Ints:
    import faiss

    lists = _lists(index)
    sizes = [(cell, lists.list_size(cell)) for cell in range(index.nlist)]
    parts = [faiss.rev_swig_ptr(lists.get_ids(cell), size).copy() for cell, size in sizes if size]
    return np.concatenate([np.zeros(0, np.int64), *parts])


_threads = 0
_cores = 0  # FAISS's own choice, once it is loaded


def use_threads(count: int) -> None:
    """How many threads FAISS uses from now on in this process, 0 for its own choice; does not load it."""
    global _threads
    _threads = count


def _faiss() -> Any:
    import faiss

    global _cores
    _cores = _cores or faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(_threads or _cores)
    return faiss


def _share(work: int) -> None:
    """Say how many threads the next call shares `work` numbers among. This counts for the calling thread."""
    import faiss

    faiss.omp_set_num_threads(1 if work < _ALONE else _threads or _cores)
