"""A YOLO face detector in ONNX, through onnxruntime: ours, or any that ultralytics exported.

What the file computes is read from the description that ultralytics writes into it, not guessed from shapes.
"""

from __future__ import annotations

import ast
import math
from pathlib import Path

import cv2
import numpy as np

from pipeline.detector.boxes import nested
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image
from siamese.session import open_session
from siamese.shipped import verified

DEFAULT = Path(__file__).parents[1] / "weights" / "face-n.onnx"
STRIDE = 32


class YoloDetector:
    """One pass over the frame, letterboxed to a rectangle whose long side is `size`."""

    def __init__(
        self,
        model: Path = DEFAULT,
        size: int = 480,
        confidence: float = 0.4,
        overlap: float = 0.5,
        max_faces: int = 100,
        threads: int = 0,
        nested: float = 0.8,
    ) -> None:
        """
        Args:
            model: `.onnx` with a class named `face`, or with one class only that is not `person`.
            size: long side of the network's input, in pixels; a multiple of 32.
            confidence: score from which a box is a face.
            overlap: IoU above which the weaker of two boxes is dropped.
            threads: CPU threads; 0 for all.
            nested: share of a box inside a stronger one from which it is dropped: a face has no face in it.

        Raises:
            DetectorError: not a YOLO model, or none for faces.
            siamese.errors.ModelError: missing, or wrong checksum.
        """
        self.digest = verified(model)
        self._session = open_session(model, threads)
        described = self._session.get_modelmeta().custom_metadata_map
        if "names" not in described or "task" not in described:
            raise DetectorError(f"{model}: not a YOLO model that ultralytics exported (it names no classes)")
        if described["task"] not in ("detect", "pose"):
            task = described["task"]
            raise DetectorError(f"{model}: a YOLO model for the task {task}; give one for detect or pose")
        names: dict[int, str] = ast.literal_eval(described["names"])
        self._class = _face_class(model, names)
        self._classes = len(names)
        # An end-to-end head, or an export with `nms=True`, emits finished boxes: duplicates are already gone.
        arguments = ast.literal_eval(described.get("args", "{}"))
        self._finished = described.get("end2end", "False") == "True" or bool(arguments.get("nms"))
        self.has_landmarks = described["task"] == "pose" and described["kpt_shape"] in ("[5, 3]", "(5, 3)")
        self.size, self.confidence, self.overlap, self.max_faces = size, confidence, overlap, max_faces
        self.nested = nested
        inputs = self._session.get_inputs()[0]
        self._input, shape = inputs.name, inputs.shape
        # A file exported for one size accepts only that size.
        self._fixed = (shape[2], shape[3]) if all(isinstance(side, int) for side in shape[2:]) else None

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; coordinates are in pixels of the frame, inside it, best first."""
        planes, scale, left, top = letterbox(image, self.size, self._fixed)
        (output,) = self._session.run(None, {self._input: planes})
        boxes, scores, landmarks = self._decode(output[0])
        offset = np.array([left, top], np.float32)
        height, width = image.shape[:2]
        corners = (boxes.reshape(-1, 2, 2) - offset) / scale
        boxes = np.clip(corners, 0, np.array([width, height], np.float32)).reshape(-1, 4)
        keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        landmarks = (landmarks - offset) / scale
        found = Detections(boxes[keep], scores[keep], landmarks[keep])
        found = found[np.argsort(-found.scores, kind="stable")]
        return found[~nested(found.boxes, self.nested)][: self.max_faces]

    def _decode(self, output: Floats) -> tuple[Floats, Floats, Floats]:
        """Boxes (n, 4) x1 y1 x2 y2, scores (n,) and landmarks (n, 5, 2), in pixels of the network's input."""
        if self._finished:
            rows = output[(output[:, 4] >= self.confidence) & (output[:, 5] == self._class)]
            return rows[:, :4], rows[:, 4], self._landmarks(rows[:, 6:])
        rows = output.T
        # OpenCV counts any two boxes as one where their areas sum to nothing or less: one box inside out
        # would suppress all others.
        rows = rows[(rows[:, 4 + self._class] >= self.confidence) & (rows[:, 2:4] > 0).all(axis=1)]
        scores = rows[:, 4 + self._class]
        boxes = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], axis=1)
        corner_and_size = np.concatenate([boxes[:, :2], rows[:, 2:4]], axis=1)
        rated = corner_and_size.tolist(), scores.tolist()
        kept = np.asarray(cv2.dnn.NMSBoxes(*rated, self.confidence, self.overlap), np.int64).reshape(-1)
        return boxes[kept], scores[kept], self._landmarks(rows[kept][:, 4 + self._classes :])

    def _landmarks(self, columns: Floats) -> Floats:
        if not self.has_landmarks:
            return np.full((len(columns), 5, 2), np.nan, np.float32)
        return columns.reshape(-1, 5, 3)[:, :, :2]


def letterbox(
    image: Image, size: int, fixed: tuple[int, int] | None = None
) -> tuple[Floats, Floats, int, int]:
    """Shrink or grow a frame to a long side of `size` and pad it to the network's stride.

    Args:
        fixed: (height, width) the network insists on, instead of the smallest rectangle.

    Returns:
        RGB planes (1, 3, h, w) float32 in 0..1, the scale (2,) of x and y, which differ by the rounding to
        whole pixels, and the padding at the left and the top.
    """
    height, width = image.shape[:2]
    if fixed:
        padded_height, padded_width = fixed
        scale = min(padded_height / height, padded_width / width)
    else:
        scale = size / max(height, width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    if not fixed:
        padded_height, padded_width = (math.ceil(side / STRIDE) * STRIDE for side in inner)
    interpolation = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    resized = cv2.resize(image, (inner[1], inner[0]), interpolation=interpolation)
    top, left = (padded_height - inner[0]) // 2, (padded_width - inner[1]) // 2
    padded = cv2.copyMakeBorder(
        resized, top, padded_height - inner[0] - top, left, padded_width - inner[1] - left,
        cv2.BORDER_CONSTANT, value=(114, 114, 114),
    )  # fmt: skip
    planes = cv2.dnn.blobFromImage(padded, 1 / 255, swapRB=True)
    scales = np.array([inner[1] / width, inner[0] / height], np.float32)
    return np.asarray(planes, np.float32), scales, left, top


def _face_class(model: Path, names: dict[int, str]) -> int:
    """The number of the class to look for."""
    for number, name in names.items():
        if name.lower() == "face":
            return number
    if len(names) == 1 and "person" not in names.values():
        return next(iter(names))
    some = ", ".join(list(names.values())[:3])
    more = "..." if len(names) > 3 else ""
    raise DetectorError(f"{model}: finds {some}{more} but no faces; give a YOLO model with a class face")
