"""People first, then their faces: what `--detector person` runs.

A person is found and followed from behind, too, and keeps the name that the face earned. Faces are looked for
in one pass over the smallest part of the frame that holds everybody: it sees them larger than a pass over the
frame would, its cost depends on the shape of that part and not on how many people there are, and where nobody
is there is none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config import DetectSettings
from pipeline.detection.tiles import shifted
from pipeline.detection.yolo import Graph, YoloDetector
from pipeline.faces.assignment import pairs
from pipeline.faces.boxes import area, intersection
from pipeline.protocols import Detector
from pipeline.types import Detections, Floats, Image, Ints

MARGIN = 0.05  # of a person's box, added at each side: boxes often end at the hairline
INSIDE = 0.7  # share of a face that must lie in the person's (grown) box to be the person's
REACH = 0.75  # how far from the crown, in widths and heights of the person: faces at the feet are of others


class PersonDetector:
    """Finds people, with the face of each where it is seen."""

    def __init__(
        self,
        model: Path | Graph,
        faces: Detector,
        settings: DetectSettings = DetectSettings(),  # noqa: B008 (frozen)
        threads: int = 0,
        *,
        overlap: float = 0.7,
    ) -> None:
        """
        Args:
            model: YOLO of ultralytics in ONNX, or one that is open, with a class named `person`, such as
                those trained on COCO.
            faces: what looks for faces, given the part of the frame where people are.
            settings: person_size, person_confidence, and max_faces, which is the most people, count here.
            threads: CPU threads; 0 for all.
            overlap: IoU above which the weaker of two boxes is dropped; people overlap more than faces do.

        Raises:
            pipeline.errors.DetectorError: not a YOLO model, or none for people.
            siamese.errors.ModelError: missing, or wrong checksum.
        """
        # A child before its mother is a box inside a box: none is dropped for being nested.
        self._people = YoloDetector(
            model,
            settings.model_copy(
                update={
                    "size": settings.person_size,
                    "confidence": settings.person_confidence,
                    "overlap": overlap,
                }
            ),
            threads,
            nested=2.0,
            target="person",
            spin=False,
            average=False,  # two people overlap by more than half now and then: no mean of them
        )
        self._faces = faces
        self.digest = self._people.digest

    def detect(self, image: Image) -> Detections:
        """Find people in a BGR frame: rows are people, best first; coordinates are in pixels of the frame."""
        people = self._people.detect(image)
        boxes = np.full((len(people), 4), np.nan, np.float32)
        landmarks = np.full((len(people), 5, 2), np.nan, np.float32)
        if len(people):
            grown = grow(people.boxes, MARGIN)
            faces = self._within(image, grown)
            whose = owners(grown, faces.boxes)
            seen = whose >= 0
            boxes[whose[seen]], landmarks[whose[seen]] = faces.boxes[seen], faces.landmarks[seen]
        return Detections(people.boxes, people.scores, landmarks, boxes)

    def _within(self, image: Image, boxes: Floats) -> Detections:
        """Faces in the part of the image that holds all boxes (n, 4), in coordinates of the image."""
        height, width = image.shape[:2]
        limits = np.array([width, height])
        left, top = np.clip(np.floor(boxes[:, :2].min(axis=0)), 0, limits).astype(int)
        right, bottom = np.clip(np.ceil(boxes[:, 2:].max(axis=0)), 0, limits).astype(int)
        return shifted(self._faces.detect(image[top:bottom, left:right]), int(left), int(top))


def grow(boxes: Floats, margin: float) -> Floats:
    """Boxes (n, 4), larger by `margin` of their width or height at each side."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2) * margin
    return np.asarray(boxes + sides * np.array([-1, -1, 1, 1], np.float32), np.float32)


def owners(people: Floats, faces: Floats) -> Ints:
    """The row of the person that each face belongs to, (m,); -1 for a face that is nobody's.

    A face belongs where it lies nearest to the middle of the upper edge, measured in the person's own width
    and height; nobody has two. All are settled together, so that of two people before each other each gets
    the face that leaves the other theirs.

    Args:
        people: boxes (n, 4).
        faces: boxes (m, 4).
    """
    whose = np.full(len(faces), -1, np.int64)
    if not len(people) or not len(faces):
        return whose
    inside = intersection(people, faces) / np.maximum(area(faces)[None, :], 1e-9)
    sides = np.maximum(people[:, 2:] - people[:, :2], 1e-9)[:, None]
    crowns = np.stack([people[:, [0, 2]].mean(axis=1), people[:, 1]], axis=1)[:, None]
    centres = ((faces[:, :2] + faces[:, 2:]) / 2)[None]
    away = np.hypot(*np.moveaxis((centres - crowns) / sides, 2, 0))
    gains = np.where((inside >= INSIDE) & (away <= REACH), 1 - away, 0)
    for person, face in pairs(gains):
        whose[face] = person
    return whose
