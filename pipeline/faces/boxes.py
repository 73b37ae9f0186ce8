"""Geometry of boxes, on arrays."""

from __future__ import annotations

import numpy as np

from pipeline.types import Bools, Floats


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box of `a` (n, 4) with every box of `b` (m, 4), as (n, m) in 0..1."""
    overlap = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - overlap
    return np.where(union > 0, overlap / np.maximum(union, 1e-9), 0).astype(np.float32)


def intersection(a: Floats, b: Floats) -> Floats:
    """Area that every box of `a` (n, 4) shares with every box of `b` (m, 4), as (n, m)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.clip(bottom_right - top_left, 0, None).prod(axis=2), np.float32)


def nested(boxes: Floats, share: float) -> Bools:
    """Whether each box (n, 4) shares `share` of the smaller area with one standing before it, (n,)."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.bool_)
    areas = area(boxes)
    smaller = np.maximum(np.minimum(areas[:, None], areas[None, :]), 1e-9)
    return np.asarray(np.triu(intersection(boxes, boxes) >= share * smaller, 1).any(axis=0))


def area(boxes: Floats) -> Floats:
    """Area of each box of (n, 4), as (n,); zero where a box is inside out."""
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1), np.float32)
