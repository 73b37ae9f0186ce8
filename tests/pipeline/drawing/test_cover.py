"""What is covered is covered to its last pixel, and nothing beside it is touched."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.drawing.cover import CELLS, INK, STEPS, Style, cover, joined
from pipeline.types import Bools, Floats, Image

STYLES: tuple[Style, ...] = ("pixelated", "blurred", "filled")


@pytest.fixture
def noise() -> Image:
    return np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize("style", STYLES)
def test_a_box_is_covered_and_nothing_else_changes(noise: Image, style: Style) -> None:
    before = noise.copy()
    shown = cover(noise, boxes((30.4, 20.2, 90.6, 80.7)), style)
    assert (noise == before).all()  # a copy
    changed = (shown != noise).any(axis=2)
    assert changed[20:81, 30:91].mean() > 0.97
    changed[20:81, 30:91] = False
    assert not changed.any()
    assert shown[20:81, 30:91].astype(float).std() < 0.4 * noise.astype(float).std()


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_may_be_covered_itself_as_a_copy_of_it_is(noise: Image, style: Style) -> None:
    place = boxes((30.4, 20.2, 90.6, 80.7))
    copied = cover(noise, place, style)
    assert cover(noise, place, style, in_place=True) is noise
    assert (noise == copied).all()


def test_filled_leaves_nothing(noise: Image) -> None:
    shown = cover(noise, boxes((30, 20, 90, 80)), "filled")
    assert (shown[20:80, 30:90] == INK).all()


def test_pixelated_keeps_a_few_colours_in_steps(noise: Image) -> None:
    part = cover(noise, boxes((0, 0, 64, 64)), "pixelated")[:64, :64]
    blocks = part.reshape(CELLS, 64 // CELLS, CELLS, 64 // CELLS, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert set(np.unique(part % STEPS)) == {STEPS // 2}


@pytest.mark.parametrize("side", [9, 30, 64, 65, 100])
def test_few_cells_lie_along_a_box_wherever_it_is(noise: Image, side: int) -> None:
    shown = cover(noise, boxes((13, 11, 13 + side, 11 + side)), "pixelated")[11 : 11 + side, 13 : 13 + side]
    assert (np.diff(shown.astype(int), axis=1) != 0).any(axis=(0, 2)).sum() <= CELLS  # edges of cells


def test_cells_stay_where_they_are_while_a_box_moves_over_what_keeps_still(noise: Image) -> None:
    first, then = (
        cover(noise, boxes((20 + more, 20 + more, 80 + more, 80 + more)), "pixelated") for more in (0, 7)
    )
    assert (first[27:80, 27:80] == then[27:80, 27:80]).all()


@pytest.mark.parametrize("side", [61, 63, 90])
def test_cells_are_means_of_nearly_all_that_they_cover(side: int) -> None:
    slope = np.repeat(np.linspace(0, 255, side).astype(np.uint8)[None, :, None], side, axis=0).repeat(
        3, axis=2
    )
    shown = cover(slope, boxes((0, 0, side, side)), "pixelated")
    assert np.abs(shown.astype(float) - slope).mean() < STEPS
    assert CELLS / 2 <= len(np.unique(shown)) <= CELLS


def test_what_differs_by_less_than_a_step_looks_alike(noise: Image) -> None:
    base = np.full((64, 64, 3), 130, np.uint8)
    other = base.copy()
    other[10:20, 10:20] += 20
    whole = boxes((0, 0, 64, 64))
    assert (cover(base, whole, "blurred") == cover(other, whole, "blurred")).all()


@pytest.mark.parametrize("style", STYLES)
def test_boxes_may_reach_beyond_the_picture_or_lie_outside(noise: Image, style: Style) -> None:
    shown = cover(noise, boxes((-50, -50, 20, 20), (190, 110, 900, 900), (300, 300, 400, 400)), style)
    assert (shown[:20, :20] != noise[:20, :20]).any(axis=2).mean() > 0.97
    assert (shown[110:, 190:] != noise[110:, 190:]).any(axis=2).mean() > 0.9
    assert (shown[30:100, 30:180] == noise[30:100, 30:180]).all()
    assert (cover(noise, boxes((50, 50, 50, 90), (20, 20, 10, 10)), style) == noise).all()
    assert (cover(noise, boxes(), style) == noise).all()


def test_a_small_box_does_not_show_more_of_a_large_one(noise: Image) -> None:
    large, small = (0, 0, 120, 120), (40, 40, 52, 52)
    both = cover(noise, boxes(small, large), "pixelated")[40:52, 40:52]
    alone = cover(noise, boxes(large), "pixelated")[40:52, 40:52]
    assert len(np.unique(both.reshape(-1, 3), axis=0)) <= len(np.unique(alone.reshape(-1, 3), axis=0)) + 5
    assert np.abs(both.astype(int) - alone).mean() <= STEPS


def test_boxes_that_all_but_lie_in_larger_ones_are_joined_to_them_and_nothing_is_uncovered() -> None:
    random = np.random.default_rng(0)
    middles, sides = random.uniform(40, 160, (12, 2)), random.uniform(10, 40, (12, 1))
    shaken = np.repeat(middles, 20, axis=0) + random.normal(0, 1, (240, 2))
    half = np.repeat(sides, 20, axis=0) * random.uniform(0.9, 1.1, (240, 1)) / 2
    boxes = np.concatenate([shaken - half, shaken + half], axis=1).astype(np.float32)
    found = joined(boxes)
    assert len(found) < 60
    before, after = (filled(each) for each in (boxes, found))
    assert after[before].all()
    assert after.sum() < 1.25 * before.sum()


def test_boxes_apart_are_left_as_they_are() -> None:
    boxes = np.array([[0, 0, 10, 10], [8, 0, 18, 10], [50, 50, 51, 51]], np.float32)
    assert sorted(joined(boxes).tolist()) == sorted(boxes.tolist())
    assert joined(np.zeros((0, 4), np.float32)).shape == (0, 4)


def filled(boxes: Floats) -> Bools:
    mask = np.zeros((200, 200), np.bool_)
    for x1, y1, x2, y2 in boxes:
        mask[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))] = True
    return mask
