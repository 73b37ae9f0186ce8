"""Text on pictures, in any script that OpenCV's fonts hold or that Pillow shapes in a font of the system's.

OpenCV 5 draws UTF-8 text with TrueType fonts of its own (Latin, Greek, Cyrillic, Chinese, Japanese, Korean;
others come out as question marks). OpenCV 4 has line fonts that know ASCII only: there, accents are taken off
and what is left is a question mark.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import cv2

from pipeline.drawing.shaping import pieces, put, shaped
from pipeline.types import Image

Colour = tuple[int, int, int]  # blue, green, red

_TRUETYPE = hasattr(cv2, "FontFace")
_WEIGHT = 600  # semibold; thin strokes vanish at ten pixels
# Letters with an ascender and a descender: lines of text are placed by these, whatever they say.
_ASCENT, _DESCENT = 0.86, 0.24  # of the font size
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]+(?: [\u0590-\u08ff]+)*")


def text_size(text: str, pixels: int) -> tuple[int, int]:
    """`(width, height)` in pixels of a line of `text` in a font of size `pixels`.

    The height depends on `pixels` alone, so that labels beside each other line up.
    """
    height = round((_ASCENT + _DESCENT) * pixels)
    width = 0
    for piece, script in pieces(_one_line(text)):
        run = shaped(piece, script, pixels) if script else None
        width += run.advance if run else _width(_drawable(piece), pixels)
    return width, height


def put_text(image: Image, text: str, corner: tuple[int, int], pixels: int, colour: Colour) -> None:
    """Write a line of `text` into `image` (changed in place), its top left corner at `corner` `(x, y)`."""
    x, baseline = corner[0], corner[1] + round(_ASCENT * pixels)
    for piece, script in pieces(_one_line(text)):
        run = shaped(piece, script, pixels) if script else None
        if run:
            put(image, run, (x, baseline), colour)
            x += run.advance
            continue
        drawable = _drawable(piece)
        if _TRUETYPE:
            cv2.putText(image, drawable, (x, baseline), colour, _font(), pixels, _WEIGHT)
        else:
            scale, thickness = _line_font(pixels)
            place = (x, baseline)
            cv2.putText(
                image, drawable, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
            )
        x += _width(drawable, pixels)


def shorten(text: str, pixels: int, width: int) -> str:
    """`text`, or as much of its beginning as fits into `width` pixels, with an ellipsis."""
    if text_size(text, pixels)[0] <= width:
        return text
    kept = len(text)
    while kept > 1 and text_size(text[:kept] + "…", pixels)[0] > width:
        kept -= 1
    return text[:kept].rstrip() + "…"


def _one_line(text: str) -> str:
    plain = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
    return unicodedata.normalize("NFC", plain)


def _width(drawable: str, pixels: int) -> int:
    """Pixels by which OpenCV moves the pen."""
    if not drawable:
        return 0
    if _TRUETYPE:
        # Where the pen is after drawing counts the space around the last letter as well.
        _, _, width, _ = cv2.getTextSize((0, 0), drawable, (0, 0), _font(), pixels, _WEIGHT)
        return int(width)
    (width, _), _ = cv2.getTextSize(drawable, cv2.FONT_HERSHEY_SIMPLEX, *_line_font(pixels))
    return int(width)


def _drawable(text: str) -> str:
    """What OpenCV's font can draw."""
    if _TRUETYPE:
        # OpenCV sets every script from left to right; Hebrew and Arabic are turned here. Arabic letters then
        # stand unjoined, which can be read; in the wrong order they cannot.
        return _RIGHT_TO_LEFT.sub(lambda run: run[0][::-1], text)
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(plain).encode("ascii", "replace").decode()


def _line_font(pixels: int) -> tuple[float, int]:
    """Scale and thickness of OpenCV 4's line font for a font size in pixels."""
    return pixels / 30, max(1, round(pixels / 14))


@functools.cache
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")
