"""N-way one-shot recognition, after Koch et al., "Siamese neural networks for one-shot image recognition".

One image of a person is to be found among one image of each of N people, that person included, by the
nearest. Everybody with two images or more is asked for about equally often.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from siamese.errors import DataError
from siamese.metrics import Bools, Floats, Ints
from siamese.protocols.intervals import EDGES, Interval

WAYS = (5, 20)


@dataclass(frozen=True, slots=True)
class OneShot:
    """The share of trials in which the nearest one was the right one."""

    people: int  # to be found
    among: int  # people in all
    trials: int
    accuracy: dict[int, Interval]  # by N; intervals over the people to be found

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        figures = {f"{ways}-way": asdict(interval) for ways, interval in self.accuracy.items()}
        return {"people to find": self.people, "people": self.among, "trials": self.trials, **figures}

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"one-shot, {ways}-way: {interval} in {self.trials:,} trials ({self.people:,} people to find; "
            f"chance {1 / ways:.2f})"
            for ways, interval in self.accuracy.items()
        ]


def one_shot(embeddings: Floats, labels: Ints, trials: int, samples: int, seed: int) -> OneShot:
    """Try it `trials` times for every N of `WAYS`.

    Args:
        embeddings: (n, d).
        labels: (n,) the person in each row, from 0.
        samples: how often people are drawn again for the intervals.

    Raises:
        DataError: fewer than 20 people, or nobody with two images.
    """
    counts = np.bincount(labels)
    several = np.flatnonzero(counts > 1)
    if len(counts) < max(WAYS) or not len(several):
        raise DataError(f"one-shot trials need {max(WAYS)} people, and one of them with two images")
    random = np.random.default_rng(seed)
    rows_of = [np.flatnonzero(labels == person) for person in range(len(counts))]
    # In turn rather than by chance: everybody is asked for, and nobody much more often than others.
    sought = np.concatenate([random.permutation(several) for _ in range(-(-trials // len(several)))])[:trials]
    accuracy = {}
    for ways in WAYS:
        hits = np.array([_trial(embeddings, rows_of, int(person), ways, random) for person in sought])
        accuracy[ways] = Interval(float(hits.mean()), *_over_people(hits, sought, samples, seed))
    return OneShot(len(several), len(counts), trials, accuracy)


def _trial(
    embeddings: Floats, rows_of: list[Ints], person: int, ways: int, random: np.random.Generator
) -> bool:
    probe, support = random.choice(rows_of[person], 2, replace=False)
    others = random.choice(len(rows_of) - 1, ways - 1, replace=False)
    others += others >= person
    rows = np.array([support, *(random.choice(rows_of[int(other)]) for other in others)])
    distances = np.abs(embeddings[rows] - embeddings[probe]).sum(axis=1)
    # A draw is a miss: the first of equals is no answer.
    return bool(distances[0] < distances[1:].min())


def _over_people(hits: Bools, people: Ints, samples: int, seed: int) -> tuple[float, float]:
    """The interval of the share of hits when people are drawn again, each with all trials."""
    random = np.random.default_rng(seed)
    _, place = np.unique(people, return_inverse=True)
    trials, right = np.bincount(place), np.bincount(place, hits)
    drawn = random.integers(len(trials), size=(samples, len(trials)))
    low, high = np.percentile(right[drawn].sum(axis=1) / trials[drawn].sum(axis=1), EDGES)
    return float(low), float(high)
