"""HDR films as ordinary pictures: white paper stays light, and what is brighter is compressed.

Read as if they were ordinary, films in PQ (SMPTE ST 2084) look grey and washed out, and those in HLG (ARIB
STD-B67) too pale. Each channel goes through one table: to light, through a curve that is straight up to half
of diffuse white and bends above (as in ITU-R BT.2390), to sRGB. The wide gamut of BT.2020 is then brought to
BT.709 by a matrix that should be applied to light and is applied to the result: a compromise, for speed.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from av.video.frame import VideoFrame

from pipeline.types import Floats, Image

PQ, HLG = 16, 18  # FFmpeg's numbers of the transfer characteristics
_WHITE, _PEAK = (
    203.0,
    1000.0,
)  # candela per square metre: diffuse white (ITU-R BT.2408), the brightest kept apart
_KNEE = 0.5  # share of diffuse white up to which the curve is straight
_TO_709 = np.array(  # BGR
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]], np.float32
)


def is_hdr(frame: VideoFrame) -> bool:
    """Whether the frame says that it is."""
    return int(frame.color_trc) in (PQ, HLG)


def tone_mapped(frame: VideoFrame, transfer: int) -> Image:
    """An HDR frame in `rgb48le`, with what it said of its transfer, as `(height, width, 3)` uint8 BGR."""
    flat = _table(int(transfer))[frame.to_ndarray()[..., ::-1]]
    return np.asarray(cv2.transform(flat, _TO_709), np.uint8)


@cache
def _table(transfer: int) -> Image:
    """From a channel's 16 bits to 8 bits of sRGB (65536,)."""
    signal = np.linspace(0, 1, 1 << 16, dtype=np.float32)
    light = (_pq(signal) if transfer == PQ else _hlg(signal)) / _WHITE
    bent = (light - _KNEE) / (1 - _KNEE)
    most = (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    above = _KNEE + (1 - _KNEE) * bent * (1 + bent / most**2) / (1 + np.maximum(bent, 0))
    shown = np.clip(np.where(light <= _KNEE, light, above), 0, 1)
    encoded = np.where(
        shown <= 0.0031308, 12.92 * shown, 1.055 * np.maximum(shown, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.asarray(np.round(255 * encoded), np.uint8)


def _pq(signal: Floats) -> Floats:
    """Candela per square metre (SMPTE ST 2084)."""
    root = signal ** (1 / 78.84375)
    share = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(10_000 * share ** (1 / 0.1593017578125), np.float32)


def _hlg(signal: Floats) -> Floats:
    """Candela per square metre on a display of 1000 (ITU-R BT.2100), each channel by itself."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray(_PEAK * scene**1.2, np.float32)
