"""From a distance to what it is worth as evidence.

The log-likelihood ratio of a distance says how much more likely it is between two photographs of one person
than between two people. It is fitted on people that the network never saw, and it is capped: no number of
pairs that showed no stranger closer than this can prove that there is none, so evidence never exceeds what
the number of impostor pairs supports (the rule of three: nothing seen in n trials is compatible with 3 /
n).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

PRIOR = 0.01  # share of genuine pairs at which the fit is best: decisions are made where strangers are rare


@dataclass(frozen=True, slots=True)
class Calibration:
    """`llr = clip(intercept - slope * distance, -ceiling, ceiling)`, natural logarithm."""

    intercept: float
    slope: float
    ceiling: float
    genuine: int  # pairs it was fitted on
    impostor: int

    def llr(self, distances: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratios of distances of any shape; infinitely far is as far as evidence goes."""
        return np.clip(self.extrapolated(distances), -self.ceiling, self.ceiling)

    def of_people(self, distances: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratios (..., k) of one face's distances (..., k) to k people.

        The nearest person's ratio is capped, and the others keep their gap to it. The cap stands for
        strangers nobody has tried; it must not make somebody far away look as likely as the nearest person.
        """
        raw = self.extrapolated(distances)
        excess = np.clip(raw.max(axis=-1, keepdims=True, initial=-np.inf) - self.ceiling, 0, None)
        return np.asarray(np.maximum(raw - excess, -self.ceiling))

    def extrapolated(self, distances: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """As `llr` without the cap: for ranking suspicions, not for naming anybody."""
        return self.intercept - self.slope * np.asarray(distances, np.float64)

    def distance(self, llr: float) -> float:
        """The distance that is worth `llr`, ignoring the cap."""
        return (self.intercept - llr) / self.slope

    def as_dict(self) -> dict[str, float]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Calibration:
        """What `as_dict` gave.

        Raises:
            TypeError: something is missing or too much, or this is no mapping.
        """
        return cls(**plain)


def probability(llr: float) -> float:
    """The share of genuine pairs among those with this ratio, where both kinds are as frequent: the logistic.

    Exact far out too, where 1 + exp(x) would overflow or lose what is small.
    """
    return float(np.exp(-np.logaddexp(0.0, -llr)))


def fit(distances: npt.NDArray[np.float32], same: npt.NDArray[np.bool_], prior: float = PRIOR) -> Calibration:
    """Logistic regression of `same` (n,) on `distances` (n,), as if `prior` of the pairs were genuine.

    The log-likelihood ratio is the log odds less those of the prior (Brümmer and du Preez,
    "Application-independent evaluation of speaker detection", 2006). It is a straight line in the distance,
    which the truth is not: the prior chooses where the line fits best.

    Raises:
        ValueError: there are no pairs of one kind, or close pairs are not the more likely ones.
    """
    from sklearn.linear_model import LogisticRegression

    genuine, impostor = int(same.sum()), int((~same).sum())
    if not genuine or not impostor:
        raise ValueError("calibration needs pairs of one person and pairs of two")
    scale = float(distances.std())
    if not 0 < scale < np.inf:
        raise ValueError("calibration needs distances that differ and are finite")
    share = genuine / len(same)
    model = LogisticRegression(C=1e6)
    weights = np.where(same, prior / share, (1 - prior) / (1 - share))
    model.fit(distances[:, None] / scale, same, sample_weight=weights)
    slope = -float(model.coef_[0, 0]) / scale
    if slope <= 0:
        raise ValueError("in these pairs distance says nothing of identity; the network is not trained")
    ceiling = max(0.0, float(np.log(impostor / 3)))
    intercept = float(model.intercept_[0]) - float(np.log(prior / (1 - prior)))
    return Calibration(intercept, slope, ceiling, genuine, impostor)


def cost(llr: npt.NDArray[np.float64], same: npt.NDArray[np.bool_]) -> float:
    """What trusting these ratios costs (Cllr), in bits: 0 for a perfect judge, 1 for one that says nothing.

    Above 1 the ratios do harm. Both kinds of pairs weigh the same.
    """
    surprise = np.logaddexp(0, np.where(same, -llr, llr)) / np.log(2)
    return float((surprise[same].mean() + surprise[~same].mean()) / 2)


def least_cost(distances: npt.NDArray[np.float32], same: npt.NDArray[np.bool_]) -> float:
    """The cost of the best ratios that fall with the distance, fitted to these very pairs (min Cllr)."""
    from scipy.optimize import isotonic_regression

    # Equal distances must get one ratio: they are merged before the regression.
    values, place = np.unique(distances, return_inverse=True)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    total = np.bincount(place, weights, len(values))
    share = np.bincount(place, weights * same, len(values)) / total
    fitted = np.asarray(isotonic_regression(share, weights=total, increasing=False).x)[place]
    with np.errstate(divide="ignore"):
        surprise = -np.log2(np.where(same, fitted, 1 - fitted))
    return float((surprise[same].mean() + surprise[~same].mean()) / 2)
