"""Depth under a turn: a head shows it, no view of a photograph does."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.liveness.challenge import RISE, TURN
from pipeline.liveness.geometry import depth, noise, off_plane, pose

RANDOM = np.random.default_rng(1)


@settings(max_examples=60, deadline=None)
@given(
    left=st.floats(-60, 60),
    up=st.floats(-40, 40),
    roll=st.floats(-40, 40),
    away=st.floats(3, 20),
    shown=st.floats(-30, 30),
)
def test_no_view_of_a_flat_picture_moves_the_nose_off_the_plane(
    heads: ModuleType, left: float, up: float, roll: float, away: float, shown: float
) -> None:
    """The geometry itself: five points of a plane obey the homography of four of them, whatever is shown."""
    picture = heads.head(shown)  # also a photograph of a turned head is flat
    eyes = float(np.linalg.norm(picture[1] - picture[0]))
    moved = off_plane(heads.print_of(picture), heads.print_of(picture, left, up, roll, away))
    assert np.abs(moved).max() < 2e-2 * eyes


@pytest.mark.parametrize("left", [-30, -20, 20, 30])
def test_the_nose_leaves_the_plane_by_its_depth_times_the_tangent_of_the_turn(
    heads: ModuleType, left: float
) -> None:
    away = 1000.0  # far away, as the formula has it
    front = heads.head(away=away)
    eyes = float(np.linalg.norm(front[1] - front[0]))
    moved = off_plane(front / eyes, heads.head(left, away=away) / eyes)
    # 0.5 before the eyes, of which the plane of eyes and mouth takes some: the mouth is 0.12 before them.
    above = 0.5 - 0.12 * 0.62 / 1.1
    assert abs(moved[0]) == pytest.approx(above * abs(np.tan(np.radians(left))), rel=0.05)
    assert np.sign(moved[0]) == np.sign(left)


@pytest.mark.parametrize("left", [-25, 25])
@pytest.mark.parametrize("deviation", [0.005, 0.015])
def test_a_turned_head_shows_depth_and_a_turned_print_does_not(
    heads: ModuleType, left: float, deviation: float
) -> None:
    def frames(points: np.ndarray, count: int = 10) -> list[np.ndarray]:
        return [heads.noisy(points, deviation, RANDOM) for _ in range(count)]

    real = depth(frames(heads.head()), frames(heads.head(left)), deviation)
    assert real.shown(0.08, 0.2)
    assert real.slope == pytest.approx(0.5, abs=0.12)  # 0.5, and what perspective adds from so near
    assert real.slope_low < real.slope < real.slope_high
    for away in (4, 8):
        flat = depth(
            frames(heads.print_of(heads.head(), away=away)),
            frames(heads.print_of(heads.head(), left * 2, away=away)),
            deviation,
        )
        assert not flat.shown(0.08, 0.2)
        assert abs(flat.parallax) < 0.08


def test_a_print_bent_around_a_bottle_shows_less_depth_than_a_head(heads: ModuleType) -> None:
    bottle = depth([heads.bent(heads.head(), 1.0)] * 3, [heads.bent(heads.head(), 1.0, 25)] * 3, 0.005)
    real = depth([heads.head()] * 3, [heads.head(25)] * 3, 0.005)
    assert bottle.slope < 0.6 * real.slope


def test_without_frames_to_tell_the_noise_nothing_is_shown(heads: ModuleType) -> None:
    assert noise([heads.head(), heads.head()]) == float("inf")
    assert not depth([heads.head()], [heads.head(30)], float("inf")).shown(0.0, 0.01)


def test_noise_is_told_from_frames_and_even_movement_is_none(heads: ModuleType) -> None:
    moving = [heads.noisy(heads.head(left), 0.02, RANDOM) for left in np.linspace(0, 5, 400)]
    assert noise(moving) == pytest.approx(0.02, rel=0.15)
    assert noise([heads.head(left) for left in np.linspace(0, 5, 20)]) < 0.005


def test_the_interval_is_as_wide_as_the_noise_makes_it(heads: ModuleType) -> None:
    """Of many noisy turns of one head, about one in twenty lies beyond either bound."""
    random = np.random.default_rng(3)
    true = depth([heads.head()], [heads.head(25)], 0.004).slope
    below = above = 0
    for _ in range(60):
        front = [heads.noisy(heads.head(), 0.02, random) for _ in range(8)]
        turned = [heads.noisy(heads.head(25), 0.02, random) for _ in range(8)]
        found = depth(front, turned, 0.02, seed=int(random.integers(1 << 30)))
        below += found.slope_high < true
        above += found.slope_low > true
    assert below <= 8
    assert above <= 8


@pytest.mark.parametrize("roll", [-30, 0, 20])
@pytest.mark.parametrize("left", [0, 20])
def test_a_tilt_is_told_from_a_turn(heads: ModuleType, roll: float, left: float) -> None:
    """The head moves aside before the camera, too, which sees a little more of one side of it then."""
    upright, tilted = pose(heads.head(left)), pose(heads.head(left, roll=roll))
    assert upright is not None
    assert tilted is not None
    assert tilted.roll - upright.roll == pytest.approx(roll, abs=2)
    assert tilted.turn == pytest.approx(upright.turn, abs=0.3 * TURN)
    assert tilted.nod == pytest.approx(upright.nod, abs=0.5 * RISE)
    assert tilted.size == pytest.approx(upright.size, rel=0.05)


def test_a_pose_needs_landmarks(heads: ModuleType) -> None:
    assert pose(np.full((5, 2), np.nan, np.float32)) is None
    assert pose(np.zeros((5, 2), np.float32)) is None
    seen = pose(heads.head(20))
    assert seen is not None
    assert seen.turn > 0.3
    assert pose(heads.head(up=15)).nod < pose(heads.head()).nod  # type: ignore[union-attr]
