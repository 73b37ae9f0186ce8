"""Which face of a photograph is meant."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pipeline.errors import ConfigError
from pipeline.types import Detections, Floats, Image, Ints

Pick = (
    Literal["largest", "center"] | int | None
)  # a number counts from the left, from 1; None refuses to guess

# A second face this much smaller than the first is somebody in the background, not a second subject.
BACKGROUND = 0.35
BESIDE = 0.5  # share of the best score below which a face is not what a photograph is about
SURE = 0.6  # a second face below this score is more often a pattern than a person


def parse_pick(text: str | None) -> Pick:
    """What `--pick` says.

    Raises:
        ConfigError: it is neither `largest` nor `center` nor a number from 1.
    """
    match text:
        case None | "largest" | "center":
            return text
        case _ if text.isascii() and text.isdecimal() and int(text):
            return int(text)
    raise ConfigError(f"--pick {text}: give largest, center, or a number from 1, counted from the left")


def choose(detections: Detections, width: int, height: int, pick: Pick = None) -> tuple[int | None, str]:
    """The row of the one face that a picture of `width` x `height` pixels is of, or None and the reason.

    A picture with two faces of similar size is refused unless `pick` says which is meant: guessing would
    enroll a stranger. A number counts the faces of such size from the left; the small ones behind them do not
    count.
    """
    if not len(detections):
        return None, "no face found"
    rows = subjects(detections)
    if pick == "center":
        middles = (detections.boxes[rows, :2] + detections.boxes[rows, 2:]) / 2
        return int(rows[np.argmin(np.hypot(middles[:, 0] - width / 2, middles[:, 1] - height / 2))]), ""
    if isinstance(pick, int):
        if pick > len(rows):
            return None, f"there is no face {pick} from the left, only {len(rows)}"
        return int(rows[np.argsort(detections.boxes[rows, 0])][pick - 1]), ""
    if len(rows) > 1 and pick is None:
        return None, (
            f"{len(rows)} faces; choose with --pick largest, center, or 1 to {len(rows)} from the left, "
            "or crop the photo"
        )
    return int(rows[0]), ""


def subjects(detections: Detections) -> Ints:
    """The rows of the faces that a picture may be of, largest first: without those in the background.

    A pattern that is taken for a face may be the largest of all, so what is small is told beside the largest
    of those that are sure; where none is, the surest counts alone.
    """
    if not len(detections):
        return np.empty(0, np.int64)
    sides = face_sides(detections)
    sure = detections.scores >= min(SURE, float(detections.scores.max()))
    near = sure & (sides >= BACKGROUND * sides[sure].max())
    order = np.argsort(-sides, kind="stable")
    return np.asarray(order[near[order]], np.int64)


def face_sides(detections: Detections) -> Floats:
    """The geometric mean of the sides of each box, (n,) pixels."""
    sides = np.clip(detections.boxes[:, 2:] - detections.boxes[:, :2], 0, None)
    return np.asarray(np.sqrt(sides.prod(axis=1)), np.float32)


def subject(detections: Detections, image: Image) -> int:
    """The row of the face the photograph is about: large, central, and not doubtful beside a sure one."""
    height, width = image.shape[:2]
    boxes = detections.boxes
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    off_center = np.hypot(centers[:, 0] / width - 0.5, centers[:, 1] / height - 0.5)
    side = np.sqrt(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)) / max(height, width)
    sure = detections.scores >= BESIDE * detections.scores.max()
    return int(np.argmax(np.where(sure, side - 2 * off_center, -np.inf)))
