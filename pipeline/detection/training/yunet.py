"""YuNet through OpenCV: an independent detector, used to propose landmarks for training and as a peer in
benchmarks. The model file is the user's own; none is shipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.errors import DetectorError
from pipeline.types import Detections, Image
from siamese.shipped import sha256

# YuNet names sides as the person has them; ours are as seen in the image, which for a face towards the
# camera gives the same order: YuNet's "right eye" is the one at the left of the image.
_SCORE, _BOX, _LANDMARKS = 14, slice(0, 4), slice(4, 14)


class YuNet:
    """YuNet at a given long side of the image, in pixels."""

    def __init__(self, model: Path, size: int = 320, confidence: float = 0.5) -> None:
        if not model.is_file():
            raise DetectorError(f"{model}: no such model file")
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (size, size), confidence, 0.3, 5000)
        except cv2.error as error:
            raise DetectorError(f"{model}: OpenCV cannot load this as a YuNet model ({error.err})") from error
        self.digest, self.size = sha256(model), size

    def detect(self, image: Image) -> Detections:
        """Find faces; coordinates are in pixels of `image`."""
        height, width = image.shape[:2]
        scale = self.size / max(height, width)
        # YuNet's strides need a multiple of 32; OpenCV's own padding is avoided by padding here.
        resized = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        padded_height, padded_width = (-(-side // 32) * 32 for side in resized.shape[:2])
        padded = cv2.copyMakeBorder(
            resized, 0, padded_height - resized.shape[0], 0, padded_width - resized.shape[1],
            cv2.BORDER_CONSTANT,
        )  # fmt: skip
        self._net.setInputSize((padded_width, padded_height))
        rows: Any = self._net.detect(padded)[1]
        if rows is None:
            return Detections.empty()
        boxes = rows[:, _BOX] / scale
        boxes[:, 2:] += boxes[:, :2]
        landmarks = rows[:, _LANDMARKS].reshape(-1, 5, 2) / scale
        return Detections(
            boxes.astype(np.float32), rows[:, _SCORE].astype(np.float32), landmarks.astype(np.float32)
        )
