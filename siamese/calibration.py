"""From a distance to what it is worth as evidence.

The log-likelihood ratio of a distance says how much more likely it is between two photographs of one person
than between two people. It is fitted on people that the network never saw, never rises with the distance, and
is capped in two ways, because what it must not do is call strangers by a name:

- Of pairs of two people no more than `exp(-t)` can have a true ratio of `t` or more. So the ratio of a
  distance is at most minus the logarithm of the share of strangers at least as close, that share being
  counted as if three more had been seen (the rule of three: none seen in n trials is compatible with 3 / n).
- By the same rule no ratio exceeds `log(n / 3)` for n pairs of two people: the ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

PRIORS = (
    0.01,
    0.5,
)  # shares of genuine pairs at which the fit shall be good: where strangers are rare, and even
SEGMENTS = 12
UNSEEN = 3  # strangers added to those counted


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line `intercept - slope * distance`, or a broken line through knots; natural logarithm, capped."""

    intercept: float
    slope: float
    ceiling: float
    genuine: int  # pairs it was fitted on
    impostor: int
    # (distance, ratio), distances rising and ratios not; they say it where there are any, and the line is the
    # straight one that fits best.
    knots: tuple[tuple[float, float], ...] = ()

    def llr(self, distances: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratios of distances of any shape; infinitely far is as far as evidence goes."""
        asked = np.asarray(distances, np.float64)
        raw = np.interp(asked, *self._knots()) if self.knots else self.intercept - self.slope * asked
        return np.clip(raw, -self.ceiling, self.ceiling)

    def extrapolated(self, distances: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """As `llr` without the cap: for ranking suspicions, not for naming anybody."""
        return self.intercept - self.slope * np.asarray(distances, np.float64)

    def distance(self, llr: float) -> float:
        """The distance that is worth `llr`, ignoring the ceiling; with knots, the nearest that there is."""
        if not self.knots:
            return (self.intercept - llr) / self.slope
        distances, ratios = self._knots()
        return float(np.interp(-llr, -ratios, distances))

    def _knots(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        distances, ratios = np.array(self.knots, np.float64).T
        return distances, ratios

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = asdict(self) | {"knots": [list(knot) for knot in self.knots]}
        return plain if self.knots else {name: value for name, value in plain.items() if name != "knots"}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Calibration:
        """What `as_dict` gave.

        Raises:
            TypeError, ValueError: something is missing, too much or no number.
        """
        knots = tuple((float(distance), float(ratio)) for distance, ratio in plain.get("knots", ()))
        return cls(**{**plain, "knots": knots})


def fit(distances: npt.NDArray[np.float32], same: npt.NDArray[np.bool_]) -> Calibration:
    """Fit the log-likelihood ratio to pairs (n,) of one person (`same`) and of two.

    Logistic regression whose log odds, less those of the prior, are the ratio (Brümmer and du Preez,
    "Application-independent evaluation of speaker detection", 2006); not on the distance but on how much of
    it lies in each of a dozen segments, with weights that are not negative: a falling broken line.

    Raises:
        ValueError: there are no pairs of one kind, or close pairs are not the more likely ones.
    """
    genuine, impostor = int(same.sum()), int((~same).sum())
    if not genuine or not impostor:
        raise ValueError("calibration needs pairs of one person and pairs of two")
    scale = float(distances.std())
    if not 0 < scale < np.inf:
        raise ValueError("calibration needs distances that differ and are finite")
    scaled = distances.astype(np.float64) / scale
    ends = np.array([scaled.min(), scaled.max()])
    (slope,), intercept = _falling_line(scaled, same, ends)
    if slope <= 0:
        raise ValueError("in these pairs distance says nothing of identity; the network is not trained")
    # As many knots where people are alike as where they are not: the tails of either kind get their own.
    shares = np.linspace(0, 1, SEGMENTS // 2 + 1)
    knots = np.unique(
        np.quantile(scaled[same], shares).tolist() + np.quantile(scaled[~same], shares).tolist()
    )
    slopes, at_first = _falling_line(scaled, same, knots)
    ratios = at_first - np.concatenate([[0.0], np.cumsum(slopes * np.diff(knots))])
    closer = np.searchsorted(np.sort(scaled[~same]), knots, side="right")
    ratios = np.minimum(ratios, -np.log(np.minimum(1.0, (closer + UNSEEN) / impostor)))
    ceiling = max(0.0, float(np.log(impostor / UNSEEN)))
    return Calibration(
        intercept + slope * float(ends[0]),
        slope / scale,
        ceiling,
        genuine,
        impostor,
        tuple(zip((knots * scale).tolist(), ratios.tolist(), strict=True)),
    )


def _falling_line(
    distances: npt.NDArray[np.float64], same: npt.NDArray[np.bool_], knots: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Slopes (s,) >= 0 between the knots (s + 1,), downwards, and the ratio at the first knot."""
    from scipy.optimize import minimize

    starts, lengths = knots[:-1], np.diff(knots)
    inside = np.clip(distances[:, None] - starts, 0, lengths)  # (n, s)
    sign = np.where(same, 1.0, -1.0)
    weights = [
        np.where(same, prior / same.sum(), (1 - prior) / (~same).sum()) / _uncertainty(prior)
        for prior in PRIORS
    ]
    odds = [np.log(prior / (1 - prior)) for prior in PRIORS]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        ratios = values[0] - inside @ values[1:]
        total, by_ratio = 0.0, np.zeros(len(ratios))
        for weight, offset in zip(weights, odds, strict=True):
            margin = sign * (ratios + offset)
            total += float(weight @ np.logaddexp(0, -margin))
            by_ratio -= weight * sign / (1 + np.exp(np.clip(margin, -500, 500)))
        return total, np.append(by_ratio.sum(), -(by_ratio @ inside))

    start = np.append(1.0, np.full(len(lengths), 0.1))
    bounds = [(None, None)] + [(0.0, None)] * len(lengths)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000})
    return found.x[1:], float(found.x[0])


def _uncertainty(prior: float) -> float:
    """The loss of knowing the prior and nothing else: what each prior's loss is measured by."""
    return float(-prior * np.log(prior) - (1 - prior) * np.log(1 - prior))


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
