"""From a picture as it is stored to one as it is seen: square pixels, upright, not mirrored."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from pipeline.types import Image

LONGEST_SIDE = 8192  # pixels; a pixel shape that asks for more is not believed
_WORTH = 0.01  # deviation from square pixels below which a picture stays as it is


def squared(image: Image, aspect: Fraction | None) -> Image:
    """The picture with square pixels. One side grows, none shrinks: no detail is lost.

    Args:
        aspect: width of a stored pixel divided by its height; None or 0 where it is not known.
    """
    if not aspect or abs(float(aspect) - 1) < _WORTH:
        return image
    height, width = image.shape[:2]
    if aspect > 1:
        width = round(width * aspect)
    else:
        height = round(height / aspect)
    if max(width, height) > LONGEST_SIDE:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def upright(image: Image, matrix: tuple[int, int, int, int] | None) -> Image:
    """The picture turned and mirrored by quarter turns.

    Args:
        matrix: a, b, c, d of a container's display matrix: what is at (x, y) belongs at (ax + cy, bx + dy).
    """
    if matrix is None:
        return image
    a, b, c, d = matrix
    across, down = a, d
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = np.asarray(cv2.transpose(image), np.uint8), c, b
    if across < 0 and down < 0:
        return np.asarray(cv2.flip(image, -1), np.uint8)
    if across < 0 or down < 0:
        return np.asarray(cv2.flip(image, 1 if across < 0 else 0), np.uint8)
    return image
