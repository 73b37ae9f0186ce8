"""What can be claimed of strangers, and the distance at which somebody is accepted."""

from __future__ import annotations

import numpy as np
import pytest

from gallery.calibration import strangers_needed
from pipeline.authentication.claimed import ACCEPT, ENOUGH, NIST_FMR, Claimed
from siamese.calibration import Calibration

CALIBRATION = Calibration(intercept=20.0, slope=1.0, ceiling=9.0, genuine=100, impostor=30_000)
ALICE = np.zeros((2, 4), np.float32)
ALICE[1, 0] = 1
APART = np.array([[10, 4, 0, 0], [10, -4, 0, 0]], np.float32)  # two photographs of one person


def strangers(*distances: float) -> np.ndarray:
    """At these distances from her first photograph."""
    made = np.zeros((len(distances), 4), np.float32)
    made[:, 1] = distances
    return made


def test_a_ratio_of_one_in_ten_thousand_is_asked_where_no_stranger_is_near() -> None:
    her = Claimed("alice", ALICE, CALIBRATION, strangers(*np.linspace(30, 60, 3143)))
    assert her.accept == pytest.approx(CALIBRATION.distance(ACCEPT))
    assert her.claim.matched == 0
    assert her.claim.bound == pytest.approx(3 / 3143, rel=0.01)


def test_as_near_as_a_stranger_is_too_near() -> None:
    theirs = strangers(5.0, 40.0)
    her = Claimed("alice", ALICE, CALIBRATION, theirs)
    assert her.accept < her.pooled(theirs[0]) < CALIBRATION.distance(ACCEPT)
    assert her.claim.matched == 0


def test_1_in_10000_takes_29956_comparisons_and_is_not_claimed_from_fewer() -> None:
    assert strangers_needed(NIST_FMR) == 29_956
    few = Claimed("alice", ALICE, CALIBRATION, strangers(*[40.0] * 3143)).claim
    assert not few.meets_nist
    assert "not met: that takes 29,956 comparisons" in str(few)
    assert "at most 1 in 1,049" in str(few)
    assert Claimed("alice", ALICE, CALIBRATION, strangers(*[40.0] * 29_956)).claim.meets_nist
    assert not Claimed("alice", ALICE, CALIBRATION, strangers(*[40.0] * 29_955)).claim.meets_nist


def test_without_strangers_nothing_is_claimed() -> None:
    claim = Claimed("alice", ALICE, CALIBRATION, strangers()).claim
    assert claim.bound == 1.0
    assert "nothing can be claimed" in str(claim)


def test_of_one_frame_the_nearest_photograph_counts_and_the_ratio_has_no_cap() -> None:
    her = Claimed("alice", ALICE, CALIBRATION, strangers())
    assert her.distance(ALICE[1] + np.float32(0.5)) == pytest.approx(2.0)
    assert her.ratio(0.0) == 20.0
    assert her.ratio(50.0) == -30.0


def test_all_frames_as_one_are_compared_with_all_photographs_as_one() -> None:
    """What two photographs of one person have apart is not the person's."""
    her = Claimed("alice", APART, CALIBRATION, strangers())
    between = np.array([14, 0, 0, 0], np.float32)
    assert her.distance(between) == 8.0
    assert her.pooled(between) == 0.0
    assert her.pooled(APART[0]) == 8.0


def test_a_stranger_who_is_near_to_one_photograph_alone_is_not_near() -> None:
    her = Claimed("alice", APART, CALIBRATION, APART[:1])
    assert her.accept == pytest.approx(8.0)
    assert her.pooled(APART[0]) > her.accept


@pytest.mark.parametrize("photographs", [1, ENOUGH - 1, ENOUGH])
def test_more_photographs_are_advised_where_there_are_few(photographs: int) -> None:
    her = Claimed("alice", np.ones((photographs, 4), np.float32), CALIBRATION, strangers())
    assert ("recog enroll" in her.advice) == (photographs < ENOUGH)
