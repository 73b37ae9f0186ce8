"""Covering parts of a picture, so that nobody can be recognised in them."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np

from pipeline.types import Floats, Image

Style = Literal["pixelated", "blurred", "filled"]

CELLS = 4  # along the shorter side of what is covered, at most, but for what juts out of whole ones
STEPS = 32  # grey levels of 256 that are told apart: what a mosaic shows as it moves over a face is less
BEYOND = 0.35  # share of its sides by which a box may reach out of another that takes it in
INK = (58, 58, 58)  # BGR, of what is filled
_MANY = 200  # boxes that are compared with each other at once
_POINTS = 8  # pixels along a side of a cell, of which its colour is the mean where it is large
_LEVELS = np.minimum(np.arange(256) // STEPS * STEPS + STEPS // 2, 255).astype(np.uint8)  # what each becomes
_INWARDS = np.array(
    [[1], [1], [-1], [-1]], np.float32
)  # times an edge, and it is larger the farther in it is


def cover(image: Image, boxes: Floats, style: Style, in_place: bool = False) -> Image:
    """A picture (height, width, 3) BGR with the boxes (n, 4) covered; they may reach beyond it.

    What is covered is whole pixels, never less than a box. `pixelated` and `blurred` keep mean colours, of
    cells that are at least a `CELLS`-th of the shorter side; the latter draws gradients between them.
    `filled` keeps nothing.

    Args:
        in_place: cover them in the picture itself, and not in a copy of it.
    """
    canvas = image if in_place else image.copy()
    ink = np.full((image.shape[1], 3), INK, np.uint8)  # a line of it
    # The largest first, each on what is covered already: a small one must not show more of a large one.
    for place in _places(boxes, image.shape[1], image.shape[0]):
        if style == "filled":
            left, top, right, bottom = place
            canvas[top:bottom, left:right] = ink[left:right]
        else:
            _coarsen(canvas, place, style)
    return canvas


def _places(boxes: Floats, width: int, height: int) -> list[list[int]]:
    """The pixels (left, top, right, bottom) of a picture of this size that hold the boxes, largest first."""
    size = np.array([width, height, width, height], np.float32)
    corners = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    corners = np.minimum(np.maximum(corners, 0), size)
    inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    places: list[list[int]] = joined(corners[inside]).astype(int).tolist()
    return places


def joined(boxes: Floats) -> Floats:
    """Boxes (n, 4) with those that lie within larger ones, all but a little, joined to these; (m, 4).

    The largest come first, by what they were before.

    They cover all that they did, and a little more. A face that is seen in many frames is covered by many
    boxes, which are all but the same, and each costs as much as the first.
    """
    if len(boxes) < 2:
        return boxes
    if len(boxes) > _MANY:  # neighbours first: the time grows with the square
        beside = np.array_split(boxes[np.argsort(boxes[:, 0])], math.ceil(2 * len(boxes) / _MANY))
        boxes = np.concatenate([*map(_joined, beside)])
    return _joined(boxes)


def _joined(boxes: Floats) -> Floats:
    """The same, each compared with each; there is one at least."""
    # One row for each edge, all of them larger the farther in they are: left, top, -right, -bottom.
    edges = np.ascontiguousarray(boxes.T) * _INWARDS
    sides = -(edges[:2] + edges[2:])
    order = np.argsort(-sides[0] * sides[1], kind="stable")
    edges, sides = edges[:, order], sides[:, order]
    inner = edges + BEYOND * np.concatenate([sides, sides])
    within = inner[0, :, None] >= edges[0]  # row by row, in which others
    for edge in (1, 2, 3):
        within &= inner[edge, :, None] >= edges[edge]
    # The first of those is the largest; each is in itself. One that is joined takes along what joined it.
    own = np.arange(len(boxes))
    first = np.minimum(within.argmax(axis=1), own)
    while (first != (further := first[first])).any():
        first = further
    group = np.argsort(first, kind="stable")
    begins = np.searchsorted(first[group], np.flatnonzero(first == own))
    whole = np.minimum.reduceat(edges[:, group], begins, axis=1) * _INWARDS
    return np.ascontiguousarray(whole.T, np.float32)


def _coarsen(canvas: Image, place: list[int], style: Style) -> None:
    """Paint over a place in a picture with the mean colours of a few cells of it, in steps.

    The cells lie at the same places in every picture, and come in powers of two. So they stay where they are
    while what is covered moves and grows: a film of them is smaller, and of a face that
    keeps still one mosaic is shown, and not many.
    """
    left, top, right, bottom = place
    cell = 1 << max(0, math.ceil(math.log2(min(right - left, bottom - top) / CELLS)))
    x, y = left // cell * cell, top // cell * cell
    columns, rows = math.ceil((right - x) / cell), math.ceil((bottom - y) / cell)
    # So many pixels of a cell say as much of its colour as all do.
    points, apart = min(cell, _POINTS), max(1, cell // _POINTS)
    part = canvas[y : y + rows * cell, x : x + columns * cell]
    size = max(1, part.shape[1] // apart), max(1, part.shape[0] // apart)
    few = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)
    beyond = rows * points - size[1], columns * points - size[0]  # the edges of the picture
    if any(beyond):
        few = cv2.copyMakeBorder(few, 0, beyond[0], 0, beyond[1], cv2.BORDER_REPLICATE)
    means = cv2.LUT(cv2.resize(few, (columns, rows), interpolation=cv2.INTER_AREA), _LEVELS)
    if style == "blurred":
        whole = cv2.resize(means, (columns * cell, rows * cell), interpolation=cv2.INTER_LINEAR)
        canvas[top:bottom, left:right] = whole[top - y : bottom - y, left - x : right - x]
        return
    lines = cv2.resize(means, (columns * cell, rows), interpolation=cv2.INTER_NEAREST)
    for line in lines[:, left - x : right - x]:
        end = min(bottom, top // cell * cell + cell)
        canvas[top:end, left:right] = line
        top = end
