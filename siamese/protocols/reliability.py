"""Whether a calibration may be believed: what ratios it gave, and what they turned out to be worth.

Among pairs that were given a ratio near t, pairs of one person should be `exp(t)` times as frequent, as a
share of their kind, as pairs of two. And of all pairs of two people, at most a share of `exp(-t)` may be
given t or more: that bound is what decisions rest on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from siamese import calibration
from siamese.calibration import Calibration
from siamese.metrics import Doubles, Floats, Ints, every_pair
from siamese.protocols.intervals import EDGES

BINS = 15
LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
RESAMPLED = 100  # people drawn again for the intervals


@dataclass(frozen=True, slots=True)
class Excess:
    """Pairs of two people that were given a ratio of `level` or more."""

    level: float
    share: float
    allowed: float  # exp(-level)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Claimed against realised ratios on every pair of some people; entry i of the arrays is one bin."""

    claimed: Doubles  # (b,) mean ratio given
    realised: Doubles  # (b,) log of the shares' quotient
    low: Doubles  # (b,) bounds of the intervals, over people
    high: Doubles  # (b,)
    genuine: Ints  # (b,) pairs of one person
    impostor: Ints  # (b,) pairs of two
    excesses: tuple[Excess, ...]
    cost: float  # Cllr in bits
    least_cost: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        names = ("claimed", "realised", "low", "high", "genuine", "impostor")
        return {
            "cost in bits": self.cost,
            "least cost in bits": self.least_cost,
            "strangers": [asdict(excess) for excess in self.excesses],
            "bins": {name: getattr(self, name).tolist() for name in names},
        }

    def lines(self) -> list[str]:
        """For people."""
        costs = f"calibration on every pair: {self.cost:.3f} bits, least {self.least_cost:.3f}"
        if not self.excesses:
            return [f"{costs}; its ceiling is too low to be checked on strangers"]
        worst = max(self.excesses, key=lambda excess: excess.share / excess.allowed)
        verdict = "within" if worst.share <= worst.allowed else "MORE than"
        return [
            f"{costs}; strangers given a ratio of {worst.level:g} or more: {worst.share / worst.allowed:.2f} "
            f"times what it allows ({verdict} the bound, at its worst level)"
        ]


def reliability(judge: Calibration, embeddings: Floats, labels: Ints, seed: int) -> Reliability:
    """Claimed and realised ratios of every pair of the faces (n, d) of the people `labels` (n,) from 0."""
    distances, same = every_pair(embeddings, labels)
    ratios = judge.llr(distances)
    edges = np.linspace(float(ratios.min()), float(ratios.max()) + 1e-9, BINS + 1)
    place = np.clip(np.searchsorted(edges, ratios, side="right") - 1, 0, BINS - 1)
    rows, columns = (labels[each] for each in np.triu_indices(len(labels), 1))
    random, people = np.random.default_rng(seed), int(labels.max()) + 1
    drawn = []
    for _ in range(RESAMPLED):
        # A person drawn twice counts twice in every pair with others, as in `intervals.over_people`.
        weight = np.bincount(random.integers(people, size=people), minlength=people).astype(np.float32)
        pair = np.where(same, weight[rows], weight[rows] * weight[columns])
        drawn.append(_realised(place, same, pair.astype(np.float64)))
    realised = _realised(place, same, np.ones(len(same)))
    filled = np.isfinite(realised)
    # Where the two kinds share no bin there is nothing to compare, and no interval.
    bounds = np.nanpercentile(np.array(drawn)[:, filled], EDGES, axis=0) if filled.any() else np.zeros((2, 0))
    sums = np.bincount(place, ratios, BINS)
    counts = np.bincount(place, minlength=BINS)
    strangers = ratios[~same]
    return Reliability(
        (sums / np.maximum(counts, 1))[filled],
        realised[filled],
        bounds[0],
        bounds[1],
        np.bincount(place[same], minlength=BINS)[filled].astype(np.int64),
        np.bincount(place[~same], minlength=BINS)[filled].astype(np.int64),
        tuple(
            Excess(level, float((strangers >= level).mean()), float(np.exp(-level)))
            for level in LEVELS
            if level < judge.ceiling
        ),
        calibration.cost(ratios, same),
        calibration.least_cost(distances, same),
    )


def _realised(place: Ints, same: Any, weights: Doubles) -> Doubles:
    """(b,) log of the share of pairs of one person in each bin over that of pairs of two; NaN if none."""
    genuine = np.bincount(place[same], weights[same], BINS)
    impostor = np.bincount(place[~same], weights[~same], BINS)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(genuine / genuine.sum()) - np.log(impostor / impostor.sum())
    return np.where(np.isfinite(ratio), ratio, np.nan)
