"""HEIC, in which iPhones keep their photographs and which OpenCV cannot read."""

from __future__ import annotations

import io

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.types import Image

# Brands by which a file says that its pictures are HEVC (ISO/IEC 23008-12), or that its items may be.
BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1"})


def decode(data: bytes, name: str) -> Image:
    """The primary picture of a HEIC file as `(height, width, 3)` uint8 BGR, turned and mirrored as it says.

    Raises:
        SourceError: the extra `recog[heic]` is not installed, or the file is damaged.
    """
    try:
        import pi_heif
    except ImportError:
        raise SourceError(
            f"{name} is a HEIC picture, as iPhones take them; to read it, install recog[heic] "
            "(in a checkout: uv sync --inexact --extra heic), or save it as JPEG"
        ) from None
    try:
        opened = pi_heif.open_heif(io.BytesIO(data))  # of more than eight bits it makes eight
        pixels = np.array(
            opened
        )  # a copy: the memory goes with `opened`, which the array does not keep alive
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError) as error:
        raise SourceError(f"{name} is damaged or cut short; copy it again ({error})") from error
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if grey else pixels[..., 2::-1], np.uint8)
