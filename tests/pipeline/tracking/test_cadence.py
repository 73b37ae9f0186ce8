"""In which frames faces are looked for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pipeline.config import load
from pipeline.errors import ConfigError
from pipeline.tracking.cadence import Cadence


def looked(cadence: Cadence, frames: int, fps: float, spent: float = 0.0, cuts: Any = ()) -> list[int]:
    """The frames in which faces were looked for, each detection taking `spent` seconds."""
    found = []
    for index in range(frames):
        if cadence.due(index / fps, index in cuts):
            found.append(index)
            cadence.took(spent)
    return found


def test_every_so_many_frames_beginning_with_the_first() -> None:
    assert looked(Cadence(4, live=False), 13, 25) == [0, 4, 8, 12]
    assert looked(Cadence(1, live=True), 3, 25, spent=1.0) == [0, 1, 2]


def test_a_cut_is_looked_at_whatever_the_turn_and_counting_begins_there() -> None:
    assert looked(Cadence(4, live=False), 12, 25, cuts={5}) == [0, 4, 5, 9]


@pytest.mark.parametrize("fps", [5, 12.5, 25, 30, 60])
def test_a_film_is_looked_at_six_times_a_second_at_any_rate_and_speed(fps: float) -> None:
    found = looked(Cadence("auto", live=False), round(10 * fps), fps, spent=10.0)
    assert len(found) / 10 == pytest.approx(min(fps, 6), rel=0.25)


def test_a_live_source_is_looked_at_in_every_frame_as_long_as_that_leaves_half_the_time() -> None:
    assert looked(Cadence("auto", live=True), 100, 25, spent=0.019) == list(range(100))


@pytest.mark.parametrize("spent", [0.03, 0.05, 0.08, 0.15])
def test_slow_detection_takes_half_of_the_time_of_a_live_source_at_most(spent: float) -> None:
    found = looked(Cadence("auto", live=True), 400, 25, spent)
    assert len(found) * spent <= 0.52 * 400 / 25
    assert len(found) * spent >= 0.3 * 400 / 25  # and is not left idle


def test_however_slow_detection_is_tracks_do_not_tear() -> None:
    found = looked(Cadence("auto", live=True), 400, 25, spent=3.0)
    assert max(b - a for a, b in itertools.pairwise(found)) <= 10


def test_a_machine_that_gets_faster_is_noticed() -> None:
    cadence = Cadence("auto", live=True)
    looked(cadence, 100, 25, spent=0.1)
    assert cadence.every == 5
    for index in range(100, 300):
        if cadence.due(index / 25, now=False):
            cadence.took(0.01)
    assert cadence.every == 1


def test_the_setting_is_a_number_or_auto() -> None:
    assert load(None, ["det.every=3"]).det.every == 3
    assert load(None, ["det.every=auto"]).det.every == "auto"
    for wrong in ("0", "often"):
        with pytest.raises(ConfigError, match=r"det\.every"):
            load(None, [f"det.every={wrong}"])
