"""Who is let in: the one place that decides it. All parts must hold; what is not known does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What must hold, in the order in which it is told."""

    TRIES = "tries"  # not too many failed before
    PLACE = "place"  # somebody sits at this machine
    CAMERA = "camera"  # pictures come from a camera with a lens
    INTENT = "intent"  # somebody asked for it
    STREAM = "stream"  # the pictures follow each other as a camera's do
    ONE_FACE = "one face"  # alone or clearly the largest, and the same all the way
    IDENTITY = "identity"  # the claimed person in every frame that was judged
    CUES = "cues"  # nothing says that it is a picture of a picture
    CHALLENGE = "challenge"  # answered in time and direction
    DEPTH = "depth"  # the nose left the plane of eyes and mouth
    RELIEF = "relief"  # the nose stands out in every direction


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one part."""

    holds: bool | None  # None where it is not known
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, with the reason in one line."""

    accepted: bool
    why: str
    part: Part | None = None  # which refused; None where all hold


def decide(findings: Mapping[Part, Finding]) -> Verdict:
    """Accept where every part is there and holds; else refuse for the first that does not."""
    for part in Part:
        finding = findings.get(part)
        if finding is None:
            return Verdict(False, f"{part}: not known", part)
        if finding.holds is not True:
            return Verdict(False, finding.why, part)
    return Verdict(True, findings[Part.IDENTITY].why)
