"""The best looks at each face of a source, with their pictures: what somebody can be enrolled from later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.types import NewTemplate
from pipeline.config import EnrollSettings
from pipeline.enrolment.film import LOOKS, most_different
from pipeline.enrolment.photos import Outcome, rejected, unfit
from pipeline.faces import align, quality
from pipeline.faces.groups import groups
from pipeline.types import Floats, Image, Look, Result
from siamese.calibration import Calibration

MOST = 6  # of a track


@dataclass(frozen=True, slots=True)
class Portrait:
    """A look with its picture."""

    seconds: float  # on the source's clock
    embedding: Floats  # (d,)
    quality: float  # 0..1
    crop: Image | None  # (112, 112, 3) BGR, aligned; None where only the embedding was kept
    flaw: str = ""  # why nobody can be enrolled from it, nothing if they can


class Portraits:
    """Keeps the best, most different looks at each track of one source."""

    def __init__(self, settings: EnrollSettings, most: int = MOST) -> None:
        """
        Args:
            settings: what makes a look unfit to enroll.
            most: looks of a track.
        """
        self._settings, self._most = settings, most
        self._kept: dict[int, list[Portrait]] = {}

    def take(self, result: Result) -> set[int]:
        """Take in a result whose frame has its picture; the tracks of which something else is kept now.

        Of a face that is covered in the picture nothing is kept, nor what was kept before.
        """
        covered = {face.track for face in result.faces if face.covered}
        changed = {track for track in covered if self._kept.pop(track, None)}
        for look in result.looks if result.frame.image.size else ():
            if look.track in covered:
                continue
            kept = self._kept.get(look.track, [])
            if len(kept) >= self._most and not self._adds(look, kept):
                continue
            both = [*kept, self._portrait(look, result)]
            if len(both) > self._most:
                both = best(both, self._most)
            if any(each.embedding is look.embedding for each in both):
                self._kept[look.track] = both
                changed.add(look.track)
        return changed

    def of(self, track: int) -> tuple[Portrait, ...]:
        """What is kept of a track."""
        return tuple(self._kept.get(track, ()))

    def forget(self, track: int) -> None:
        """Drop what is kept of a track."""
        self._kept.pop(track, None)

    def _adds(self, look: Look, kept: Sequence[Portrait]) -> bool:
        """Whether a look may be one of the best: asked before its picture is cut out."""
        embeddings = np.stack([*(each.embedding for each in kept), look.embedding])
        scores = np.array([*(each.quality for each in kept), look.quality], np.float32)
        return len(kept) in most_different(embeddings, scores, self._most)

    def _portrait(self, look: Look, result: Result) -> Portrait:
        image, box, landmarks = result.frame.image, look.box[None], look.landmarks[None]
        crops = align.crop(image, box, landmarks)
        flaw = unfit(quality.measure(image, box, landmarks, crops), self._settings)
        return Portrait(result.frame.seconds, look.embedding, look.quality, crops[0], flaw)


def best(portraits: Sequence[Portrait], most: int) -> list[Portrait]:
    """At most so many of them, the best and most different, in the order in which they were taken."""
    embeddings = np.stack([each.embedding for each in portraits])
    scores = np.array([each.quality for each in portraits], np.float32)
    return [portraits[row] for row in np.sort(most_different(embeddings, scores, most))]


def of_one_face(portraits: Sequence[Portrait], calibration: Calibration) -> list[Portrait]:
    """Those of the person whom most of them show, as in a film of one person."""
    if not portraits:
        return []
    numbers = groups(np.stack([each.embedding for each in portraits]), calibration.distance(0.0))
    return [each for each, number in zip(portraits, numbers.tolist(), strict=True) if number == 0]


def to_enroll(
    portraits: Sequence[Portrait], source: str, seen_by: str = "", most: int = LOOKS
) -> list[Outcome]:
    """What to enroll a person from: the best, most different of the fit ones; the unfit with their flaw.

    Args:
        source: where they were seen, in words.
        seen_by: fingerprint of the detector.
    """
    fit = [each for each in portraits if not each.flaw]
    chosen = best(fit, most) if fit else []
    unfit_ones = [rejected(_origin(source, each), each.flaw) for each in portraits if each.flaw]
    return [Outcome(_origin(source, each), template(each, source, seen_by)) for each in chosen] + unfit_ones


def template(portrait: Portrait, source: str, seen_by: str = "") -> NewTemplate:
    """A portrait as the gallery keeps it; one without a picture is known by its embedding."""
    content = portrait.embedding if portrait.crop is None else portrait.crop
    return NewTemplate(
        portrait.embedding,
        portrait.crop,
        portrait.quality,
        _origin(source, portrait),
        hashlib.sha256(content.tobytes()).hexdigest(),
        seen_by,
        {"seconds": portrait.seconds},
    )


def _origin(source: str, portrait: Portrait) -> str:
    return f"{source} at {portrait.seconds:.1f} s"
