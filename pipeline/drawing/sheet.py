"""Contact sheets: many captioned pictures in one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.drawing.draw import DARK, WHITE
from pipeline.drawing.lettering import put_text, shorten, text_size
from pipeline.types import Image


def contact_sheet(
    pictures: Sequence[tuple[Image, str]],
    *,
    columns: int | None = None,
    cell: tuple[int, int] = (320, 180),
    caption_pixels: int = 18,
) -> Image:
    """Lay pictures out in rows, each with its caption beneath, on a dark ground.

    Args:
        pictures: `(image, caption)`; images `(height, width, 3)` uint8 BGR of any size, fitted into the cell
            whole. An empty caption on all of them leaves no room for captions.
        columns: by default as many as make the sheet about as wide as a screen is.
        cell: `(width, height)` of the room for one picture, in pixels.
        caption_pixels: font size.

    Raises:
        ValueError: no pictures.
    """
    if not pictures:
        raise ValueError("a contact sheet needs at least one picture")
    width, height = cell
    gap = max(4, width // 40)
    captioned = any(caption for _, caption in pictures)
    row = height + (text_size("", caption_pixels)[1] + gap if captioned else 0) + gap
    if columns is None:
        columns = round(math.sqrt(len(pictures) * (16 / 9) * row / (width + gap)))
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * row + gap, columns * (width + gap) + gap, 3), DARK, np.uint8)
    for i, (image, caption) in enumerate(pictures):
        left, top = gap + i % columns * (width + gap), gap + i // columns * row
        sheet[top : top + height, left : left + width] = letterbox(image, cell, DARK)
        text = shorten(caption, caption_pixels, width)
        put_text(sheet, text, (left, top + height + gap // 2), caption_pixels, WHITE)
    return sheet


def letterbox(image: Image, size: tuple[int, int], colour: tuple[int, int, int] = (0, 0, 0)) -> Image:
    """`image` scaled to fit whole into `size` `(width, height)`, centred, the rest filled with `colour`."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    fitted = (max(1, round(scale * width)), max(1, round(scale * height)))
    # Averaging when shrinking, or fine patterns flicker from frame to frame.
    resized = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.full((size[1], size[0], 3), colour, np.uint8)
    left, top = (size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2
    canvas[top : top + fitted[1], left : left + fitted[0]] = resized
    return canvas
