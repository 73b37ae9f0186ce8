"""From a camera to a few looks at the one person before it, who is told how to hold the head."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from gallery.types import NewTemplate
from pipeline.enrolment.guide import Guide, Held, Pose, preview
from pipeline.enrolment.photos import Looker, Outcome, rejected, unfit
from pipeline.faces.examine import the_one
from pipeline.faces.groups import groups
from pipeline.types import Frame, Image

PATIENCE = 90.0  # seconds, on the camera's clock, for all poses together


class Screen(Protocol):
    """What the preview is shown on: `pipeline.outputs.window.Window`."""

    closed: bool

    def show(self, image: Image) -> str | None: ...


def from_camera(
    frames: Iterable[Frame],
    looker: Looker,
    screen: Screen,
    report: Callable[[str], None] = lambda words: None,
    patience: float = PATIENCE,
) -> list[Outcome]:
    """A look in each pose that was held, and a rejected outcome for each that was not.

    Ends when all poses are done, the screen was closed, `patience` seconds are over, or the camera ends.

    Args:
        report: called with the words for each pose, for whoever has no screen.
    """
    guide, name, reason = Guide(report), "", "no frame came"
    for frame in frames:
        name = frame.source
        found = looker.detector.detect(frame.image)
        face, reason = the_one(frame.image, found, looker.pick)
        look, landmarks, box, score = None, None, None, 0.0
        if face is not None:
            box, score = face.faces.boxes[0], float(face.quality.score()[0])
            reason = unfit(face.quality, looker.settings)
            if not reason:
                look, landmarks = Held(face.crops[0], score, frame.seconds), face.faces.landmarks[0]
        guide.see(look, landmarks)
        words = reason or (guide.wanted.value if guide.wanted else "done, thank you")
        screen.show(preview(frame.image, words, score, len(guide.kept), len(Pose), box))
        if guide.wanted is None or screen.closed or frame.seconds > patience:
            break
    missing = [
        rejected(f"{name}, {_short(pose)}", _why(pose, reason)) for pose in Pose if pose not in guide.kept
    ]
    if not guide.kept:
        return missing
    held = list(guide.kept.items())
    embeddings = looker.embedder.embed(np.stack([look.crop for _, look in held]))
    same = groups(embeddings, looker.embedder.calibration.distance(0.0)) == 0
    outcomes = []
    for row, (pose, look) in enumerate(held):
        origin = f"{name}, {_short(pose)}"
        if same[row]:
            digest = hashlib.sha256(look.crop.tobytes()).hexdigest()
            outcomes.append(
                Outcome(
                    origin,
                    NewTemplate(
                        embeddings[row],
                        look.crop,
                        look.score,
                        origin,
                        digest,
                        looker.seen_by,
                        {"pose": _short(pose)},
                    ),
                )
            )
        else:
            outcomes.append(rejected(origin, "another person than in the other poses"))
    return outcomes + missing


def _short(pose: Pose) -> str:
    return pose.name.lower()


def _why(pose: Pose, reason: str) -> str:
    return f"not seen ({reason or pose.value})"
