"""From a film of one person to a few looks at them: the best, and as different from each other as there are.

Several people are refused rather than mixed. They are several where faces are beside each other in more than
a stray frame, or where the looks fall into groups that are as far apart as two people are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from gallery.types import NewTemplate
from pipeline.enrolment.photos import Looker, Outcome, rejected, unfit
from pipeline.errors import SourceError
from pipeline.faces.choose import Pick, subjects
from pipeline.faces.examine import the_one
from pipeline.faces.groups import groups
from pipeline.types import Floats, Frame, Image, Ints
from pipeline.words import counted

INTERVAL = 0.2  # seconds between frames that are looked at
MOST_SEEN = 600  # frames looked at; a longer film is looked at less densely as it goes on
STRAY = (
    0.05  # share of frames, or of looks, that may show somebody else: a poster, somebody who walks through
)
LOOKS = 8  # templates of a film


@dataclass(frozen=True, slots=True)
class Look:
    """A face that is good enough, at one moment of the film."""

    seconds: float
    crop: Image  # (112, 112, 3)
    score: float  # quality


def from_film(
    frames: Iterable[Frame],
    looker: Looker,
    progress: Callable[[int], None] = lambda frames: None,
) -> list[Outcome]:
    """The best, most different looks at the one person of a film; one rejected outcome if there is none.

    Args:
        looker: with its `pick` of a face where several are in a frame; without, several people are refused.
        progress: called with the frames read so far.

    Raises:
        SourceError: several people are in the film, or it cannot be read.
    """
    pick, settings = looker.pick, looker.settings
    looks, reasons, crowded, seen, name = [], [], 0, 0, ""
    due, interval = -np.inf, INTERVAL
    for frame in frames:
        name = frame.source
        progress(frame.index + 1)
        if frame.seconds < due:
            continue
        due, seen = frame.seconds + interval, seen + 1
        if seen % MOST_SEEN == 0:
            interval *= 2
        found = looker.detector.detect(frame.image)
        crowded += len(subjects(found)) > 1
        face, reason = the_one(frame.image, found, pick or "largest")
        if face is None or (reason := unfit(face.quality, settings)):
            reasons.append(reason)
            continue
        looks.append(Look(frame.seconds, face.crops[0], float(face.quality.score()[0])))
    if pick is None and crowded > max(1, STRAY * seen):
        raise SourceError(
            f"{name}: several faces in {crowded} of {counted(seen, 'frame')}; say which with --pick largest, "
            "center or a number from the left, or cut the film to one person"
        )
    if not looks:
        return [rejected(name, max(set(reasons), key=reasons.count) if reasons else "no face found")]
    embeddings = looker.embedder.embed(np.stack([look.crop for look in looks]))
    rows = _one_person(name, embeddings, looker.embedder.calibration.distance(0.0), pick)
    scores = np.array([look.score for look in looks], np.float32)
    chosen = rows[most_different(embeddings[rows], scores[rows], LOOKS)]
    return [_outcome(name, looks[row], embeddings[row], looker.seen_by) for row in np.sort(chosen)]


def most_different(embeddings: Floats, scores: Floats, most: int) -> Ints:
    """The rows of at most `most` looks: the best one, then each time the one that adds most.

    What a look adds is its distance to the nearest one chosen, weighed by its quality (the farthest-first
    traversal of Gonzalez, 1985, with weights).

    Args:
        embeddings: (n, d), with quality `scores` (n,) in 0..1.
    """
    chosen = [int(np.argmax(scores))]
    nearest = np.abs(embeddings - embeddings[chosen[0]]).sum(axis=1)
    while len(chosen) < min(most, len(embeddings)):
        best = int(np.argmax(nearest * scores))
        if nearest[best] <= 0:
            break
        chosen.append(best)
        nearest = np.minimum(nearest, np.abs(embeddings - embeddings[best]).sum(axis=1))
    return np.array(chosen, np.int64)


def _one_person(name: str, embeddings: Floats, distance: float, pick: Pick) -> Ints:
    """The rows of the person that the film is of.

    Raises:
        SourceError: others are seen in more than a stray look, and nobody said which face is meant.
    """
    numbers = groups(embeddings, distance)
    sizes = np.bincount(numbers)
    several = int((sizes > max(1, STRAY * len(numbers))).sum())
    if pick is None and several > 1:
        raise SourceError(
            f"{name}: seems to show {several} people, one after the other; cut it to one person, or give "
            "--pick largest to take the one seen most"
        )
    return np.flatnonzero(numbers == 0).astype(np.int64)


def _outcome(name: str, look: Look, embedding: Floats, seen_by: str) -> Outcome:
    origin = f"{name} at {look.seconds:.1f} s"
    digest = hashlib.sha256(look.crop.tobytes()).hexdigest()
    return Outcome(
        origin,
        NewTemplate(embedding, look.crop, look.score, origin, digest, seen_by, {"seconds": look.seconds}),
    )
