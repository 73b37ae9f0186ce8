"""Text in scripts whose letters change with their neighbours: Arabic, Thai, Devanagari and their kin.

OpenCV has neither their glyphs nor the rules by which they join. Pillow's libraqm has the rules, and the
system may have a font; where either is missing, OpenCV draws question marks.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.types import Image

Mask = npt.NDArray[np.uint8]

# Code points, and fonts by file name: Noto's (Linux), then those of DejaVu or Lohit, Windows, macOS.
_INDIC = ("NirmalaB.ttf", "Nirmala.ttf", "Nirmala.ttc")
_SCRIPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Arabic": (
        "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff",
        ("DejaVuSans-Bold.ttf", "segoeuib.ttf", "GeezaPro.ttc"),
    ),
    "Thai": ("\u0e00-\u0e7f", ("Loma-Bold.ttf", "LeelaUIb.ttf", "LeelawUI.ttf", "Thonburi.ttc")),
    "Devanagari": ("\u0900-\u097f", ("Lohit-Devanagari.ttf", *_INDIC, "Kohinoor.ttc")),
    "Bengali": ("\u0980-\u09ff", ("Lohit-Bengali.ttf", *_INDIC, "KohinoorBangla.ttc")),
    "Gurmukhi": ("\u0a00-\u0a7f", ("Lohit-Gurmukhi.ttf", *_INDIC, "Gurmukhi.ttf")),
    "Gujarati": ("\u0a80-\u0aff", ("Lohit-Gujarati.ttf", *_INDIC, "KohinoorGujarati.ttc")),
    "Oriya": ("\u0b00-\u0b7f", ("Lohit-Odia.ttf", *_INDIC)),
    "Tamil": ("\u0b80-\u0bff", ("Lohit-Tamil.ttf", *_INDIC, "Tamil MN.ttc")),
    "Telugu": ("\u0c00-\u0c7f", ("Lohit-Telugu.ttf", *_INDIC, "KohinoorTelugu.ttc")),
    "Kannada": ("\u0c80-\u0cff", ("Lohit-Kannada.ttf", *_INDIC, "NotoSansKannada.ttc")),
    "Malayalam": ("\u0d00-\u0d7f", ("Lohit-Malayalam.ttf", *_INDIC, "Malayalam MN.ttc")),
    "Sinhala": ("\u0d80-\u0dff", _INDIC),
    "Lao": ("\u0e80-\u0eff", ("LeelaUIb.ttf", "Lao MN.ttc")),
    "Myanmar": ("\u1000-\u109f", ("mmrtextb.ttf", "NotoSansMyanmar.ttc")),
    "Khmer": ("\u1780-\u17ff", ("LeelaUIb.ttf", "Khmer MN.ttc")),
}
# Joiners belong to the letters around them; a space between two words of one script is the script's.
_RUNS = re.compile(
    "|".join(
        f"(?P<{script}>[{points}][{points}\u200c\u200d]*(?: [{points}][{points}\u200c\u200d]*)*)"
        for script, (points, _) in _SCRIPTS.items()
    )
)
_SIZE = 0.86  # of OpenCV's: these scripts reach further up and down in a font of the same size


@dataclass(frozen=True, slots=True)
class Shaped:
    """A run of text, drawn."""

    mask: Mask  # (height, width), 0 nothing .. 255 ink
    left: int  # of the mask, in pixels from where the pen begins
    top: int  # of the mask, in pixels from the baseline; negative is above
    advance: int  # of the pen, pixels


def pieces(text: str) -> list[tuple[str, str | None]]:
    """`text` in parts from left to right, each with the script that it must be shaped in, or None."""
    found: list[tuple[str, str | None]] = []
    at = 0
    for run in _RUNS.finditer(text):
        if run.start() > at:
            found.append((text[at : run.start()], None))
        found.append((run[0], run.lastgroup))
        at = run.end()
    return [*found, (text[at:], None)] if at < len(text) or not text else found


@functools.lru_cache(maxsize=512)
def shaped(text: str, script: str, pixels: int) -> Shaped | None:
    """A run of one script in a font of size `pixels`; None where it cannot be shaped here."""
    font = _font(script, max(1, round(_SIZE * pixels)))
    if font is None:
        return None
    core, (left, top) = font.getmask2(text, mode="L", anchor="ls")
    mask = np.asarray(core, np.uint8).reshape(core.size[::-1])
    return Shaped(mask, int(left), int(top), round(font.getlength(text)))


def put(image: Image, run: Shaped, pen: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Draw a run into `image` (changed in place), its pen at `(x, y)` on the baseline; outside is cut off."""
    x, y = pen[0] + run.left, pen[1] + run.top
    height, width = run.mask.shape
    top, left = max(0, -y), max(0, -x)
    bottom, right = min(height, image.shape[0] - y), min(width, image.shape[1] - x)
    if top >= bottom or left >= right:
        return
    ink = run.mask[top:bottom, left:right, None].astype(np.uint16)
    part = image[y + top : y + bottom, x + left : x + right]
    part[:] = (part * (255 - ink) + np.array(colour, np.uint16) * ink + 127) // 255


@functools.cache
def _font(script: str, pixels: int) -> Any:
    """Pillow's font for a script, or None where Pillow, libraqm or a font is missing."""
    try:
        from PIL import ImageFont, features
    except ImportError:
        return None
    if not features.check("raqm"):
        return None
    noto = (f"NotoSans{script}-Bold.ttf", f"NotoSans{script}-Regular.ttf")
    for name in (*noto, *_SCRIPTS[script][1]):
        try:
            return ImageFont.truetype(name, pixels, layout_engine=ImageFont.Layout.RAQM)
        except OSError:
            continue  # this system does not have it
    return None
