"""What belongs to what, one to one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linear_sum_assignment

from pipeline.faces.assignment import assign, pairs

GAINS = arrays.arrays(
    float,
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    elements=st.one_of(st.just(0.0), st.floats(-5, 5)),
)


@given(GAINS)
def test_no_other_pairs_gain_more(gains: np.ndarray) -> None:
    found = pairs(gains)
    rows, columns = linear_sum_assignment(np.maximum(gains, 0), maximize=True)
    assert np.isclose(sum(gains[pair] for pair in found), np.maximum(gains, 0)[rows, columns].sum())


@given(GAINS)
def test_each_is_paired_once_and_only_where_that_gains(gains: np.ndarray) -> None:
    found = pairs(gains)
    assert len({row for row, _ in found}) == len({column for _, column in found}) == len(found)
    assert all(gains[pair] > 0 for pair in found)


def test_who_wants_the_same_shares_so_that_all_gain_most() -> None:
    assert sorted(pairs(np.array([[0.9, 0.8], [0.7, 0.1]]))) == [(0, 1), (1, 0)]


@settings(deadline=None, max_examples=150)
@given(
    arrays.arrays(
        float,
        st.tuples(st.integers(1, 7), st.integers(1, 7)),
        elements=st.one_of(st.integers(-2, 2).map(float), st.floats(-5, 5)),
    )
)
def test_it_is_the_assignment_that_scipy_makes_in_ties_too(gains: np.ndarray) -> None:
    rows, columns = assign(gains)
    expected = linear_sum_assignment(gains, maximize=True)
    assert (rows.tolist(), columns.tolist()) == (expected[0].tolist(), expected[1].tolist())


def test_large_and_oblong_matrices_are_assigned_as_scipy_assigns_them() -> None:
    random = np.random.default_rng(0)
    for shape in ((60, 60), (5, 300), (300, 5)):
        for gains in (random.random(shape), random.integers(0, 4, shape).astype(float)):
            rows, columns = assign(gains)
            assert (columns == linear_sum_assignment(gains, maximize=True)[1]).all()
            assert (rows == linear_sum_assignment(gains, maximize=True)[0]).all()
