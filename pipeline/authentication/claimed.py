"""The person somebody claims to be: photographs, threshold, and what can be said of strangers at it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gallery.calibration import strangers_needed, upper_bound
from gallery.pooled import pool
from pipeline.types import Floats
from pipeline.words import counted
from siamese.calibration import Calibration

# Natural logarithms of likelihood ratios. Chosen on other people than those reported (docs/security.md).
ACCEPT = math.log(1e4)  # of all judged frames as one, at least
EACH = math.log(10)  # of every judged frame
ENOUGH = 3  # photographs from which on few are refused for being unlike them (docs/security.md)
NIST_FMR = 1e-4  # NIST SP 800-63B-4, 3.2.3: "an FMR of one in 10000 or better"
SURE = 0.95


@dataclass(frozen=True, slots=True)
class Claim:
    """What can be said of strangers at the threshold, from those who were tried."""

    strangers: int  # compared with this person
    matched: int  # of them
    bound: float  # upper bound of the false match rate, 95 %

    @property
    def meets_nist(self) -> bool:
        """Whether a false match rate of at most 1 in 10,000 can be claimed."""
        return self.bound <= NIST_FMR

    def __str__(self) -> str:
        if not self.strangers:
            return "false match rate: nothing can be claimed, the model has no strangers to compare with"
        needed = strangers_needed(NIST_FMR, SURE)
        met = "met" if self.meets_nist else f"not met: that takes {needed:,} comparisons without a match"
        return (
            f"false match rate: at most 1 in {math.floor(1 / self.bound):,} ({self.matched} of "
            f"{self.strangers:,} strangers matched; {SURE:.0%} sure); NIST SP 800-63B-4's 1 in "
            f"{round(1 / NIST_FMR):,} is {met}"
        )


class Claimed:
    """The photographs of one person, with which somebody is compared.

    Each frame by itself is compared with the nearest of them: a turned head is most like a turned one. All
    frames as one are compared with all photographs as one, which is nearer to the person and no nearer to
    strangers (docs/security.md).

    Attributes:
        name: as enrolled.
        photographs: how many there are.
        claim: what can be said of strangers.
        accept: the distance at which all frames as one are accepted: where the ratio is ACCEPT, or nearer, if
            one of the strangers would come as near.
    """

    def __init__(self, name: str, templates: Floats, calibration: Calibration, strangers: Floats) -> None:
        """
        Args:
            templates: (t, d) of the person, at least one.
            strangers: (p, d), one face each of people the model never saw; may be none.
        """
        self.name, self.photographs = name, len(templates)
        self._templates, self._calibration = templates, calibration
        self._pooled = pool(templates)
        asked = calibration.distance(ACCEPT)
        theirs = np.abs(strangers - self._pooled).sum(axis=1).astype(np.float64)  # as exact as `accept`
        nearest = float(theirs.min(initial=np.inf))
        # As near as the nearest stranger is too near. That keeps the bound for none of n: the chance that one
        # more stranger comes nearer than n others is beyond p with probability (1 - p)^n, whatever the
        # distances are.
        self.accept = min(asked, float(np.nextafter(nearest, -np.inf)))
        matched = int((theirs <= self.accept).sum())
        bound = upper_bound(matched, len(theirs), SURE) if len(theirs) else 1.0
        self.claim = Claim(len(theirs), matched, bound)

    def distance(self, embedding: Floats) -> float:
        """L1 distance of one frame's embedding (d,) to the nearest photograph."""
        return float(np.abs(self._templates - embedding).sum(axis=1).min())

    def pooled(self, embedding: Floats) -> float:
        """L1 distance of all frames as one (d,), see `gallery.pooled`, to all photographs as one."""
        return float(np.abs(self._pooled - embedding).sum())

    @property
    def advice(self) -> str:
        """What to add where somebody is refused for being unlike few photographs; empty of enough."""
        if self.photographs >= ENOUGH:
            return ""
        return (
            f"; {counted(self.photographs, 'photograph')} enrolled: with {ENOUGH}, best of several days, "
            "fewer are refused (recog enroll)"
        )

    def ratio(self, distance: float) -> float:
        """The log-likelihood ratio of a distance, without the cap that naming among many needs."""
        return float(self._calibration.extrapolated(np.array([distance]))[0])
