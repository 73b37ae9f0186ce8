"""Pairs with a model's verdict on them, and how good those verdicts are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from siamese import calibration
from siamese.metrics import RATES, Bools, Doubles, Floats, Ints
from siamese.protocols.intervals import Curve, Interval, over_pairs, wilson

MANY = 3  # folds from which their spread says how sure the mean is


@dataclass(frozen=True, slots=True)
class Judged:
    """Pairs of faces and what was made of them. Row i of each array is one pair."""

    first: Ints  # (p,) rows of the crop set
    second: Ints  # (p,)
    same: Bools  # (p,)
    folds: Ints  # (p,) from 1
    distances: Floats  # (p,)
    thresholds: Doubles  # (p,) distances up to which it is one person; chosen without the pair's people
    llr: Doubles  # (p,) what the model's calibration makes of the distance
    threshold_from: str  # which pairs the thresholds were chosen on

    @property
    def right(self) -> Bools:
        """(p,) whether the verdict is true."""
        verdicts: Bools = (self.distances <= self.thresholds) == self.same
        return verdicts

    @property
    def relative(self) -> Floats:
        """(p,) distances over thresholds: comparable where each fold had a model of its own."""
        return (self.distances / self.thresholds).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Verification:
    """How good the verdicts are."""

    genuine: int  # pairs of one person
    impostor: int  # pairs of two
    by_fold: dict[int, float]  # accuracy
    accuracy: Interval  # over pairs (Wilson)
    standard_error: float
    error_over: str  # what the standard error is of
    thresholds: dict[int, float]  # by fold
    threshold_from: str
    cost: float  # of trusting the calibrated ratios (Cllr), in bits; 1 is that of saying nothing
    least_cost: float  # had the calibration been fitted to these very pairs
    figures: dict[str, Interval]  # as `metrics.verification`
    curve: Curve

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the curve."""
        return {
            "genuine": self.genuine,
            "impostor": self.impostor,
            "accuracy": asdict(self.accuracy),
            "standard error": self.standard_error,
            "standard error over": self.error_over,
            "accuracy by fold": {str(fold): value for fold, value in self.by_fold.items()},
            "thresholds": {str(fold): value for fold, value in self.thresholds.items()},
            "threshold from": self.threshold_from,
            "calibration cost in bits": self.cost,
            "least calibration cost in bits": self.least_cost,
            **{name: asdict(self.figures[name]) for name in ("auc", "eer")},
            **rates_as_dict(self.curve, RATES),
        }

    def lines(self) -> list[str]:
        """For people."""
        pairs = self.genuine + self.impostor
        return [
            f"accuracy {self.accuracy.value:.2%} ± {self.standard_error:.2%} (standard error over "
            f"{self.error_over}) on {pairs:,} pairs",
            f"threshold from {self.threshold_from}",
            f"area under ROC {self.figures['auc']}, equal error rate {self.figures['eer']}",
            rates_line(self.curve, RATES),
            f"calibration costs {self.cost:.3f} bits; fitted to these pairs, {self.least_cost:.3f}",
        ]


def verify(judged: Judged, samples: int = 1000, seed: int = 0) -> Verification:
    """The figures of judged pairs.

    Args:
        samples: how often pairs are drawn again for the intervals.
    """
    right, numbers = judged.right, np.unique(judged.folds)
    by_fold = {int(fold): float(right[judged.folds == fold].mean()) for fold in numbers}
    value = float(np.mean(list(by_fold.values())))
    if len(by_fold) >= MANY:
        error, over = float(np.std(list(by_fold.values()), ddof=1) / len(by_fold) ** 0.5), "folds"
    else:  # two folds' spread would say nothing
        error, over = (value * (1 - value) / len(right)) ** 0.5, "pairs"
    # A quotient changes nothing where one threshold holds for all.
    figures, curve = over_pairs(judged.relative, judged.same, grid(-3, 0), samples, seed)
    return Verification(
        int(judged.same.sum()),
        int((~judged.same).sum()),
        by_fold,
        wilson(int(right.sum()), len(right)),
        error,
        over,
        {int(fold): float(judged.thresholds[judged.folds == fold][0]) for fold in numbers},
        judged.threshold_from,
        calibration.cost(judged.llr, judged.same),
        calibration.least_cost(judged.relative, judged.same),
        figures,
        curve,
    )


def grid(low: int, high: int) -> Doubles:
    """False accept rates from 10^low to 10^high, twenty to each power of ten."""
    rates: Doubles = np.logspace(low, high, 20 * (high - low) + 1)
    return rates


def rates_as_dict(curve: Curve, rates: tuple[float, ...]) -> dict[str, Any]:
    """True accept rates with their intervals, ready for JSON."""
    return {
        f"tar at far {rate:g}": asdict(curve.at(rate)) | {"resolved": curve.resolves(rate)} for rate in rates
    }


def rates_line(curve: Curve, rates: tuple[float, ...]) -> str:
    """True accept rates for people; those that the pairs are too few for are marked."""
    told = [f"{rate:g}: {curve.at(rate)}{'' if curve.resolves(rate) else ' *'}" for rate in rates]
    too_few = "  (* fewer pairs of two people than one false accept needs)" if "*" in "".join(told) else ""
    return "TAR at FAR " + ", ".join(told) + too_few
