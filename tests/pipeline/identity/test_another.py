"""A look that is plainly another face is told from one at the same face, and poor looks decide nothing."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.identity.another import Belongs, Newcomers
from pipeline.types import Floats
from siamese.calibration import Calibration

CALIBRATION = Calibration(intercept=8.0, slope=0.8, ceiling=9.0, genuine=100, impostor=30_000)
GOOD, POOR = 0.9, 0.2
SAME, DOUBTED, ANOTHER = Belongs.SAME, Belongs.DOUBTED, Belongs.ANOTHER


def face(distance: float, axis: int = 1) -> Floats:
    """An embedding (4,) at this distance from `face(0)`. Even odds are at 10."""
    found = np.zeros(4, np.float32)
    found[axis] = distance
    return found


def newcomers() -> Newcomers:
    judge = Newcomers(CALIBRATION, good=0.4)
    assert judge.judge(7, None, face(0), GOOD, abrupt=False) is SAME
    return judge


@pytest.mark.parametrize(
    ("distance", "verdict"), [(2.0, SAME), (9.9, SAME), (10.1, ANOTHER), (30.0, ANOTHER)]
)
def test_where_the_picture_changed_one_look_decides_by_what_is_likelier(
    distance: float, verdict: Belongs
) -> None:
    assert newcomers().judge(7, face(0), face(distance), GOOD, abrupt=True) is verdict


def test_of_a_steady_track_another_face_is_believed_at_the_second_look() -> None:
    judge = newcomers()
    assert judge.judge(7, face(0), face(30), GOOD, abrupt=False) is DOUBTED
    assert judge.judge(7, face(0), face(31), GOOD, abrupt=False) is ANOTHER


def test_of_a_steady_track_what_is_only_likelier_is_not_enough() -> None:
    assert newcomers().judge(7, face(0), face(11), GOOD, abrupt=False) is SAME


@pytest.mark.parametrize(
    "between", [face(1), face(30, axis=2)], ids=["it is the same face again", "it is a third face"]
)
def test_a_single_odd_look_does_not_end_a_steady_track(between: Floats) -> None:
    judge = newcomers()
    assert judge.judge(7, face(0), face(30), GOOD, abrupt=False) is DOUBTED
    assert judge.judge(7, face(0), between, GOOD, abrupt=False) in (SAME, DOUBTED)


@pytest.mark.parametrize("abrupt", [True, False])
def test_poor_looks_decide_nothing_before_or_after(abrupt: bool) -> None:
    judge = newcomers()
    for _ in range(3):
        assert judge.judge(7, face(0), face(30), POOR, abrupt) is SAME
    assert judge.judge(8, None, face(0), POOR, abrupt) is SAME
    assert judge.judge(8, face(0), face(30), GOOD, abrupt) is SAME, "what it is compared with was poor"
    assert judge.judge(8, face(0), face(30), GOOD, abrupt) is (ANOTHER if abrupt else DOUBTED)


def test_a_track_that_begins_with_another_face_is_known_by_it() -> None:
    judge = newcomers()
    assert judge.judge(7, face(0), face(30), GOOD, abrupt=True) is ANOTHER
    judge.begun(8)
    assert judge.judge(8, face(30), face(0), GOOD, abrupt=True) is ANOTHER


def test_tracks_that_ended_are_forgotten() -> None:
    judge = newcomers()
    assert judge.judge(7, face(0), face(30), GOOD, abrupt=False) is DOUBTED
    judge.forget(frozenset({8}))
    assert judge.judge(7, face(0), face(30), GOOD, abrupt=False) is SAME, "nothing is known of it"
