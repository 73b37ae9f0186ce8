"""A YOLO face detector in ONNX, through onnxruntime: ours, or any that ultralytics exported.

What the file computes is read from the description that ultralytics writes into it, not guessed from shapes.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from pipeline.config import DetectSettings
from pipeline.detection.files import model_file
from pipeline.errors import DetectorError
from pipeline.faces.boxes import iou, nested
from pipeline.types import Detections, Floats, Image, Ints
from siamese.placing import place
from siamese.shipped import verified

DEFAULT = model_file(None)
STRIDE = 32
GREY = 114  # what frames are padded with, as in training


@dataclass(frozen=True, slots=True)
class Graph:
    """A model's file, open. Detectors of different sizes and limits may share one, in any thread."""

    model: Path
    digest: str
    session: Any  # onnxruntime.InferenceSession
    described: Mapping[str, str]  # what ultralytics wrote into it
    device: str = "cpu"  # that it runs on

    @classmethod
    def open(cls, model: Path, threads: int = 0, spin: bool = True, device: str = "cpu") -> Self:
        """Open a file.

        Args:
            threads: CPU threads; 0 for all.
            spin: see `siamese.session.open_session`.
            device: see `siamese.placing.place`.

        Raises:
            siamese.errors.ModelError: missing, damaged, wrong checksum, or there is no such device.
        """
        digest = verified(model)
        placed = place(model, device, threads, spin)
        described = dict(placed.session.get_modelmeta().custom_metadata_map)
        return cls(model, digest, placed.session, described, placed.device)


class YoloDetector:
    """One pass over the frame, letterboxed to a rectangle whose long side is `size`."""

    def __init__(
        self,
        model: Path | Graph = DEFAULT,
        settings: DetectSettings = DetectSettings(),  # noqa: B008 (frozen)
        threads: int = 0,
        *,
        nested: float = 0.8,
        target: str = "face",
        spin: bool = True,
        average: bool = True,
    ) -> None:
        """
        Args:
            model: `.onnx`, or one that is open, with a class named as `target`, or for faces with one class
                only, not `person`.
            settings: size, confidence, overlap and max_faces count here.
            threads: CPU threads; 0 for all. Of a model that is open, they are settled.
            nested: share of a box inside a stronger one from which it is dropped: a face has no face in it.
            target: name of the class to find.
            spin: see `siamese.session.open_session`; as `threads`.
            average: give the mean of what overlaps, weighted by squared score, instead of the best of it.

        Raises:
            DetectorError: not a YOLO model, or none for the target.
            siamese.errors.ModelError: missing, or wrong checksum.
        """
        graph = model if isinstance(model, Graph) else Graph.open(model, threads, spin)
        model, described = graph.model, graph.described
        self.digest, self._session = graph.digest, graph.session
        if "names" not in described or "task" not in described:
            raise DetectorError(f"{model}: not a YOLO model that ultralytics exported (it names no classes)")
        if described["task"] not in ("detect", "pose"):
            task = described["task"]
            raise DetectorError(f"{model}: a YOLO model for the task {task}; give one for detect or pose")
        names: dict[int, str] = ast.literal_eval(described["names"])
        self._class = _class(model, names, target)
        self._classes = len(names)
        # An end-to-end head, or an export with `nms=True`, emits finished boxes: duplicates are already gone.
        arguments = ast.literal_eval(described.get("args", "{}"))
        self._finished = described.get("end2end", "False") == "True" or bool(arguments.get("nms"))
        if "end2end" not in described:  # older exports do not say; only finished boxes come in rows of six
            self._finished |= self._session.get_outputs()[0].shape[-1] == 6
        self.has_landmarks = described["task"] == "pose" and described["kpt_shape"] in ("[5, 3]", "(5, 3)")
        self.size, self.confidence = settings.size, settings.confidence
        self.overlap, self.max_faces = settings.overlap, settings.max_faces
        self.nested, self.average = nested, average
        inputs = self._session.get_inputs()[0]
        self._input, shape = inputs.name, inputs.shape
        # A file exported for one size accepts only that size.
        self._fixed = (shape[2], shape[3]) if all(isinstance(side, int) for side in shape[2:]) else None

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; coordinates are in pixels of the frame, inside it, best first.

        Raises:
            ValueError: not (height, width, 3) uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"a detector takes BGR images (height, width, 3) uint8, not {image.shape} {image.dtype}; "
                "convert grey and BGRA images with cv2.cvtColor first"
            )
        height, width = image.shape[:2]
        if not (height and width):
            return Detections.empty()
        planes, scale, left, top = letterbox(image, self.size, self._fixed)
        (output,) = self._session.run(None, {self._input: planes})
        boxes, scores, landmarks = self._decode(output[0])
        offset = np.array([left, top], np.float32)
        corners = (boxes.reshape(-1, 2, 2) - offset) / scale
        boxes = np.clip(corners, 0, np.array([width, height], np.float32)).reshape(-1, 4)
        landmarks = (landmarks - offset) / scale
        inside = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        best = inside[np.argsort(-scores[inside], kind="stable")]
        apart = best[~nested(boxes[best], self.nested)][: self.max_faces]
        return Detections(boxes[apart], scores[apart], landmarks[apart])

    def _decode(self, output: Floats) -> tuple[Floats, Floats, Floats]:
        """Boxes (n, 4) x1 y1 x2 y2, scores (n,) and landmarks (n, 5, 2), in pixels of the network's input."""
        if self._finished:
            rows = output[(output[:, 4] >= self.confidence) & (output[:, 5] == self._class)]
            return rows[:, :4], rows[:, 4], self._landmarks(rows[:, 6:])
        score = 4 + self._class
        rows = output.take(np.flatnonzero(output[score] >= self.confidence), axis=1).T
        boxes, scores = _corners(rows), rows[:, score]
        kept = suppress(boxes, scores, self.overlap)
        rows = agreement(boxes, scores, kept, self.overlap) @ rows if self.average else rows[kept]
        return _corners(rows), scores[kept], self._landmarks(rows[:, 4 + self._classes :])

    def _landmarks(self, columns: Floats) -> Floats:
        if not self.has_landmarks:
            return np.full((len(columns), 5, 2), np.nan, np.float32)
        return columns.reshape(-1, 5, 3)[:, :, :2]


