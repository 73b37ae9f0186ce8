"""Attacks and genuine attempts counted in the terms of ISO/IEC 30107-3, with exact intervals.

APCER is the share of attack presentations of one species that were accepted, BPCER the share of genuine ones
that were refused. Presentations to which nothing answered (no face was found in time) are non-responses and
told apart: they are no errors of classification.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gallery.calibration import lower_bound, upper_bound
from pipeline.authentication.policy import Part
from pipeline.authentication.session import Authentication

GENUINE = "genuine"
# What `recog auth test` leads through, with what the user is to do.
SPECIES = {
    GENUINE: "sit before the camera as you would every day, and do what is asked",
    "print": "hold a printed photograph of the person before the camera, and move and turn it as is asked",
    "bent-print": "bend the print around a bottle or a head, and turn it as is asked",
    "screen": "show a photograph of the person on a phone or tablet, and move and turn it as is asked",
    "replay": "play a film of the person who answered another challenge",
    "cut-out": "wear the print as a mask with the eyes cut out, and turn the head as is asked",
    "mask": "wear a mask of three dimensions, and do what is asked",
    "somebody-else": "have somebody else sit there, who does what is asked",
}


@dataclass(slots=True)
class Tally:
    """Presentations of one species."""

    species: str
    tried: int = 0  # to which something answered
    accepted: int = 0  # of them
    silent: int = 0  # non-responses
    refused_by: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # from the first frame to the answer

    def add(self, outcome: Authentication) -> None:
        """Count a presentation."""
        faces = outcome.findings.get(Part.ONE_FACE)
        if not outcome.verdict.accepted and faces is not None and faces.holds is None:
            self.silent += 1
            return
        self.tried += 1
        self.accepted += outcome.verdict.accepted
        if outcome.verdict.part is not None:
            self.refused_by[outcome.verdict.part] += 1
        seconds = outcome.measured.get("seconds")
        if isinstance(seconds, float):
            self.seconds.append(seconds)

    @property
    def genuine(self) -> bool:
        """Whether these are the person's own attempts; the species then begins with that word."""
        return self.species.startswith(GENUINE)

    @property
    def errors(self) -> int:
        """Genuine attempts refused, or attacks accepted."""
        return self.tried - self.accepted if self.genuine else self.accepted

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: the rate with its two-sided 95 % interval after Clopper and Pearson."""
        rate = "bpcer" if self.genuine else "apcer"
        told: dict[str, Any] = {
            "species": self.species,
            "presentations": self.tried,
            "errors": self.errors,
            "non_response": self.silent,
        }
        if self.tried:
            told |= {
                rate: self.errors / self.tried,
                "interval": [
                    lower_bound(self.errors, self.tried, 0.975),
                    upper_bound(self.errors, self.tried, 0.975),
                ],
                "upper_95": upper_bound(self.errors, self.tried, 0.95),
            }
        if self.seconds:
            ordered = sorted(self.seconds)
            told["seconds_median"] = ordered[len(ordered) // 2]
            told["seconds_longest"] = ordered[-1]
        return told | {"refused_by": dict(sorted(self.refused_by.items()))}

    def __str__(self) -> str:
        told = self.as_dict()
        if not self.tried:
            return f"{self.species}: no presentation was answered ({self.silent} non-responses)"
        rate = "BPCER" if self.genuine else "APCER"
        low, high = told["interval"]
        return (
            f"{self.species}: {rate} {self.errors / self.tried:.3f} ({self.errors} of {self.tried}; "
            f"95 % interval {low:.3f} to {high:.3f}), {self.silent} non-responses"
        )


def headline(tallies: list[Tally]) -> Tally | None:
    """The worst species of attack: by the upper bound of its APCER; None without attacks."""
    attacks = [each for each in tallies if not each.genuine and each.tried]
    return max(attacks, key=lambda each: upper_bound(each.errors, each.tried, 0.95), default=None)
