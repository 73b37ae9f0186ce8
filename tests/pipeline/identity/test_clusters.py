"""Faces of one person are put together, and groups keep their names while their members stay."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.clusters import JOINED, belongs, clusters, in_words, keep_names
from siamese.calibration import Calibration

CALIBRATION = Calibration(intercept=30.0, slope=1.0, ceiling=12.0, genuine=100, impostor=500_000)


def faces(*people: tuple[float, int]) -> np.ndarray:
    """So many faces around each place, no two farther apart than 4."""
    chance = np.random.default_rng(0)
    rows = [chance.uniform(place - 1, place + 1, (count, 2)) for place, count in people]
    return np.concatenate(rows).astype(np.float32)


@pytest.fixture
def new() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"new {next(numbers)}"


def test_faces_of_one_person_are_together_and_the_largest_group_is_first() -> None:
    found = clusters(faces((0, 2), (100, 5), (200, 3)), CALIBRATION)
    assert found.tolist() == [2, 2, 0, 0, 0, 0, 0, 1, 1, 1]


def test_the_threshold_is_a_ratio() -> None:
    """One dimension: a distance of 28 is worth a ratio of 2."""
    pair = np.array([[0.0], [28.0]], np.float32)
    assert len(set(clusters(pair, CALIBRATION, 2.0).tolist())) == 1
    assert len(set(clusters(pair, CALIBRATION, 2.1).tolist())) == 2


def test_a_later_face_belongs_where_it_would_have_been_put() -> None:
    members = faces((0, 4))
    later = np.array([[0.5, 0.5], [100, 100]], np.float32)
    assert belongs(later, members, CALIBRATION).tolist() == [True, False]


def test_the_threshold_is_said_in_words() -> None:
    assert "at least about 150 times as likely" in in_words(5.0)
    assert "1,100 times" in in_words(7.0)
    assert in_words() == in_words(JOINED)


def test_a_group_that_grows_keeps_its_name(new: Callable[[], str]) -> None:
    found = keep_names([frozenset("abcd"), frozenset("xy")], {"A": "abc", "X": "x"}, new)
    assert found == {"A": frozenset("abcd"), "X": frozenset("xy")}


def test_the_larger_part_of_a_group_keeps_its_name(new: Callable[[], str]) -> None:
    found = keep_names([frozenset("ab"), frozenset("cde")], {"A": "abcde"}, new)
    assert found == {"new 1": frozenset("ab"), "A": frozenset("cde")}


def test_of_two_groups_that_become_one_the_larger_gives_the_name(new: Callable[[], str]) -> None:
    assert keep_names([frozenset("abcxy")], {"X": "xy", "A": "abc"}, new) == {"A": frozenset("abcxy")}


def test_members_that_are_gone_take_no_name_with_them(new: Callable[[], str]) -> None:
    assert keep_names([frozenset("cd"), frozenset("e")], {"A": "abc"}, new) == {
        "A": frozenset("cd"),
        "new 1": frozenset("e"),
    }


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_every_group_has_one_name_and_no_two_have_the_same(now: list[int], then: list[int]) -> None:
    def sets(labels: list[int]) -> list[frozenset[str]]:
        return [frozenset(str(i) for i, each in enumerate(labels) if each == n) for n in sorted(set(labels))]

    numbers = itertools.count()
    before = {f"was {place}": members for place, members in enumerate(sets(then))}
    found = keep_names(sets(now), before, lambda: f"new {next(numbers)}")
    assert list(found.values()) == sets(now)
    assert keep_names(sets(now), found, lambda: "never") == found, "nothing changed, so no name does"
