"""Faces of one person are put together, held to SciPy's average linkage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from pipeline.faces.groups import groups


def members(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def by_scipy(embeddings: np.ndarray, distance: float) -> set[frozenset[int]]:
    joined = linkage(pdist(embeddings, "cityblock"), "average")
    return members(fcluster(joined, distance, "distance"))


@settings(deadline=None, max_examples=100)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(2, 25), st.integers(1, 4)),
        # Whole numbers make ties, which are decided alike.
        elements=st.one_of(st.integers(0, 6).map(float), st.floats(0, 8, width=16)),
    ),
    st.floats(0, 20),
)
def test_the_groups_are_those_of_scipy_in_ties_too(embeddings: np.ndarray, distance: float) -> None:
    assert members(groups(embeddings, distance)) == by_scipy(embeddings, distance)


def test_hundreds_of_faces_are_grouped_as_scipy_groups_them() -> None:
    random = np.random.default_rng(0)
    people = random.normal(size=(80, 64))
    embeddings = (people[random.integers(80, size=400)] + 0.4 * random.normal(size=(400, 64))).astype(
        np.float32
    )
    for distance in (20.0, 35.0, 60.0):
        assert members(groups(embeddings, distance)) == by_scipy(embeddings, distance)


def test_the_largest_group_is_the_first_and_of_equals_the_one_seen_first() -> None:
    line = np.array([[90], [50], [0], [51], [1], [2]], np.float32)
    assert groups(line, 5.0).tolist() == [2, 1, 0, 1, 0, 0]
    assert groups(np.array([[9], [0], [0], [9]], np.float32), 5.0).tolist() == [0, 1, 1, 0]
    assert groups(np.zeros((0, 4), np.float32), 5.0).tolist() == []


def test_embeddings_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        groups(np.array([[0], [np.nan], [1]], np.float32), 5.0)