def suppress(boxes: Floats, scores: Floats, overlap: float) -> Ints:
    """Rows of boxes (n, 4) that no better one overlaps by more than `overlap` (IoU), best first.

    Of equal scores the earlier row is the better one. Boxes without an area are left out.
    """
    # OpenCV counts any two boxes as one where their areas sum to nothing or less: one box inside out would
    # suppress all others. It takes arrays as they are, and is faster than NumPy from one box to thousands.
    proper = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    corner_and_size: Any = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)[proper]
    ranked: Any = np.ascontiguousarray(scores[proper])
    return proper[np.asarray(cv2.dnn.NMSBoxes(corner_and_size, ranked, 0.0, overlap), np.int64).reshape(-1)]


def agreement(boxes: Floats, scores: Floats, kept: Ints, overlap: float) -> Floats:
    """The share of each candidate (n) in the mean for each box that is kept (k): (k, n).

    All that overlap it by more than `overlap` saw the same face. Their mean, weighted by squared score, lies
    nearer to that and wobbles less than the best of them (Bazarevsky et al., "BlazeFace", 2019).
    """
    counts = np.where(iou(boxes[kept], boxes) > overlap, scores**2, 0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float32)


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
    top, left = (padded_height - inner[0]) // 2, (padded_width - inner[1]) // 2
    padded = np.full((padded_height, padded_width, 3), GREY, np.uint8)
    room = padded[top : top + inner[0], left : left + inner[1]]
    interpolation = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    cv2.resize(image, (inner[1], inner[0]), dst=room, interpolation=interpolation)
    planes = np.empty((1, 3, padded_height, padded_width), np.float32)
    for plane, channel in zip(planes[0], reversed(cv2.split(padded)), strict=True):
        np.multiply(channel, np.float32(1 / 255), out=plane)
    return planes, np.array([inner[1] / width, inner[0] / height], np.float32), left, top


def _corners(rows: Floats) -> Floats:
    """Boxes (n, 4) x1 y1 x2 y2 of rows that begin with a middle and a size."""
    return np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], axis=1)


def _class(model: Path, names: dict[int, str], target: str) -> int:
    """The number of the class to look for."""
    for number, name in names.items():
        if name.lower() == target:
            return number
    if target == "face" and len(names) == 1 and "person" not in names.values():
        return next(iter(names))
    some = ", ".join(list(names.values())[:3])
    more = "..." if len(names) > 3 else ""
    raise DetectorError(
        f"{model}: finds {some}{more} but no {target}s; give a YOLO model with a class {target}"
    )
