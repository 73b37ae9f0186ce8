"""Photographs that lie on their side or stand on their head: which way up is the face?

A detector that learned from upright faces also finds many that are not, sure of itself, with the landmarks in
the wrong order: it takes a chin for a forehead. But it is surer of the same face upright, so a picture is
looked at in four turns, and the surest wins. docs/formats.md says what was measured.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.faces.helpers import Helpers, nobody_helps
from pipeline.protocols import Detector
from pipeline.types import Detections, Floats, Image

# Chosen on 700 photographs of LFW's people for development (docs/experiments.md).
CERTAIN = 0.993  # score that no face reaches in a wrong turn: nothing more is looked at
SIDEWAYS = 0.96  # score that no face reaches that is turned by a quarter: only upside down is left to compare
FOUND = 0.7  # score that a face needs in another turn
MARGIN = 0.3  # in log odds, by which another turn must be surer; by less, nobody can tell


class UprightDetector:
    """Another detector that also finds faces in pictures turned by 90, 180 or 270 degrees.

    What it gives is in pixels of the picture as it is. Landmarks are in the order of the face, so that a crop
    aligned by them stands upright. Where two turns are all but equally likely, faces are marked `doubtful`.
    Takes up to four times as long as the other detector, but only where that is not certain.
    """

    def __init__(self, detector: Detector, helpers: Helpers = nobody_helps) -> None:
        """
        Args:
            helpers: look at turned pictures meanwhile. What is found is the same.
        """
        self._detector, self._helpers = detector, helpers
        self.digest = detector.digest

    def detect(self, image: Image) -> Detections:
        """Find faces in a BGR picture; coordinates are in pixels of it, best first."""
        helpers, early = self._helpers(), None
        if (
            helpers is not None
        ):  # most pictures are looked at upside down, too: not to wait until that is known
            early = helpers.submit(self._turned, image, 2)
        upright = self._detector.detect(image)
        sure = _best(upright)
        if upright.faces is not None:  # people are found by their whole figure
            return upright
        size = (image.shape[1], image.shape[0])
        turns = () if sure >= CERTAIN else (2,) if sure >= SIDEWAYS else (1, 2, 3)
        wanted = turns if upright.faint is None else (1, 2, 3)  # to be covered, one may lie beside the others
        seen = {0: upright}
        if helpers is None or early is None:
            seen |= {turn: self._turned(image, turn) for turn in wanted}
        else:
            coming = {
                turn: early if turn == 2 else helpers.submit(self._turned, image, turn) for turn in wanted
            }
            seen |= {turn: each.result() for turn, each in coming.items()}
        upright = replace(upright, faint=_faint(seen, size))
        turn = max((0, *turns), key=lambda each: _best(seen[each]))  # of equals, upright
        found = seen[turn]
        if not turn or _best(found) < FOUND:
            return upright
        surer = _log_odds(_best(found)) - _log_odds(sure)
        if surer >= MARGIN:
            return replace(turned_back(found, turn, size), faint=upright.faint)
        return replace(upright, doubtful=np.ones(len(upright), np.bool_))

    def _turned(self, image: Image, turn: int) -> Detections:
        return self._detector.detect(np.ascontiguousarray(np.rot90(image, turn)))


def _faint(seen: dict[int, Detections], size: tuple[int, int]) -> Floats | None:
    """What may be a face whichever way up it is, boxes (k, 4); None where nobody asked for that."""
    found = [turned_back(each, turn, size).boxes for turn, each in seen.items() if each.faint is not None]
    found += [_boxes(each.faint, turn, size) for turn, each in seen.items() if each.faint is not None]
    return np.concatenate(found) if found else None


def turned_back(found: Detections, turn: int, size: tuple[int, int]) -> Detections:
    """What was found in a picture after `np.rot90(image, turn)`, in pixels of the image.

    Args:
        size: width and height of the image.
    """
    return Detections(_boxes(found.boxes, turn, size), found.scores, _points(found.landmarks, turn, size))


def _boxes(boxes: Floats, turn: int, size: tuple[int, int]) -> Floats:
    corners = _points(boxes.reshape(-1, 2, 2), turn, size)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _points(points: Floats, turn: int, size: tuple[int, int]) -> Floats:
    """Points (..., 2) of the turned picture in the picture as it was. Pixels are squares, not points."""
    width, height = size
    x, y = points[..., 0], points[..., 1]
    match turn % 4:
        case 1:  # counter-clockwise: what was at the right is at the top
            x, y = width - y, x
        case 2:
            x, y = width - x, height - y
        case 3:
            x, y = y, height - x
    return np.stack([x, y], axis=-1).astype(np.float32)


def _best(found: Detections) -> float:
    return float(found.scores.max(initial=0.0))


def _log_odds(score: float) -> float:
    kept = min(max(score, 0.01), 0.9999)
    return float(np.log(kept / (1 - kept)))
