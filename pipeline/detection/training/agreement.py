"""Faces in photographs on which nobody drew any: what an independent detector says at several sizes.

One look is not to be trusted as a label: at each size it misses other faces and takes other things for one.
What it is very sure of at one size, or fairly sure of at two, is a face; what it only suspects may be one or
not. Where people marked heads, a face in a marked head needs less, and one elsewhere more; a marked head
without a sure face is one that is turned away or too small to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.detection.training.prepare import label
from pipeline.faces.boxes import area, intersection, iou
from pipeline.types import Detections, Floats, Image, Ints

SHARES = (0.75, 1.0, 1.4)  # of a photograph's long side: the sizes that the proposer is asked at
LEAST, MOST = 160, 2048  # of these sizes, pixels; multiples of 32
SUSPECTED = 0.1  # score from which a proposal is kept at all
SAME = 0.45  # IoU from which proposals of two sizes are of one face
CLOSE = 0.6  # IoU from which they take part in its mean
VOTE = 0.5  # score of a size that agrees
VOTES = 2  # sizes that make a face by agreeing
SURE, SURE_IN_HEAD, SURE_OUTSIDE = 0.75, 0.6, 0.85  # score of one size that makes a face on its own
DOUBT = 0.2  # score from which what is no sure face may be one
BACK = 44.0  # pixels; a larger head in which nothing is suspected at any size shows no face

Propose = Callable[[Image, int], Detections]  # proposals in an image shown at a long side, score SUSPECTED on


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the sizes say together of each place, surest first."""

    found: Detections  # boxes and landmarks are means; scores are those of the surest size
    votes: Ints  # (n,) how many sizes give VOTE or more


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be learned from a photograph."""

    boxes: Floats  # (n, 4) faces
    landmarks: Floats  # (n, 5, 2)
    unsure: Floats  # (k, 4) where there may be others


def sizes_for(shape: tuple[int, ...]) -> list[int]:
    """The long sides to ask at for an image of this shape."""
    long = max(shape[:2])
    return sorted({min(max(round(long * share / 32) * 32, LEAST), MOST) for share in SHARES})


def agree(looks: Sequence[Detections]) -> Agreed:
    """Bring the proposals of several sizes together."""
    boxes = np.concatenate([of.boxes for of in looks])
    scores = np.concatenate([of.scores for of in looks])
    landmarks = np.concatenate([of.landmarks for of in looks])
    look = np.repeat(np.arange(len(looks)), [len(of) for of in looks])
    order = np.argsort(-scores, kind="stable")
    overlaps = iou(boxes, boxes)
    free = np.ones(len(boxes), np.bool_)
    rows: list[tuple[Floats, float, Floats, int]] = []
    for best in order:
        if not free[best]:
            continue
        same = np.flatnonzero(free & (overlaps[best] > SAME))
        free[same] = False
        weights = scores[same] ** 2 * (overlaps[best, same] > CLOSE)
        weights = weights / weights.sum()
        votes = len(set(look[same][scores[same] >= VOTE].tolist()))
        rows.append(
            (weights @ boxes[same], float(scores[best]), np.tensordot(weights, landmarks[same], 1), votes)
        )
    if not rows:
        return Agreed(Detections.empty(), np.zeros(0, np.int64))
    found = Detections(
        np.array([row[0] for row in rows], np.float32),
        np.array([row[1] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.float32),
    )
    return Agreed(found, np.array([row[3] for row in rows], np.int64))


def facts(agreed: Agreed, heads: Floats | None = None) -> Facts:
    """Which proposals are faces, and where there may be others.

    Args:
        heads: (m, 4) boxes of all heads as people marked them, or points as boxes without an area; None where
            nobody did.
    """
    found, votes = agreed.found, agreed.votes
    if heads is None:
        sure = (found.scores >= SURE) | (votes >= VOTES)
        unsure = found.boxes[~sure & (found.scores >= DOUBT)]
    else:
        within = holds(found.boxes, heads)
        marked = within.any(axis=1)
        sure = np.where(
            marked,
            (found.scores >= SURE_IN_HEAD) | (votes >= VOTES),
            found.scores >= SURE_OUTSIDE,
        )
        without = ~within[sure].any(axis=0)
        places = sized(heads, found.boxes[sure])
        backs = (area(heads) >= BACK**2) & ~within.any(axis=0)
        unsure = np.concatenate([found.boxes[~sure & (found.scores >= DOUBT)], places[without & ~backs]])
    boxes = found.boxes[sure]
    # What lies mostly on a sure face is that face seen otherwise.
    on = intersection(unsure, boxes).max(axis=1, initial=0) / np.maximum(area(unsure), 1e-6)
    return Facts(boxes, found.landmarks[sure], unsure[on < 0.5])


def drawn(faces: Floats, found: Detections) -> Facts:
    """The same of a photograph on which people drew the faces.

    Args:
        faces: (n, 4) boxes.
        found: what all sizes say together, for landmarks, and for faces that nobody drew.
    """
    boxes, landmarks = label(faces, found)
    may_be = found.boxes[found.scores >= VOTE]  # people saw no face in what is doubted more
    outside = intersection(may_be, boxes).max(axis=1, initial=0) <= 0
    return Facts(boxes, landmarks, may_be[outside])


def holds(boxes: Floats, heads: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Whether each face box (n, 4) belongs to each marked head (m, 4), as (n, m).

    To a box belongs a face whose middle lies in it or near it, to a point one that the point lies on or near.
    """
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    margin = (heads[:, 2:] - heads[:, :2]) / 4
    inside = (middles[:, None] >= heads[None, :, :2] - margin) & (
        middles[:, None] <= heads[None, :, 2:] + margin
    )
    points = area(heads) <= 0
    side = np.sqrt(area(boxes))[:, None]
    away = np.abs(middles[:, None] - heads[None, :, :2]).max(axis=2)
    return np.asarray(np.where(points[None], away < 0.9 * side, inside.all(axis=2)))


def sized(heads: Floats, faces: Floats, usual: float = 12.0) -> Floats:
    """Heads (m, 4) with points as boxes: as large as the faces about them, or `usual` pixels without any."""
    points = np.flatnonzero(area(heads) <= 0)
    grown = heads.copy()
    middles, sides = (faces[:, :2] + faces[:, 2:]) / 2, np.sqrt(area(faces))
    for row in points:
        at = heads[row, :2]
        near = np.argsort(np.abs(middles - at).max(axis=1))[:5]
        half = 0.7 * (float(np.median(sides[near])) if len(faces) >= 3 else usual)
        grown[row] = [*(at - half), *(at + half)]
    return grown
