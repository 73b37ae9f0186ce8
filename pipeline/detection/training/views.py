"""What detectors are shown of a picture while places are gathered: itself, and what it could have been."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.detection.training.prepare import FACE_CLASS
from pipeline.types import Floats, Image

PIECES, PIECE = 2, (0.4, 0.75)  # of a picture without anybody, and their sides in its own
LARGE = 0.22  # share of a picture's width or height from which a face in it is large
AROUND = (0.65, 1.3)  # sides of a large face that are shown on each side of its middle
SMALL, SOFT = (40, 110), (200, 420)  # pixels: the long side that is left of it, and the one it is brought to
LEAST_SIDE = 40  # pixels of a piece, so that something is left to be seen

# A BGR picture (h, w, 3) and its labels (k, 5), as of `candidates.labelled`, to such pictures with theirs.
Views = Callable[[Image, Floats, np.random.Generator], list[tuple[Image, Floats]]]


def turned(image: Image, labels: Floats, random: np.random.Generator) -> list[tuple[Image, Floats]]:
    """A picture without anybody as it is and by three quarter turns, and pieces of it, turned as well.

    What is taken for a face by chance is another thing each time, and nobody's face all the same.

    Raises:
        ValueError: the picture has labels.
    """
    if len(labels):
        raise ValueError("turned pictures are of nobody: their labels would have to turn, too")
    height, width = image.shape[:2]
    views = [np.rot90(image, quarters) for quarters in range(4)]
    for _ in range(PIECES):
        part = random.uniform(*PIECE)
        wide, high = max(1, round(part * width)), max(1, round(part * height))
        x, y = random.integers(width - wide + 1), random.integers(height - high + 1)
        views.append(np.rot90(image[y : y + high, x : x + wide], int(random.integers(4))))
    return [(np.ascontiguousarray(view), labels) for view in views]


def softened(image: Image, labels: Floats, random: np.random.Generator) -> list[tuple[Image, Floats]]:
    """A picture as it is, and one of its large faces, if any, as a small picture made large shows it."""
    views = [(image, labels)]
    large = labels[(labels[:, 0] == FACE_CLASS) & (labels[:, 3:].max(axis=1, initial=0) > LARGE)]
    if not len(large):
        return views
    face, sides = large[random.integers(len(large))], np.array(image.shape[1::-1], np.float32)
    middle, reach = face[1:3] * sides, random.uniform(*AROUND) * float((face[3:] * sides).max())
    low = np.maximum(0, middle - reach).astype(int)
    high = np.minimum(sides, middle + reach).astype(int)
    piece = image[low[1] : high[1], low[0] : high[0]]
    if min(piece.shape[:2]) < LEAST_SIDE:
        return views
    small = _scaled(piece, random.uniform(*SMALL), cv2.INTER_AREA)
    soft = _scaled(small, random.uniform(*SOFT), int(random.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    moved = labels.copy()
    moved[:, 1:3] = (labels[:, 1:3] * sides - low) / (high - low)
    moved[:, 3:] = labels[:, 3:] * sides / (high - low)
    return [*views, (soft, moved)]


def _scaled(image: Image, side: float, how: int) -> Image:
    """The picture with a long side of `side` pixels."""
    scale = side / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
