"""The box of a face in a picture that is rolled: of the ellipse that fills its box, not of the box's corners.

The box around the corners of a box rolled by 7 degrees is a quarter larger. Detectors that learned from such
labels drew boxes a tenth too wide and high, whatever the picture (docs/experiments.md). A face is round: what
it fills in a rolled picture is nearer to the box of a rolled ellipse, which a circle leaves as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def of_ellipses(boxes: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The boxes (n, 4), x1 y1 x2 y2, of the ellipses in boxes (n, 4) as an affine map takes them.

    An ellipse with half axes a along x and b along y is the unit circle under diag(a, b). Mapped by A its
    box reaches sqrt((A11 a)^2 + (A12 b)^2) to the sides, and likewise up and down.

    Args:
        affine: (2, 3) or (3, 3), from pixels to pixels.
    """
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    linear, offset = affine[:2, :2], affine[:2, 2]
    middle = middle @ linear.T + offset
    half = np.sqrt(np.square(half) @ np.square(linear).T)
    return np.concatenate([middle - half, middle + half], axis=1).astype(boxes.dtype)


@contextmanager
def rolled_as_ellipses() -> Iterator[None]:
    """Have ultralytics label rolled, scaled and moved images so, as long as this lasts."""
    from ultralytics.data.augment import RandomPerspective

    theirs = RandomPerspective.apply_bboxes

    def ours(transform: Any, boxes: np.ndarray, affine: np.ndarray) -> np.ndarray:
        if transform.perspective:  # no affine map; ours never are
            return np.asarray(theirs(transform, boxes, affine))
        return of_ellipses(boxes, affine)

    RandomPerspective.apply_bboxes = ours  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        RandomPerspective.apply_bboxes = theirs  # type: ignore[method-assign]
