from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.live import Difference, Held
from gallery.matching import Matcher, first_of_each
from gallery.pooled import pool


def difference(templates: np.ndarray, owners: np.ndarray, embeddings: np.ndarray) -> Difference:
    """That of a file with these templates from an index of none."""
    names = {int(owner): f"person {owner}" for owner in owners}
    held = Held(templates, owners, names, len(names), None)
    return Difference(templates[:0], ((templates, owners, embeddings),), held)


def matcher_of(owners: np.ndarray, embeddings: np.ndarray) -> Matcher:
    matcher = Matcher(embeddings.shape[1])
    matcher.apply(difference(np.arange(len(owners)) * 3, owners, embeddings))
    return matcher


def brute_force(
    probes: np.ndarray, owners: np.ndarray, embeddings: np.ndarray, people: int
) -> tuple[list[list[str]], np.ndarray]:
    """The slow obvious version: the least distance to each person, sorted."""
    names, distances = [], np.full((len(probes), people), np.inf)
    for row, probe in enumerate(probes.astype(np.float64)):
        every = np.abs(embeddings - probe).sum(axis=1)
        least = sorted((every[owners == o].min(), f"person {o}") for o in np.unique(owners))[:people]
        names.append([name for _, name in least])
        distances[row, : len(least)] = [distance for distance, _ in least]
    return names, distances


@settings(database=None, deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    people=st.integers(1, 15),
    probes=st.integers(1, 4),
    dimension=st.integers(2, 20),
)
def test_people_rank_as_by_brute_force(
    seed: int, counts: list[int], people: int, probes: int, dimension: int
) -> None:
    random = np.random.default_rng(seed)
    owners = random.permutation(np.repeat(np.arange(len(counts)), counts))
    embeddings = random.normal(size=(len(owners), dimension)).astype(np.float32)
    asked = random.normal(size=(probes, dimension)).astype(np.float32)

    matches = matcher_of(owners, embeddings).search(asked, people)

    names, distances = brute_force(asked, owners, embeddings, people)
    assert [list(row) for row in matches.names] == names
    np.testing.assert_allclose(matches.distances, distances, rtol=1e-5)
    assert (matches.templates, matches.people) == (len(owners), len(counts))


@settings(database=None, deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_pooled_people_rank_by_all_their_templates_as_one(seed: int, counts: list[int]) -> None:
    random = np.random.default_rng(seed)
    owners = random.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = random.normal(size=(len(counts), 16))
    embeddings = (centres[owners] + random.normal(scale=0.3, size=(len(owners), 16))).astype(np.float32)
    asked = embeddings[random.integers(len(owners), size=3)] + random.normal(scale=0.2, size=(3, 16))
    asked = asked.astype(np.float32)
    matches = matcher_of(owners, embeddings).search(asked, 3, pooled=True)
    for row, probe in enumerate(asked):
        every = [float(np.abs(pool(embeddings[owners == o]) - probe).sum()) for o in range(len(counts))]
        assert matches.names[row][0] == f"person {np.argmin(every)}"
        expected = [every[int(name.removeprefix("person "))] for name in matches.names[row]]
        np.testing.assert_allclose(matches.distances[row, : len(expected)], expected, rtol=1e-5)
        assert expected == sorted(expected)
        assert len(expected) == min(3, len(counts))


def test_what_was_pooled_follows_what_comes_and_goes() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]], np.float32)
    matcher = matcher_of(np.array([1, 1, 2]), rows)
    probe = np.array([[0.5, 0.5]], np.float32)
    assert matcher.search(probe, 1, pooled=True).distances.tolist() == [[0.0]]
    assert matcher.search(probe, 1).distances.tolist() == [[1.0]]
    left = difference(np.array([0, 6]), np.array([1, 2]), rows[:0])
    matcher.apply(replace(left, added=(), removed=np.array([3])))
    assert matcher.search(probe, 1, pooled=True).distances.tolist() == [[1.0]]


def test_a_person_with_very_many_templates_does_not_crowd_out_the_others() -> None:
    random = np.random.default_rng(0)
    crowd = random.normal(scale=0.01, size=(3000, 8))
    others = 5 + np.arange(4)[:, None] + np.zeros((4, 8))
    owners = np.array([9] * 3000 + [1, 2, 3, 4])
    matches = matcher_of(owners, np.concatenate([crowd, others]).astype(np.float32)).search(
        np.zeros((2, 8), np.float32), 4
    )
    assert matches.names == (("person 9", "person 1", "person 2", "person 3"),) * 2
    np.testing.assert_allclose(matches.distances[:, 1:], [[40, 48, 56]] * 2)


def test_a_gallery_with_nobody_in_it_matches_nobody() -> None:
    matches = Matcher(8).search(np.zeros((2, 8), np.float32), 3)
    assert matches.names == ((), ())
    assert matches.distances.shape == (2, 3)
    assert np.isinf(matches.distances).all()


def test_no_probes_give_no_matches() -> None:
    matches = matcher_of(np.array([1]), np.zeros((1, 8), np.float32)).search(np.zeros((0, 8), np.float32), 3)
    assert len(matches) == 0
    assert matches.distances.shape == (0, 3)


def test_who_is_removed_is_not_matched_and_who_stays_is() -> None:
    embeddings = np.eye(6, dtype=np.float32)
    owners = np.array([1, 2, 1, 3, 2, 1])
    matcher = matcher_of(owners, embeddings)
    stays = np.flatnonzero(owners != 1)
    left = difference(3 * stays, owners[stays], embeddings[:0])
    matcher.apply(replace(left, added=(), removed=3 * np.flatnonzero(owners == 1)))
    matches = matcher.search(embeddings, 3)
    assert {name for row in matches.names for name in row} == {"person 2", "person 3"}
    assert [row[0] for row in matches.names][3] == "person 3"
    assert (matches.templates, matches.people) == (3, 2)
    templates, owners = np.append(3 * stays, 100), np.append(owners[stays], 7)
    fresh = (np.array([100]), np.array([7]), embeddings[:1])
    names = {int(owner): f"person {owner}" for owner in owners}
    matcher.apply(Difference(templates[:0], (fresh,), Held(templates, owners, names, len(names), None)))
    assert matcher.search(embeddings[:1], 1).names == (("person 7",),)


@pytest.mark.parametrize("probes", [np.zeros(8), np.zeros((1, 7)), np.full((1, 8), np.nan)])
def test_misshapen_and_infinite_probes_are_bugs(probes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probes are"):
        matcher_of(np.array([1]), np.zeros((1, 8), np.float32)).search(probes.astype(np.float32), 1)


def test_asking_for_no_people_is_a_bug() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Matcher(8).search(np.zeros((1, 8), np.float32), 0)


def test_first_of_each_keeps_the_order_and_the_limit() -> None:
    owners = np.array([5, 5, 2, 5, 9, 2, 1])
    assert first_of_each(owners, 10).tolist() == [0, 2, 4, 6]
    assert first_of_each(owners, 2).tolist() == [0, 2]
