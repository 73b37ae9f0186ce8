"""What belongs to what, one to one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linear_sum_assignment

from pipeline.faces.assignment import pairs

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


def test_a_run_begins_without_what_only_conflicts_need() -> None:
    script = """if True:
        import sys
        import numpy as np
        import pipeline.recognition.engine
        from pipeline.faces.assignment import pairs, prepare
        assert pairs(np.eye(3)) == [(0, 0), (1, 1), (2, 2)]
        print(any(name.startswith("scipy") for name in sys.modules))
        prepare()
        print("scipy.optimize" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
