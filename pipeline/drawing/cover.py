"""Covering parts of a picture, so that nobody can be recognised in them."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from pipeline.types import Floats, Image

Style = Literal["pixelated", "blurred", "filled"]

CELLS = 4  # along the shorter side of what is covered
STEPS = 32  # grey levels of 256 that are told apart: what a mosaic shows as it moves over a face is less
BEYOND = 0.35  # share of its sides by which a box may reach out of another that takes it in
INK = (58, 58, 58)  # BGR, of what is filled
_POINTS = 8  # pixels along a side of a cell, of which its colour is the mean where it is large
_LEVELS = np.minimum(np.arange(256) // STEPS * STEPS + STEPS // 2, 255).astype(np.uint8)  # what each becomes


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
        if style == "filled":
            cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), INK, cv2.FILLED)
        else:
            _coarsen(canvas[top:bottom, left:right], style)
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


def _coarsen(part: Image, style: Style) -> None:
    """Paint over a part of a picture with the mean colours of a few cells of it, in steps."""
    height, width = part.shape[:2]
    cell = max(1.0, min(height, width) / CELLS)
    columns, rows = max(1, round(width / cell)), max(1, round(height / cell))
    # Cells of whole pixels are four times as fast; what is left over at the edges has no say in the means.
    few = part[: height // rows * rows, : width // columns * columns]
    if cell > 2 * _POINTS:  # so many pixels of a cell say as much of its colour as all do
        points = _POINTS * columns, _POINTS * rows
        few = np.asarray(cv2.resize(part, points, interpolation=cv2.INTER_NEAREST), np.uint8)
    means = cv2.LUT(cv2.resize(few, (columns, rows), interpolation=cv2.INTER_AREA), _LEVELS)
    if style == "blurred":
        cv2.resize(means, (width, height), dst=part, interpolation=cv2.INTER_CUBIC)
        return
    lines = cv2.resize(means, (width, rows), interpolation=cv2.INTER_NEAREST)
    for row in range(rows):
        part[row * height // rows : (row + 1) * height // rows] = lines[row]
