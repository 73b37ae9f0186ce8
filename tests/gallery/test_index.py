from __future__ import annotations

import numpy as np
import pytest

from gallery.index import ExactIndex


def random_rows(seed: int, count: int, dimension: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "dimension", "k"), [(1, 1, 1), (50, 7, 5), (300, 128, 300), (2000, 64, 10)]
)
def test_the_ranking_is_that_of_brute_force(count: int, dimension: int, k: int) -> None:
    stored, probes = random_rows(1, count, dimension), random_rows(2, 9, dimension)
    ids = np.random.default_rng(3).permutation(10 * count)[:count]
    index = ExactIndex(dimension)
    index.add(ids, stored)
    distances, found = index.search(probes, k)

    slow = np.abs(probes[:, None].astype(np.float64) - stored[None]).sum(axis=2)
    order = np.argsort(slow, axis=1)[:, :k]
    np.testing.assert_array_equal(found, ids[order])
    np.testing.assert_allclose(distances, np.take_along_axis(slow, order, axis=1), rtol=1e-5)
    assert (distances.dtype, found.dtype) == (np.float32, np.int64)


def test_a_short_index_pads_with_inf_and_minus_one() -> None:
    index = ExactIndex(4)
    probes = random_rows(0, 2, 4)
    distances, ids = index.search(probes, 2)
    assert np.isinf(distances).all()
    assert (ids == -1).all()
    index.add(np.array([7]), probes[:1])
    distances, ids = index.search(probes, 3)
    np.testing.assert_array_equal(ids, [[7, -1, -1], [7, -1, -1]])
    assert np.isfinite(distances[:, 0]).all()
    assert np.isinf(distances[:, 1:]).all()


def test_a_removed_embedding_is_not_found_again() -> None:
    stored = random_rows(0, 5, 4)
    index = ExactIndex(4)
    index.add(np.arange(5), stored)
    index.remove(np.array([1, 3, 99]))
    assert len(index) == 3
    assert sorted(index.search(stored[1:2], 3)[1][0]) == [0, 2, 4]


def test_misshapen_arguments_are_bugs() -> None:
    index = ExactIndex(4)
    with pytest.raises(ValueError, match="embeddings are"):
        index.add(np.arange(2), random_rows(0, 2, 5))
    with pytest.raises(ValueError, match="as many ids"):
        index.add(np.arange(3), random_rows(0, 2, 4))
    with pytest.raises(ValueError, match="embeddings are"):
        index.search(random_rows(0, 1, 4)[0], 1)
    with pytest.raises(ValueError, match="at least 1"):
        index.search(random_rows(0, 1, 4), 0)


def test_a_small_search_is_done_by_one_thread_and_a_large_one_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import faiss

    monkeypatch.setattr("gallery.index._threads", 3)
    before = faiss.omp_get_max_threads()
    index = ExactIndex(64)
    index.add(np.arange(3000), random_rows(1, 3000, 64))
    try:
        index.search(random_rows(2, 3, 64), 5)
        assert faiss.omp_get_max_threads() == 1
        index.search(random_rows(2, 30, 64), 5)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)
