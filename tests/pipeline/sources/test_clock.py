"""Time advances whatever a container claims, and is the container's wherever that can be."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sources.clock import MediaClock

NAN, INF = math.nan, math.inf
WRAP = 2**33 / 90_000  # seconds after which the clock of a transport stream begins again


def read(claimed: list[float | None], step: float = 0.1, longest: float = 600.0) -> list[float]:
    clock = MediaClock(step, longest)
    return [clock.read(each) for each in claimed]


@pytest.mark.parametrize(
    ("claimed", "seconds"),
    [
        ([0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 0.3]),
        ([5.0, 5.1, 5.3], [0.0, 0.1, 0.3]),
        ([-0.5, -0.4, 0.0], [0.0, 0.1, 0.5]),
        ([0.0, 7.0, 7.1, 60.0], [0.0, 7.0, 7.1, 60.0]),  # a slide show
        ([0.0, 0.1, -9.2e15, 0.3], [0.0, 0.1, 0.2, 0.3]),  # one wrong time
        ([0.0, 0.1, 0.1, 0.2, 0.3], [0.0, 0.1, 0.15, 0.2, 0.3]),  # the same time twice
        ([NAN, None, INF, 0.0], [0.0, 0.1, 0.2, 0.3]),
        ([3.0, 3.1, 0.0, 0.1, 0.2], [0.0, 0.1, 0.2, 0.3, 0.4]),  # the clock falls back
        ([0.0, 0.1, 75_000.0, 75_000.1], [0.0, 0.1, 0.2, 0.3]),  # and jumps ahead
        ([WRAP - 0.1, WRAP, 0.1, 0.2], [0.0, 0.1, 0.2, 0.3]),
        ([0.0, 0.001, 0.002], [0.0, 0.001, 0.002]),  # a thousand frames a second
    ],
)
def test_a_clock_is_followed_where_it_makes_sense(claimed: list[float | None], seconds: list[float]) -> None:
    assert read(claimed) == pytest.approx(seconds)


def test_a_frame_may_stay_as_long_as_its_kind_of_film_allows() -> None:
    assert read([0.0, 30.0], longest=10.0) == pytest.approx([0.0, 0.1])
    assert read([0.0, 3000.0], step=1200.0) == pytest.approx([0.0, 3000.0])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.floats(-10, 10)), max_size=50))
def test_time_always_advances(claimed: list[float | None]) -> None:
    seconds = read(claimed)
    assert all(later > earlier for earlier, later in itertools.pairwise(seconds))
    assert not seconds or seconds[0] == 0
    assert all(later - earlier <= 600.01 for earlier, later in itertools.pairwise(seconds))
