"""Tiny faces in large frames: searched whole and in overlapping tiles, each at the full size of the input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.config import DetectSettings
from pipeline.detection.yolo import suppress
from pipeline.faces.boxes import nested
from pipeline.protocols import Detector
from pipeline.types import Bools, Detections, Floats, Image

EDGE = 2.0  # pixels from a seam within which a box is cut by it


class TiledDetector:
    """Another detector on a grid of overlapping tiles and on the whole frame.

    A face that a seam cuts is found whole in the neighbouring tile where it is smaller than the overlap, and
    in the whole frame where it is larger; what lies against a seam is therefore dropped, and what several saw
    is kept once, where it scored best. Takes `tiles` * `tiles` + 1 times as long as one pass.
    """

    def __init__(
        self,
        detector: Detector,
        settings: DetectSettings,
        *,
        shared: float = 0.2,
        within: float = 0.8,
    ) -> None:
        """
        Args:
            settings: tiles, how many along each side of the frame, of its proportions; and overlap and
                max_faces, as for one detector.
            shared: share of a tile that its neighbour sees too; faces up to this size are safe from seams.
            within: share of a box inside a stronger one from which it is dropped.
        """
        self._detector, self.tiles, self.shared = detector, settings.tiles, shared
        self.overlap, self.within, self.max_faces = settings.overlap, within, settings.max_faces
        self.digest = detector.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR frame; coordinates are in pixels of the frame, inside it, best first."""
        found = [self._detector.detect(image)]
        height, width = image.shape[:2]
        for y1, y2 in spans(height, self.tiles, self.shared):
            for x1, x2 in spans(width, self.tiles, self.shared):
                seen = self._detector.detect(image[y1:y2, x1:x2])
                seen = shifted(seen, x1, y1)
                found.append(seen[~cut_by_a_seam(seen.boxes, (x1, y1, x2, y2), (width, height))])
        return merged(found, self.overlap, self.within, self.max_faces)


def merged(
    found: Sequence[Detections], overlap: float, within: float = 0.8, max_faces: int = 100
) -> Detections:
    """What was found in pieces of one frame, each face once, best first. Arguments as of `TiledDetector`."""
    every = Detections(
        np.concatenate([each.boxes for each in found]),
        np.concatenate([each.scores for each in found]),
        np.concatenate([each.landmarks for each in found]),
    )
    once = every[suppress(every.boxes, every.scores, overlap)]
    return once[~nested(once.boxes, within)][:max_faces]


def spans(length: int, count: int, shared: float) -> list[tuple[int, int]]:
    """Where `count` equally long pieces of a side begin and end.

    The first begins at 0, the last ends at `length`, and each shares `shared` of its length with the next.
    """
    side = length / (count - (count - 1) * shared)
    starts = [round(number * side * (1 - shared)) for number in range(count)]
    return [(start, min(length, round(start + side))) for start in starts[:-1]] + [(starts[-1], length)]


def shifted(found: Detections, x: int, y: int) -> Detections:
    """What was found in a piece of a frame whose corner is at `x`, `y`, in pixels of the frame."""
    offset = np.array([x, y], np.float32)
    both = np.tile(offset, 2)
    faces = None if found.faces is None else found.faces + both
    return Detections(found.boxes + both, found.scores, found.landmarks + offset, faces)


def cut_by_a_seam(boxes: Floats, tile: tuple[int, int, int, int], frame: tuple[int, int]) -> Bools:
    """Which boxes (n, 4) lie against an edge of the tile that is none of the frame."""
    near = np.abs(boxes - np.array(tile, np.float32)) <= EDGE
    seam = np.array([tile[0] > 0, tile[1] > 0, tile[2] < frame[0], tile[3] < frame[1]])
    return np.asarray((near & seam).any(axis=1))
