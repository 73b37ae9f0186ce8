"""The threshold that keeps strangers out, with a bound on how many come in: pure functions on arrays.

A stranger's score is the distance to the nearest person enrolled; a score at or below the threshold would
give the stranger a name. Of n strangers who were tried, the (k + 1)-th nearest is left out by the loosest
threshold that lets k in. Whatever the scores are distributed like, the share of all strangers whom that
threshold lets in exceeds the upper Clopper-Pearson bound of "k of n" only as often as the confidence leaves
open, because k follows from n and the target and not from the scores (Clopper and Pearson, Biometrika 1934;
Wilks, "Determination of sample sizes for setting tolerance limits", 1941).

Some people may look like everybody ("lambs": Doddington et al., ICSLP 1998). Each person's distances are
therefore shifted by how much nearer than usual strangers are to that person (T-norm without its scale:
Auckenthaler et al., Digital Signal Processing 2000). A stranger who is tried has no say in the shifts that
judge them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gallery import beta
from gallery.distances import Doubles, l1
from gallery.errors import GalleryError
from gallery.pooled import pool
from gallery.types import Floats, Ints

CONFIDENCE = 0.95  # of every bound, one-sided


@dataclass(frozen=True, slots=True)
class Threshold:
    """The distance up to which a face is given a name, and what is claimed of it."""

    distance: float  # largest that is accepted, shifts included
    strangers: int  # who were tried, each with one face
    named: int  # of them would be given a name
    bound: float  # at most this share of all strangers would be, with the confidence
    confidence: float


class TooFewError(GalleryError):
    """There are too few strangers for the claim; `needed` says how many it takes."""

    def __init__(self, target: float, strangers: int, needed: int) -> None:
        self.needed, more = needed, needed - strangers
        super().__init__(
            f"a false-positive rate of {target:.3g} cannot be claimed from {strangers} "
            f"{'stranger' if strangers == 1 else 'strangers'}; it takes {needed}: give {more} more "
            f"{'person' if more == 1 else 'people'} with --strangers DIR, or a rate of "
            f"{least_target(strangers):.2%} or more"
        )


def upper_bound(count: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The share that is exceeded with probability 1 - confidence at most, where `count` of `of` were seen.

    Raises ValueError unless 0 <= count <= of and of >= 1.
    """
    if not 0 <= count <= of or not of:
        raise ValueError(f"{count} of {of} is no share")
    return 1.0 if count == of else beta.inverse(count + 1, of - count, confidence)


def lower_bound(count: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The share that is undercut with probability 1 - confidence at most, where `count` of `of` were seen."""
    return 1.0 - upper_bound(of - count, of, confidence)


def strangers_needed(target: float, confidence: float = CONFIDENCE) -> int:
    """How many strangers it takes for a claim of `target`, where not one of them is let in."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-target))


def least_target(strangers: int, confidence: float = CONFIDENCE) -> float:
    """The smallest rate that so many strangers allow to claim."""
    return upper_bound(0, strangers, confidence) if strangers else 1.0


def may_be_named(strangers: int, target: float, confidence: float = CONFIDENCE) -> int:
    """How many of the strangers tried may be let in under a claim of `target`; -1 for too few strangers."""
    # A Beta quantile grows with k, so the largest k is found by halving.
    low, high = -1, strangers
    while high - low > 1:
        middle = (low + high) // 2
        if upper_bound(middle, strangers, confidence) <= target:
            low = middle
        else:
            high = middle
    return low


def choose_threshold(scores: Floats | Doubles, target: float, confidence: float = CONFIDENCE) -> Threshold:
    """The loosest threshold by which at most `target` of all strangers are let in.

    Args:
        scores: (n,) distance of each stranger to the nearest person, one for each stranger; strangers are
            independent of each other and of who is enrolled.
        target: share in (0, 1).

    Raises:
        TooFewError: n strangers do not allow the claim.
    """
    count = len(scores)
    allowed = may_be_named(count, target, confidence)
    if allowed < 0:
        raise TooFewError(target, count, strangers_needed(target, confidence))
    ranked = np.sort(np.asarray(scores, np.float64))
    # Just below the first who must stay out, so that ties stay out with them: in single precision, which
    # distances have. The next double would be rounded up to that very stranger when it is compared to them.
    distance = float(np.nextafter(np.float32(ranked[allowed]), np.float32(-np.inf)))
    named = int((ranked <= distance).sum())
    return Threshold(distance, count, named, upper_bound(allowed, count, confidence), confidence)


def offsets(distances: Floats | Doubles) -> Doubles:
    """What to add to a probe's distance to each of p people, (p,), after distances (n, p) of n strangers.

    Positive for people to whom strangers are nearer than to others; the mean over people is zero.
    """
    means = np.asarray(distances, np.float64).mean(axis=0)
    return np.asarray(means.mean() - means)


def stranger_scores(distances: Floats | Doubles) -> Doubles:
    """The shifted distance (n,) of each of n strangers to the nearest person, after distances (n, p).

    The shifts that judge a stranger are those of the n - 1 others. One stranger is judged without shifts.
    """
    exact = np.asarray(distances, np.float64)
    count = len(exact)
    if count < 2:
        return np.asarray(exact.min(axis=1))
    means = (exact.sum(axis=0) - exact) / (count - 1)
    return np.asarray((exact + means.mean(axis=1, keepdims=True) - means).min(axis=1))


def to_people(probes: Floats, templates: Floats, owners: Ints, people: int) -> Floats:
    """Distances (m, people) of probes (m, d) to each person: to all their templates (t, d) pooled.

    Args:
        owners: (t,) the person of each template, 0 .. people - 1. Somebody without templates is inf away.
    """
    distances = np.full((len(probes), people), np.inf, np.float32)
    present = np.unique(owners)
    if len(present):
        order = np.argsort(owners, kind="stable")
        parts = np.split(order, np.searchsorted(owners[order], present[1:]))
        pooled = np.stack([pool(templates[rows]) for rows in parts])
        distances[:, present] = l1(probes, pooled)
    return distances
