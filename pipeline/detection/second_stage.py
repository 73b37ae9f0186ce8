"""A cascade: what the first network takes for a face is looked at once more, closely, by a small one.

The first network sees a frame shrunk to a few hundred pixels, at places that are eight pixels apart. A small
face, and a knob that looks like one, are a dozen of them. The second sees each of these places by itself, at
the frame's own resolution and always at the same size, and says whether it is a face, and where its box is
(as in P. Viola and M. Jones, 2001, and the refinement of K. Zhang et al., "MTCNN", 2016). Faces of which the
first is sure cost nothing: they are not looked at again.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.config import DetectSettings
from pipeline.detection.yolo import GREY, suppress
from pipeline.errors import DetectorError
from pipeline.faces.boxes import nested
from pipeline.protocols import Detector
from pipeline.types import Detections, Floats, Image
from siamese.session import open_session
from siamese.shipped import verified

INPUT = 48  # pixels, width and height of what the second network sees
SHOWN = 2.0  # sides of a box, its longer one, that this is
FIRST = 0.1  # score of the first network from which a place is looked at again
SURE = 0.9  # score of it from which it is not: that is a face
KIND = "second stage of a face detector"  # in the metadata
ROOM = 100  # faces the first network tells, at least: the best of them may not stay the best
_EDGE = 1e-7  # float32 tells no score apart that is nearer to 0 or 1


def crop(image: Image, box: Floats, size: int = INPUT, shown: float = SHOWN) -> Image:
    """The square around a box (4,) of a BGR image, (size, size, 3), grey where the image ends.

    Args:
        shown: its side, in longer sides of the box.
    """
    height, width = image.shape[:2]
    side = max(float(max(box[2] - box[0], box[3] - box[1])), 1.0) * shown
    left, top = (float(low + high) / 2 - side / 2 for low, high in (box[::2], box[1::2]))
    # One more pixel on each side: the outermost of a crop lie between two.
    x1, y1 = max(0, math.floor(left) - 1), max(0, math.floor(top) - 1)
    x2, y2 = min(width, math.ceil(left + side) + 1), min(height, math.ceil(top + side) + 1)
    part = image[y1:y2, x1:x2]
    scale = size / side
    fewer = [1.0, 1.0]
    if scale < 0.5 and part.size:  # OpenCV's warps do not average over what they leave out
        times = int(1 / scale)
        less = max(1, part.shape[1] // times), max(1, part.shape[0] // times)
        fewer = [less[0] / part.shape[1], less[1] / part.shape[0]]
        part = np.asarray(cv2.resize(part, less, interpolation=cv2.INTER_AREA), np.uint8)
    if not part.size:
        return np.full((size, size, 3), GREY, np.uint8)
    # Pixels are places of one by one whose middles have whole coordinates.
    (fx, fy), (x, y) = (scale / each for each in fewer), ((x1 - left) * scale, (y1 - top) * scale)
    matrix = np.array([[fx, 0, x + (fx - 1) / 2], [0, fy, y + (fy - 1) / 2]])
    seen = cv2.warpAffine(part, matrix, (size, size), borderMode=cv2.BORDER_CONSTANT, borderValue=(GREY,) * 3)
    return np.asarray(seen, np.uint8)


class SecondStage:
    """The second network, open."""

    def __init__(self, model: Path, threads: int = 0) -> None:
        """
        Args:
            model: `.onnx`, written by `recog detector train-second-stage`. It runs on the CPU: what it takes
                there is less than the way to a device. Its threads never spin: they would be in the way of
                the first network's.
            threads: CPU threads; 0 for all.

        Raises:
            DetectorError: it is something else.
            siamese.errors.ModelError: missing, or wrong checksum.
        """
        self.digest = verified(model)
        self._session = open_session(model, threads, spin=False)
        described: Any = self._session.get_modelmeta().custom_metadata_map
        if described.get("recog.kind") != KIND:
            raise DetectorError(f"{model}: not the second stage of a face detector")
        self._weights = np.array(ast.literal_eval(described["recog.weights"]), np.float32)

    def look(self, image: Image, found: Detections) -> Detections:
        """Judge detections in a BGR frame anew: the same ones in the same order, other scores and boxes."""
        if not len(found.scores):
            return found
        crops = np.stack([crop(image, box) for box in found.boxes])
        planes = crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        (told,) = self._session.run(None, {"crops": planes})
        logits = self._weights @ np.stack([np.ones(len(told), np.float32), logit(found.scores), told[:, 0]])
        return replace(found, scores=sigmoid(logits), boxes=moved(found.boxes, told[:, 1:]))


class CascadeDetector:
    """Another detector, whose unsure faces the second stage judges."""

    def __init__(
        self, first: Detector, second: SecondStage, settings: DetectSettings, *, within: float = 0.8
    ) -> None:
        """
        Args:
            first: tells whatever has a score of `FIRST` or of `settings.confidence`, the lower of both.
            settings: confidence, overlap and max_faces, as for one detector.
            within: share of a box inside a stronger one from which it is dropped.
        """
        self.first, self._second, self._within = first, second, within
        self.confidence = settings.confidence
        self.overlap, self.max_faces = settings.overlap, settings.max_faces
        # What a template says of its detector is whose landmarks it was aligned by.
        self.digest = first.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; coordinates are in pixels of the frame, inside it, best first."""
        found = self.first.detect(image)
        unsure = (found.scores >= FIRST) & (found.scores < SURE)
        if unsure.any():
            seen = self._second.look(image, found[unsure])
            boxes, scores = found.boxes.copy(), found.scores.copy()
            limits = np.array(image.shape[1::-1], np.float32)
            boxes[unsure] = np.clip(seen.boxes.reshape(-1, 2, 2), 0, limits).reshape(-1, 4)
            scores[unsure] = seen.scores
            found = replace(found, boxes=boxes, scores=scores)
        found = found[found.scores >= self.confidence]
        once = found[suppress(found.boxes, found.scores, self.overlap)]  # boxes have moved: some met
        return once[~nested(once.boxes, self._within)][: self.max_faces]


def moved(boxes: Floats, by: Floats) -> Floats:
    """Boxes (n, 4) after what the second network says of them.

    Args:
        by: (n, 4) how far the middle is off in x and y, and the logarithms of width and height, all in longer
            sides of the box.
    """
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + by[:, :2] * side
    half = np.exp(by[:, 2:]) * side / 2
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def logit(scores: Floats) -> Floats:
    """The logarithm of the odds of scores (n,) in 0..1."""
    inside = np.clip(scores.astype(np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)), np.float32)


def sigmoid(logits: Floats) -> Floats:
    """The scores (n,) in 0..1 of logarithms of odds."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))), np.float32)
