"""How sure a figure is: 95 % intervals from figures of the same data drawn again with replacement.

Pairs that were drawn independently are drawn again one by one. All pairs of a set of people are not
independent (an odd photograph is in thousands), so there the people are drawn again, each with all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siamese.metrics import Bools, Doubles, Floats, Ints, verification

EDGES = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the interval that holds 95 % of its bootstrap values."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True, slots=True)
class Curve:
    """True accept rates at wanted false accept rates, ascending; entry i of each field is one rate."""

    far: Doubles  # (f,)
    tar: Doubles  # (f,)
    low: Doubles  # (f,) bounds of the intervals
    high: Doubles  # (f,)
    impostors: int  # pairs of two people behind it

    def at(self, far: float) -> Interval:
        """The true accept rate at one of the rates of the curve."""
        place = int(np.argmin(np.abs(self.far - far)))
        return Interval(float(self.tar[place]), float(self.low[place]), float(self.high[place]))

    def resolves(self, far: float) -> bool:
        """Whether this rate is one false accept or more; below that, the figure is that of none."""
        return far * self.impostors >= 1


def wilson(count: int, of: int) -> Interval:
    """A share and its 95 % interval (Wilson 1927), for things that happen independently of each other."""
    from scipy.stats import binomtest  # takes a second to import, which only an evaluation has

    bounds = binomtest(count, of).proportion_ci(0.95, "wilson")
    return Interval(count / of, float(bounds.low), float(bounds.high))


class _Accepts:
    """True accept rates at false accept rates, for any weights of the pairs."""

    def __init__(self, genuine: Floats, impostor: Floats, all_impostors: bool = True) -> None:
        """
        Args:
            genuine: (g,) distances of pairs of one person.
            impostor: (m,) distances of pairs of two, ascending.
            all_impostors: whether these are all there are, or the closest ones.
        """
        self.order = np.argsort(genuine)
        # Where impostor k is the first to be refused, the genuine pairs closer than it are accepted.
        closer = np.searchsorted(genuine[self.order], impostor, side="left")
        self.closer = np.append(closer, len(genuine) if all_impostors else closer[-1])

    def rates(self, genuine: Doubles, impostor: Doubles, total: float, far: Doubles) -> Doubles:
        """(f,) for weights (g,) and (m,), where the weights of all pairs of two people sum to `total`."""
        allowed = far * total * (1 + 1e-9)  # 0.1 times 10 pairs is one pair, whatever floats say
        first_refused = np.searchsorted(np.cumsum(impostor), allowed, side="right")
        accepted = np.append(0.0, np.cumsum(genuine[self.order]))
        shares: Doubles = accepted[self.closer[first_refused]] / max(
            accepted[-1], 1.0
        )  # a draw may hold none
        return shares


def over_pairs(
    distances: Floats, same: Bools, far: Doubles, samples: int, seed: int
) -> tuple[dict[str, Interval], Curve]:
    """The figures of `metrics.verification` and the curve, for pairs that are independent of each other.

    Args:
        distances: (p,) with `same` (p,).
        far: (f,) false accept rates of the curve, ascending.
        samples: how often the pairs of either kind are drawn again.
    """
    genuine, impostor = distances[same], distances[~same]
    random = np.random.default_rng(seed)

    def both(genuine: Floats, impostor: Floats) -> tuple[dict[str, float], Doubles]:
        together = np.concatenate([genuine, impostor])
        labels = np.arange(len(together)) < len(genuine)
        accepts = _Accepts(genuine, np.sort(impostor))
        ones = np.ones(len(genuine)), np.ones(len(impostor))
        return verification(together, labels), accepts.rates(*ones, len(impostor), far)

    figures, tar = both(genuine, impostor)
    drawn = [
        both(random.choice(genuine, len(genuine)), random.choice(impostor, len(impostor)))
        for _ in range(samples)
    ]
    intervals = {
        name: Interval(value, *map(float, np.percentile([each[name] for each, _ in drawn], EDGES)))
        for name, value in figures.items()
    }
    low, high = np.percentile([each for _, each in drawn], EDGES, axis=0)
    return intervals, Curve(far, tar, low, high, len(impostor))


def over_people(distances: Floats, labels: Ints, far: Doubles, samples: int, seed: int) -> Curve:
    """The curve for every pair of n faces, where the people are drawn again and not the pairs.

    Args:
        distances: (n (n - 1) / 2,) in the order of `numpy.triu_indices(n, 1)`.
        labels: (n,) the person in each row, from 0.
        far, samples, seed: as `pairs_over_people` takes them.
    """
    rows, columns = (labels[each] for each in np.triu_indices(len(labels), 1))
    return pairs_over_people(distances, rows, columns, far, samples, seed)


def pairs_over_people(
    distances: Floats, rows: Ints, columns: Ints, far: Doubles, samples: int, seed: int
) -> Curve:
    """The curve for some pairs of the faces of some people, where the people are drawn again.

    A person who is drawn twice counts twice in every pair with others; the two are no pair of their own.

    Args:
        distances: (p,).
        rows, columns: (p,) the people in each pair, from 0.
        far: (f,) false accept rates of the curve, ascending, at most a hundredth or so: only the closest
            impostors are drawn again, which is what makes millions of pairs bearable.
        samples: how often the people are drawn again.
    """
    same = rows == columns
    impostors = int((~same).sum())
    # Five times what the loosest rate accepts: a draw may put more weight on the close ones.
    tail = min(impostors, max(1000, round(5 * float(far.max()) * impostors)))
    strangers = np.flatnonzero(~same)
    closest = np.argpartition(distances[strangers], tail - 1)[:tail]
    closest = strangers[closest[np.argsort(distances[strangers[closest]])]]
    accepts = _Accepts(distances[same], distances[closest], tail == impostors)
    first, second, alike = rows[closest], columns[closest], rows[same]
    people = int(max(rows.max(), columns.max())) + 1
    # How many pairs there are of each two people: their weights' products sum to the weight of all pairs.
    between = np.bincount(rows[~same] * people + columns[~same], minlength=people**2).astype(np.float64)
    between = between.reshape(people, people)

    def rates(weights: Doubles) -> Doubles:
        total = float(weights @ between @ weights)
        return accepts.rates(weights[alike], weights[first] * weights[second], total, far)

    random = np.random.default_rng(seed)
    drawn = [
        rates(np.bincount(random.integers(people, size=people), minlength=people).astype(np.float64))
        for _ in range(samples)
    ]
    low, high = np.percentile(drawn, EDGES, axis=0)
    return Curve(far, rates(np.ones(people)), low, high, impostors)
