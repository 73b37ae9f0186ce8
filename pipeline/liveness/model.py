"""A slot for somebody else's anti-spoofing model. It may deny, and never speaks for anybody.

An ONNX graph with one input (n, 3, h, w) and one output (n, classes). What it expects stands in its
metadata, as strings; what is missing is an error, for a wrong guess would make it say nothing:

    liveness_live    number of the class that means a living face
    liveness_scale   side of the square that it is shown, in the longer side of the face's box
    liveness_colour  "bgr" or "rgb"
    liveness_range   "255" for 0..255, "1" for 0..1
    license          shown to whoever uses it
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.types import Floats, Image
from siamese.errors import ModelError
from siamese.session import open_session

LIVE = 0.5  # probability of a living face below which it denies, as the median over an attempt
KEYS = ("liveness_live", "liveness_scale", "liveness_colour", "liveness_range")


@dataclass(frozen=True, slots=True)
class Form:
    """What a model expects."""

    live: int
    scale: float
    rgb: bool
    divisor: float


class SpoofModel:
    """An opened model.

    Attributes:
        licence: as its file states it.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        """
        Raises:
            ModelError: it cannot be loaded, or does not say what it expects.
        """
        self._session = open_session(path, threads, spin=False)
        said = dict(self._session.get_modelmeta().custom_metadata_map)
        self.licence = said.get("license") or "not stated"
        self._form = _form(path, said)
        given = self._session.get_inputs()[0]
        shape = given.shape
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
            raise ModelError(
                f"{path}: its input is {shape}; an anti-spoofing model takes (n, 3, height, width)"
            )
        self._name, self._size = given.name, (int(shape[3]), int(shape[2]))

    def live(self, image: Image, box: Floats) -> float:
        """The probability 0..1 that the face with this box (4,) in an image (h, w, 3) BGR is a living one."""
        side = self._form.scale * float(max(box[2] - box[0], box[3] - box[1]))
        x, y = (float(box[0] + box[2]) - side) / 2, (float(box[1] + box[3]) - side) / 2
        matrix = np.array([[self._size[0] / side, 0, 0], [0, self._size[1] / side, 0]], np.float32)
        matrix[:, 2] = -x * matrix[0, 0], -y * matrix[1, 1]
        crop = cv2.warpAffine(image, matrix, self._size, borderMode=cv2.BORDER_REPLICATE)
        if self._form.rgb:
            crop = crop[..., ::-1]
        planes = (crop.astype(np.float32) / self._form.divisor).transpose(2, 0, 1)[None]
        (out, *_) = self._session.run(None, {self._name: np.ascontiguousarray(planes)})
        return _share(np.asarray(out, np.float64)[0].ravel(), self._form.live)


def _share(out: Any, live: int) -> float:
    """The probability of a class, from probabilities or logits. What makes no sense counts as no life."""
    if not np.isfinite(out).all() or live >= len(out):
        return 0.0
    if (out >= 0).all() and abs(float(out.sum()) - 1) < 1e-3:
        return float(out[live])
    powers = np.exp(out - out.max())
    return float(powers[live] / powers.sum())


def _form(path: Path, said: dict[str, str]) -> Form:
    missing = [key for key in KEYS if key not in said]
    if missing:
        raise ModelError(
            f"{path}: its metadata lacks {', '.join(missing)}; docs/security.md says how to add that"
        )
    try:
        live, scale = int(said["liveness_live"]), float(said["liveness_scale"])
        divisor = {"255": 1.0, "1": 255.0}[said["liveness_range"]]
        rgb = {"bgr": False, "rgb": True}[said["liveness_colour"].lower()]
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: its metadata for liveness cannot be read ({error})") from error
    if live < 0 or not 0.5 <= scale <= 10:
        raise ModelError(f"{path}: its metadata for liveness cannot be ({live=}, {scale=})")
    return Form(live, scale, rgb, divisor)
