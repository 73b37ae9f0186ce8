"""Covering parts of a picture, so that nobody can be recognised in them."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from pipeline.types import Floats, Image

Style = Literal["pixelated", "blurred", "filled"]

CELLS = 4  # along the shorter side of what is covered
STEPS = 32  # grey levels of 256 that are told apart: what a mosaic shows as it moves over a face is less
BEYOND = 0.15  # share of its sides by which a box may reach out of another that takes it in
INK = (58, 58, 58)  # BGR, of what is filled


def cover(image: Image, boxes: Floats, style: Style) -> Image:
    """A copy of a picture (height, width, 3) BGR with the boxes (n, 4) covered; they may reach beyond it.

    What is covered is whole pixels, never less than a box. `pixelated` and `blurred` keep `CELLS` mean
    colours along the shorter side, of which the latter draws gradients; `filled` keeps nothing.
    """
    canvas = image.copy()
    height, width = image.shape[:2]
    boxes = joined(np.clip(boxes, -1e6, 1e6))
    corners = np.stack([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    places = [
        (left, top, right, bottom)
        for (x1, y1), (x2, y2) in corners.astype(int).tolist()
        if (left := max(0, x1)) < (right := min(width, x2))
        and (top := max(0, y1)) < (bottom := min(height, y2))
    ]
    # The largest first, each on what is covered already: a small one must not show more of a large one.
    for left, top, right, bottom in sorted(places, key=_area, reverse=True):
        part = canvas[top:bottom, left:right]
        part[:] = INK if style == "filled" else _coarse(part, style)
    return canvas


def joined(boxes: Floats) -> Floats:
    """Boxes (n, 4) with those that lie within larger ones, all but a little, joined to these; (m, 4).

    They cover all that they did, and a little more. A face that is seen in many frames is covered by many
    boxes, which are all but the same, and each costs as much as the first.
    """
    if len(boxes) < 2:
        return boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    boxes, sides = (each[np.argsort(-sides.prod(axis=1), kind="stable")] for each in (boxes, sides))
    (left, top), (right, bottom) = (boxes[:, :2] + BEYOND * sides).T, (boxes[:, 2:] - BEYOND * sides).T
    within = left[:, None] >= boxes[None, :, 0]  # row by row, in which others
    within &= top[:, None] >= boxes[None, :, 1]
    within &= right[:, None] <= boxes[None, :, 2]
    within &= bottom[:, None] <= boxes[None, :, 3]
    # The first of those is the largest; each is in itself. One that is joined takes along what joined it.
    first = np.minimum(within.argmax(axis=1), np.arange(len(boxes)))
    while (first != first[first]).any():
        first = first[first]
    whole = boxes.copy()
    np.minimum.at(whole[:, :2], first, boxes[:, :2])
    np.maximum.at(whole[:, 2:], first, boxes[:, 2:])
    return np.asarray(whole[np.unique(first)], np.float32)


def _area(place: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = place
    return (right - left) * (bottom - top)


def _coarse(part: Image, style: Style) -> Image:
    """Mean colours of a few cells, in steps, in the size of the part."""
    height, width = part.shape[:2]
    cell = max(1.0, min(height, width) / CELLS)
    cells = max(1, round(width / cell)), max(1, round(height / cell))
    means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    means = np.minimum(means // STEPS * STEPS + STEPS // 2, 255).astype(np.uint8)
    if style == "pixelated":
        return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
