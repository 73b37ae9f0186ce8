"""Precision and recall of ranked detections, and how sure an average precision is.

By COCO's rules (T.-Y. Lin et al., "Microsoft COCO: common objects in context", 2014), except that precision
is interpolated at every point of the curve and not at 101.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.types import Bools, Floats, Ints

INSIDE = 0.5  # share of a detection that lies in a place which nobody could judge, for it not to count
EDGES = (2.5, 97.5)  # percentiles of the bootstrap's values that hold 95 % of them


class Interval(NamedTuple):
    """The bounds that hold 95 % of a figure's bootstrap values."""

    low: float
    high: float


def precision_recall(scores: Floats, hits: Bools, faces: int) -> tuple[Floats, Floats]:
    """Precision (n,) and recall (n,) after each detection, the best score first.

    Args:
        scores: (n,) of the detections of all photographs together.
        hits: (n,) whether each is a face that no better one had claimed.
        faces: how many there are to find.
    """
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(hits) + 1)
    return precision.astype(np.float32), (right / max(faces, 1)).astype(np.float32)


def average_precision(scores: Floats, hits: Bools, faces: int) -> float:
    """Area under the precision-recall curve, 0..1; precision is the best of this recall or any greater."""
    if not faces or not len(scores):
        return 0.0
    precision, recall = precision_recall(scores, hits, faces)
    envelope = np.maximum.accumulate(precision[::-1].astype(np.float64))[::-1]
    return float((np.diff(recall.astype(np.float64), prepend=0) * envelope).sum())


def match(overlaps: Floats, threshold: float) -> Ints:
    """For each detection, best score first, the row of the face it is, or -1; (n,).

    Greedy, as COCO does it: each takes the face it overlaps most among those that are still free.

    Args:
        overlaps: (n, m) IoU of the detections with the faces.
        threshold: IoU from which a detection may be a face.
    """
    free = overlaps.copy()
    matched = np.full(len(overlaps), -1, np.int64)
    for row in range(len(overlaps) if overlaps.size else 0):
        face = int(free[row].argmax())
        if free[row, face] >= threshold:
            matched[row] = face
            free[:, face] = -1
    return matched


def counted(matched: Ints, overlaps: Floats, inside: Floats, threshold: float) -> Bools:
    """Whether each detection counts, rightly or wrongly, (n,).

    As in WIDER FACE's own evaluation (S. Yang et al., 2016), a detection that is none of the faces asked for
    and overlaps another face is neither right nor wrong. Nor is one in a place that nobody could judge.

    Args:
        matched: (n,) as of `match`.
        overlaps: (n, k) IoU with the faces that are not asked for.
        inside: (n, j) share of each detection's area that lies in a place which nobody could judge.
        threshold: IoU from which a detection is of a face.
    """
    aside = (overlaps >= threshold).any(axis=1) | (inside >= INSIDE).any(axis=1)
    return np.asarray((matched >= 0) | ~aside)


def redrawn(
    scores: Floats, hits: Bools, photos: Ints, faces: Ints, samples: int = 1000, seed: int = 0
) -> Floats:
    """Average precisions (overlaps, samples) of the same photographs drawn again with replacement.

    Photographs are drawn, not faces: the faces of one are found or missed together.

    Args:
        scores: (n,) of the detections of all photographs.
        hits: (overlaps, n) whether each is a face, at each IoU.
        photos: (n,) the photograph each lies in, from 0.
        faces: (p,) how many faces each photograph has.
    """
    if not len(scores):
        return np.zeros((len(hits), samples), np.float32)
    order = np.argsort(-scores, kind="stable")
    hits, photos = hits[:, order], photos[order]
    random = np.random.default_rng(seed)
    drawn = np.empty((len(hits), samples), np.float32)
    for sample in range(samples):
        times = np.bincount(random.integers(len(faces), size=len(faces)), minlength=len(faces))
        weights = times[photos].astype(np.float64)
        right = np.cumsum(weights * hits, axis=1)
        precision = right / np.maximum(np.cumsum(weights), 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        steps = np.diff(right, axis=1, prepend=0)
        drawn[:, sample] = (steps * envelope).sum(axis=1) / max(float(times @ faces), 1)
    return drawn


def interval(values: Floats) -> Interval:
    """The bounds of 95 % of bootstrap values (samples,)."""
    low, high = np.percentile(values, EDGES)
    return Interval(float(low), float(high))
