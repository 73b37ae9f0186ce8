"""Beyond a flat scan: a shortlist made in the background, exact distances, additions and removals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gallery import index, large
from gallery.index import ExactIndex, InvertedFile
from gallery.large import LargeIndex
from gallery.live import Difference, Held
from gallery.matching import Matcher


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", 2000)
    monkeypatch.setattr(index, "_CELLS", 1.0)
    monkeypatch.setattr(index, "_LOOKED_AT", 1 / 4)


@pytest.fixture
def one_thread() -> Iterator[None]:
    index.use_threads(1)
    yield
    index.use_threads(0)


def people(seed: int, count: int) -> np.ndarray:
    """Embeddings that lie in crowds, as those of faces do."""
    chance = np.random.default_rng(seed)
    crowds = np.random.default_rng(0).normal(size=(40, 32))
    return (crowds[chance.integers(40, size=count)] + 0.3 * chance.normal(size=(count, 32))).astype(
        np.float32
    )


def ready(made: LargeIndex) -> None:
    """Search once, so that building begins, and wait for it."""
    made.search(people(9, 1), 1)
    assert made._building is not None
    made._building.result()
    assert made.approximate


def test_a_small_index_is_exact_and_stays_so() -> None:
    made, exact = LargeIndex(32), ExactIndex(32)
    for each in (made, exact):
        each.add(np.arange(500), people(1, 500))
    distances, ids = made.search(people(2, 5), 7)
    np.testing.assert_array_equal(ids, exact.search(people(2, 5), 7)[1])
    np.testing.assert_array_equal(distances, exact.search(people(2, 5), 7)[0])
    assert not made.approximate


def test_a_large_index_finds_nearly_all_with_exact_distances(one_thread: None) -> None:
    stored, probes = people(1, 5000), people(2, 200)
    ids = np.random.default_rng(3).permutation(50_000)[:5000]
    made, exact = LargeIndex(32), ExactIndex(32)
    for each in (made, exact):
        each.add(ids, stored)
    ready(made)
    distances, found = made.search(probes, 3)
    wanted, truth = exact.search(probes, 3)
    assert (found[:, 0] == truth[:, 0]).mean() > 0.97
    same = found[:, 0] == truth[:, 0]
    np.testing.assert_allclose(distances[same, 0], wanted[same, 0], rtol=1e-5)
    assert (np.diff(distances, axis=1) >= 0).all()
    found, truth = made.search(probes, 100)[1], exact.search(probes, 100)[1]
    assert np.mean([len(np.intersect1d(*rows)) / 100 for rows in zip(found, truth, strict=True)]) > 0.97
    np.testing.assert_array_equal(made.search(probes, 1100)[1], exact.search(probes, 1100)[1])


def test_many_photos_of_each_person_do_not_make_every_search_a_full_scan(
    one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = np.repeat(np.arange(600), 20)
    embeddings = people(1, 600)[owners] + np.random.default_rng(4).normal(0, 0.1, (12_000, 32))
    embeddings = embeddings.astype(np.float32)
    matcher = Matcher(32)
    rows = np.arange(len(owners))
    held = Held(rows, owners, {owner: str(owner) for owner in range(600)}, 600, None)
    matcher.apply(Difference(rows[:0], ((rows, owners, embeddings),), held))
    matcher.search(embeddings[:1], 5)
    assert matcher._index._building is not None
    matcher._index._building.result()
    truth = [str(owner) for owner in owners[::200]]

    def scan(self: ExactIndex, embeddings: np.ndarray, k: int) -> None:
        raise AssertionError("a full scan")

    monkeypatch.setattr(ExactIndex, "search", scan)
    found = matcher.search(embeddings[::200], 5, pooled=True)
    assert np.mean([names[0] == true for names, true in zip(found.names, truth, strict=True)]) > 0.97
    assert all(len(names) == 5 for names in found.names)


def test_what_comes_and_goes_while_it_is_built_and_afterwards_is_right() -> None:
    stored = people(1, 3000)
    made = LargeIndex(32)
    made.add(np.arange(3000), stored)
    made.search(stored[:1], 1)
    assert made._building is not None
    made.remove(np.array([7]))
    made.add(np.array([9000]), stored[7:8])
    made._building.result()
    assert made.search(stored[7:8], 1)[1].tolist() == [[9000]]
    assert made.approximate
    made.remove(np.array([9000]))
    assert made.search(stored[7:8], 1)[1].tolist() != [[9000]]
    made.add(np.array([9001]), stored[7:8])
    assert made.search(stored[7:8], 1)[1].tolist() == [[9001]]
    assert len(made) == 3000


def test_where_the_shortlist_is_too_short_the_scan_is_exact() -> None:
    stored = people(1, 3000)
    made = LargeIndex(32)
    made.add(np.arange(3000), stored)
    ready(made)
    made.remove(np.arange(2990))
    distances, ids = made.search(stored[:1], 10)
    assert sorted(ids[0].tolist()) == list(range(2990, 3000))
    assert np.isfinite(distances).all()


def test_trouble_while_building_reaches_whoever_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: InvertedFile, embeddings: np.ndarray, ids: np.ndarray) -> None:
        raise MemoryError

    monkeypatch.setattr(InvertedFile, "__init__", fail)
    made = LargeIndex(32)
    made.add(np.arange(3000), people(1, 3000))
    made.search(people(2, 1), 1)
    assert made._building is not None
    made._building._thread.join()
    with pytest.raises(MemoryError):
        made.search(people(2, 1), 1)
