"""Pictures that OpenCV does not read, or not as they are meant: AVIF, HEIC, JPEG XL, floating-point TIFF."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.sources import heic
from pipeline.sources.quiet import quiet_opencv
from pipeline.types import Image


def decode(path: Path, data: bytes, kind: str) -> Image:
    """The picture `(height, width, 3)` uint8 BGR, upright.

    Args:
        path: what to call it.
        kind: one of `DECODERS`.

    Raises:
        SourceError: damaged, or the library that reads it is not installed.
    """
    try:
        return np.ascontiguousarray(DECODERS[kind](path, data))
    except (OSError, ValueError, RuntimeError, SyntaxError, cv2.error) as error:  # all that decoders raise
        why = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{path} is damaged or cut short ({why}); open it in an image viewer") from error


def _avif(path: Path, data: bytes) -> Image:
    """Pillow tells the turn and the mirroring of the container (`irot`, `imir`) as an EXIF orientation."""
    from PIL import Image as Pictures
    from PIL import ImageOps

    with Pictures.open(io.BytesIO(data), formats=["AVIF"]) as opened:
        return _as_bgr(ImageOps.exif_transpose(opened))


def _heic(path: Path, data: bytes) -> Image:
    return heic.decode(data, str(path))


def _jpeg_xl(path: Path, data: bytes) -> Image:
    try:
        import imagecodecs
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{path} is a JPEG XL picture, which needs a library more: pip install imagecodecs; "
            "or save it as JPEG"
        ) from error
    return _in_eight_bits(np.asarray(imagecodecs.jpegxl_decode(data)))[..., ::-1]


def _float_tiff(path: Path, data: bytes) -> Image:
    quiet_opencv()
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise SourceError(f"{path} is damaged or cut short, or holds numbers of a kind that is not read here")
    return _in_eight_bits(np.asarray(found))


def _as_bgr(picture: Any) -> Image:
    return np.asarray(picture.convert("RGB"), np.uint8)[..., ::-1]


def _in_eight_bits(image: Any) -> Image:
    """(h, w), (h, w, 1 to 4) of any type as (h, w, 3) uint8, the order of the channels as it was.

    Floating-point numbers have no agreed white: 1 where nothing is above it, else 255, else the largest.
    """
    if image.ndim == 2 or image.shape[2] == 2:
        image = image[..., :1] if image.ndim == 3 else image[..., None]
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    if np.issubdtype(image.dtype, np.integer):
        return np.asarray(image.astype(np.float64) * (255 / np.iinfo(image.dtype).max) + 0.5, np.uint8)
    values = np.nan_to_num(image.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    white = 1.0 if top <= 1 else 255.0 if top <= 255 else top
    return np.asarray(np.clip(values * (255 / white) + 0.5, 0, 255), np.uint8)


DECODERS: dict[str, Callable[[Path, bytes], Image]] = {
    "avif": _avif,
    "heic": _heic,
    "jpeg xl": _jpeg_xl,
    "float tiff": _float_tiff,
}
