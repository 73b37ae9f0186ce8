"""Pieces of labelled photographs: cut out, brought to a size, turned."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from pipeline.detection.training.prepare import no_boxes, paint_over
from pipeline.detection.training.rolled_boxes import of_ellipses
from pipeline.detection.yolo import GREY
from pipeline.faces.boxes import area, intersection
from pipeline.types import Floats, Image

WHOLE = 0.6  # share of a face that a piece must hold for it to be labelled there


@dataclass(frozen=True, slots=True)
class Piece:
    """An image with its faces."""

    image: Image
    boxes: Floats  # (n, 4) pixels
    landmarks: Floats  # (n, 5, 2) pixels; NaN where unknown
    unsure: Floats = field(default_factory=no_boxes)  # (k, 4) pixels, where there may be others

    def painted(self) -> Piece:
        """The same with what is unsure painted over, for those who know no such places; its faces stay."""
        image = paint_over(self.image, self.unsure)
        for x1, y1, x2, y2 in _grown(self.boxes, 0.1, self.image.shape):
            image[y1:y2, x1:x2] = self.image[y1:y2, x1:x2]
        return Piece(image, self.boxes, self.landmarks)

    def without_tiny(self, least: float) -> Piece:
        """The same with its faces of a smaller side in pixels among what is unsure."""
        enough = np.sqrt(area(self.boxes)) >= least
        unsure = np.concatenate([self.unsure, self.boxes[~enough]])
        return Piece(self.image, self.boxes[enough], self.landmarks[enough], unsure)

    def cut(self, x1: int, y1: int, x2: int, y2: int) -> Piece:
        """A part of it. Faces of which less than WHOLE lies in it are unsure there."""
        corner = np.array([x1, y1], np.float32)
        size = np.array([x2 - x1, y2 - y1], np.float32)
        moved, unsure = (
            np.clip((boxes.reshape(-1, 2, 2) - corner), 0, size).reshape(-1, 4)
            for boxes in (self.boxes, self.unsure)
        )
        shares = area(moved) / np.maximum(area(self.boxes), 1e-6)
        whole, rest = shares >= WHOLE, (shares > 0) & (shares < WHOLE)
        return Piece(
            self.image[y1:y2, x1:x2].copy(),
            moved[whole],
            self.landmarks[whole] - corner,
            np.concatenate([unsure[area(unsure) > 0], moved[rest]]),
        )

    def at(self, long: int) -> Piece:
        """It with a long side of so many pixels."""
        height, width = self.image.shape[:2]
        scale = long / max(height, width)
        if scale == 1:
            return self
        image = cv2.resize(
            self.image,
            (max(1, round(width * scale)), max(1, round(height * scale))),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
        )
        by = np.array([image.shape[1] / width, image.shape[0] / height], np.float32)
        return Piece(
            image.astype(np.uint8, copy=False),
            self.boxes * np.tile(by, 2),
            self.landmarks * by,
            self.unsure * np.tile(by, 2),
        )

    def turned(self, degrees: float) -> Piece:
        """It turned about its middle, on a canvas that holds all of it; boxes are as large as they were."""
        height, width = self.image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
        wide, high = math.ceil(height * sine + width * cosine), math.ceil(height * cosine + width * sine)
        matrix[:, 2] += (wide - width) / 2, (high - height) / 2
        image = cv2.warpAffine(self.image, matrix, (wide, high), borderValue=(GREY, GREY, GREY))
        by, offset = matrix[:, :2].T.astype(np.float32), matrix[:, 2].astype(np.float32)
        return Piece(
            image.astype(np.uint8, copy=False),
            of_ellipses(self.boxes, matrix),
            (self.landmarks @ by + offset).astype(np.float32),
            of_ellipses(self.unsure, matrix),
        )


def _grown(boxes: Floats, share: float, shape: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Boxes larger by a share of their sides, in whole pixels inside an image of that shape."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * share / 2
    corners = np.concatenate([np.floor(boxes[:, :2] - margin), np.ceil(boxes[:, 2:] + margin)], axis=1)
    inside = np.clip(corners, 0, np.tile(np.array([shape[1], shape[0]]), 2)).astype(int)
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in inside.tolist()]


def overlapped(places: Floats, boxes: Floats) -> Floats:
    """Share of each place (n, 4) that lies on any one of the boxes, (n,)."""
    return np.asarray(
        intersection(places, boxes).max(axis=1, initial=0) / np.maximum(area(places), 1e-6), np.float32
    )
