"""The nose of a head stands out in every direction, and nothing on paper does, however it is bent."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.authentication.attempt import SHARE
from pipeline.liveness.relief import (
    FRAMES,
    TURNED,
    UNIT,
    Crop,
    Turned,
    crop,
    standing_out,
    together,
    weighed,
)

TURNS = st.floats(15, 40) | st.floats(-40, -15)
TILTS = st.tuples(st.floats(-4, 4), st.floats(-10, 10), st.floats(-6, 6))


def stands_out(
    heads: ModuleType, surface: object, left: float, front: tuple[float, ...], away: float
) -> np.ndarray:
    """By how much each point that may be the tip of a nose stands out (sets, 8), seen from the front and in a
    turn, exactly."""
    aside, up, roll = front
    before, now = heads.tracked(surface, front, (aside + left, up / 2, -roll), away)
    return np.asarray(np.sign(left) * standing_out(before, now, np.zeros(len(now), np.bool_)))


@settings(max_examples=25, deadline=None)
@given(
    left=TURNS,
    front=TILTS,
    away=st.floats(4, 10),
    radius=st.floats(0.7, 4),
    axis=st.floats(0, 180),
)
def test_on_a_bent_print_there_is_a_direction_without_depth(
    heads: ModuleType,
    left: float,
    front: tuple[float, ...],
    away: float,
    radius: float,
    axis: float,
) -> None:
    """The geometry itself: bent around any axis, held and turned as may be, seen from near or far, wherever
    on it one looks, and in all of these places together."""
    out = stands_out(heads, heads.sheet(radius, axis), left, front, away)
    for each in (*out, weighed(out)):
        assert each.min() < 0.6 * SHARE * max(0.02, each.max())


@settings(max_examples=10, deadline=None)
@given(left=TURNS, front=TILTS, away=st.floats(4, 10))
def test_a_flat_print_stands_out_nowhere(
    heads: ModuleType, left: float, front: tuple[float, ...], away: float
) -> None:
    assert np.abs(stands_out(heads, heads.sheet(), left, front, away)).max() < 0.01


@settings(max_examples=10, deadline=None)
@given(left=TURNS, front=TILTS, away=st.floats(4, 10))
def test_the_nose_of_a_head_stands_out_in_every_direction(
    heads: ModuleType, left: float, front: tuple[float, ...], away: float
) -> None:
    out = weighed(stands_out(heads, heads.nosed, left, front, away))
    assert out.min() > 0.1
    assert out.min() > 2 * SHARE * out.max()


def followed(heads: ModuleType, surface: object, left: bool = True) -> Turned:
    """A turn as its frames show it, by pixels."""
    turned = Turned(heads.crop_of(surface, 0.0), left)
    for degrees in (8, 14, 20, 24):
        turned.see(heads.crop_of(surface, degrees if left else -degrees))
    return turned


@pytest.mark.parametrize("left", [True, False])
def test_by_pixels_a_head_shows_it(heads: ModuleType, left: bool) -> None:
    relief = followed(heads, heads.nosed, left).relief()
    assert relief is not None
    assert relief.frames >= FRAMES
    assert relief.shown(SHARE)
    assert relief.share_low <= relief.share


@pytest.mark.parametrize(("radius", "axis"), [(0.9, 0), (1.4, 30), (0.8, 75)])
def test_by_pixels_a_bent_print_does_not(heads: ModuleType, radius: float, axis: float) -> None:
    relief = followed(heads, heads.sheet(radius, axis)).relief()
    assert relief is None or not relief.shown(SHARE)


def test_what_is_bent_the_other_way_stands_out_nowhere(heads: ModuleType) -> None:
    """A nose that goes the wrong way in a turn is a hollow one."""
    turned = Turned(heads.crop_of(heads.nosed, 0.0), False)
    for degrees in (14, 20, 24):
        back = heads.crop_of(heads.nosed, degrees)
        turned.see(Crop(back.grey, back.points, -back.turn))
    relief = turned.relief()
    assert relief is not None
    assert not relief.shown(SHARE)


@pytest.mark.parametrize("surface", ["head", "sheet"])
def test_it_is_followed_from_the_newest_face_seen_from_the_front(heads: ModuleType, surface: str) -> None:
    """A face of long ago may have another expression, or stand in another light."""
    made = heads.nosed if surface == "head" else heads.sheet(0.9, 0)
    front, random = heads.crop_of(made, 0.0), np.random.default_rng(0)
    old = Crop(random.integers(0, 255, front.grey.shape).astype(np.uint8), front.points, front.turn)
    turned = Turned(old, True)
    for degrees in (0, 8, 14, 20, 24):
        turned.see(heads.crop_of(made, degrees))
    relief = turned.relief()
    assert (relief is not None and relief.shown(SHARE)) == (surface == "head")


@pytest.mark.parametrize("by", [0.1, 0.3])
def test_a_landmark_below_the_tip_of_the_nose_does_not_hide_it(heads: ModuleType, by: float) -> None:
    """It is so in some people, and where a head is lifted."""
    below = np.array([[0, 0], [0, 0], [0, by], [0, 0], [0, 0]], np.float32)
    front = heads.crop_of(heads.nosed, 0.0)
    turned = Turned(Crop(front.grey, front.points + below, front.turn), True)
    for degrees in (14, 20, 24):
        turned.see(heads.crop_of(heads.nosed, degrees))
    relief = turned.relief()
    assert relief is not None
    assert relief.shown(SHARE)


def test_what_cannot_be_followed_shows_nothing(heads: ModuleType) -> None:
    front = heads.crop_of(heads.nosed, 0.0)
    turned, random = Turned(front, True), np.random.default_rng(0)
    for degrees in (14, 20, 24):
        other = random.integers(0, 255, front.grey.shape).astype(np.uint8)
        turned.see(Crop(other, front.points, front.turn + degrees / 60))
    relief = turned.relief()
    assert relief is None or not relief.shown(SHARE)


def test_who_did_not_turn_far_enough_or_for_long_enough_shows_nothing(heads: ModuleType) -> None:
    front, aside = heads.crop_of(heads.nosed, 0.0), heads.crop_of(heads.nosed, 20)
    assert aside.turn - front.turn > TURNED
    still, once = Turned(front, True), Turned(front, True)
    for _ in range(5):
        still.see(front)
    once.see(aside)
    assert FRAMES > 1
    assert once.relief() is None
    assert still.relief() is None
    assert Turned(front, True).relief() is None


def test_turns_are_judged_together(heads: ModuleType) -> None:
    """And what one frame alone can say of one turn is not needed where another turn says it as well."""
    left, right = (followed(heads, heads.nosed, left).relief() for left in (True, False))
    assert left is not None
    assert right is not None
    both = together([left, right])
    assert min(left.share, right.share) - 0.05 <= both.share <= max(left.share, right.share) + 0.05
    assert both.frames == left.frames + right.frames
    assert both.shown(SHARE)
    unknown = replace(left, without=np.full_like(left.without, np.nan), share_low=-1.0)
    assert not together([unknown]).shown(SHARE)
    assert together([unknown, right]).shown(SHARE)


def test_a_crop_has_eyes_and_mouth_where_every_crop_has_them() -> None:
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    points = np.array([[100, 80], [190, 95], [150, 140], [105, 180], [175, 190]], np.float32)
    made = crop(image, points)
    assert made is not None
    assert made.points[:2] == pytest.approx(np.array([[-0.5, 0], [0.5, 0]]), abs=1e-3)
    assert made.points[3:].mean(axis=0) == pytest.approx(np.array([0, 1.1]), abs=1e-3)
    assert made.grey.shape == (round(2.6 * UNIT), round(2.4 * UNIT))
    assert crop(image, np.full((5, 2), np.nan, np.float32)) is None
    assert crop(image, np.ones((5, 2), np.float32)) is None
