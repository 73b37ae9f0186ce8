"""The incomplete beta function, held to SciPy's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, betaincinv

from gallery.beta import incomplete, inverse

SHARES = (0.01, 0.5, 0.9, 0.95, 0.99, 0.999)


@pytest.mark.parametrize("of", [1, 2, 3, 10, 59, 100, 997, 3350, 20_000])
def test_the_bounds_of_shares_are_scipys_to_ten_digits(of: int) -> None:
    for count in {0, 1, 2, 5, of // 100, of // 10, of // 2, of - of // 7, of - 2, of - 1} & set(range(of)):
        for share in SHARES:
            expected = float(betaincinv(count + 1, of - count, share))
            assert inverse(count + 1, of - count, share) == pytest.approx(expected, rel=1e-10, abs=0)


def test_two_hundred_thousand_strangers_still_give_nine_digits() -> None:
    for count in (0, 3, 2_000):
        expected = float(betaincinv(count + 1, 200_000 - count, 0.95))
        assert inverse(count + 1, 200_000 - count, 0.95) == pytest.approx(expected, rel=1e-9, abs=0)


@settings(deadline=None)
@given(st.floats(0.3, 500), st.floats(0.3, 500), st.floats(0, 1))
def test_the_function_itself_is_scipys(a: float, b: float, x: float) -> None:
    assert incomplete(a, b, x) == pytest.approx(float(betainc(a, b, x)), abs=1e-11)


def test_it_goes_from_none_to_all() -> None:
    assert (incomplete(3, 4, 0.0), incomplete(3, 4, 1.0)) == (0.0, 1.0)
