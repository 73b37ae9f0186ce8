"""From looks to a verdict: a sequential test in which "somebody not enrolled" is a hypothesis too.

Looks of one track are not independent: what a thousand looks at a stranger who resembles Alice have in common
is that stranger. So the log-likelihood ratios of a track are averaged, weighted by quality, and the mean
counts as often as there are independent looks in it: `n / (1 + (n - 1) * rho)`, the design effect of
correlated samples (Kish, "Survey Sampling", 1965), which never exceeds `1 / rho`. A thousand looks of a
stranger therefore never drift into a name.

The prior gives half its weight to "not enrolled" and shares the other half among the people enrolled, so the
evidence that a name needs grows with the logarithm of the gallery (Wald, "Sequential Analysis", 1947).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from pipeline.config import EvidenceSettings
from pipeline.types import UNDECIDED, Identity, State

_CANDIDATES = 64  # people of a track whose evidence is kept apart; beyond them, the better half


@dataclass(slots=True)
class Looks:
    """What the looks at one track say, as weighted sums."""

    weight: float = 0.0
    count: int = 0
    sums: dict[str, float] = field(default_factory=dict)  # by person, of weight * log-likelihood ratio
    floor: float = 0.0  # the same sum for everybody who was never among the nearest

    def add(self, ratios: Mapping[str, float], weight: float, memory: int) -> None:
        """One look: the ratio of each of the nearest people; everybody else is at most as near as the last.

        Args:
            ratios: log-likelihood ratio by person, of the nearest people.
            weight: quality of the look, in 0..1.
            memory: how many looks are remembered; older ones fade.
        """
        if self.count >= memory:
            fade = 1 - 1 / memory
            self.weight *= fade
            self.floor *= fade
            self.sums = {name: total * fade for name, total in self.sums.items()}
        rest = min(ratios.values(), default=0.0)
        for name in self.sums.keys() | ratios.keys():
            self.sums[name] = self.sums.get(name, self.floor) + weight * ratios.get(name, rest)
        self.floor += weight * rest
        self.weight += weight
        self.count += 1
        if len(self.sums) > _CANDIDATES:
            best = sorted(self.sums, key=lambda name: self.sums[name], reverse=True)
            self.sums = {name: self.sums[name] for name in best[: _CANDIDATES // 2]}

    def ratios(self, correlation: float, memory: int) -> dict[str, float]:
        """The track's log-likelihood ratio for each person that was ever among the nearest."""
        if not self.weight:
            return {}
        sums = np.array([*self.sums.values()])
        totals = combined(sums, self.weight, min(self.count, memory), correlation)
        return dict(zip(self.sums, totals.tolist(), strict=True))


def combined(sums: np.ndarray, weight: ArrayLike, looks: ArrayLike, correlation: float) -> np.ndarray:
    """The log-likelihood ratios of tracks (..., n) from those of their looks.

    However many looks there are, none exceeds the greatest of a single look by more than `1 / correlation`.

    Args:
        sums: of weight times ratio over the looks of a track, for each person (..., n).
        weight: sum of the weights (...), positive.
        looks: how many there are (...).
        correlation: share of a look's deviation that the next one repeats.
    """
    count = np.asarray(looks, float)
    independent = count / (1 + (count - 1) * correlation)
    return np.asarray(sums / np.asarray(weight)[..., None] * independent[..., None])


def posterior(ratios: ArrayLike, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of each candidate (..., n) and of "not enrolled" (...), after the ratios (..., n).

    Args:
        people: how many people are enrolled; those who are no candidates count as impossible, for they are
            further away than every candidate.
    """
    given = np.asarray(ratios, float)
    if not people:
        return np.zeros_like(given), np.ones(given.shape[:-1])
    logs = np.concatenate([given - np.log(people), np.zeros((*given.shape[:-1], 1))], axis=-1)
    normalised = np.exp(logs - logsumexp(logs, axis=-1, keepdims=True))
    return normalised[..., :-1], normalised[..., -1]


def bound(people: int, target: float) -> float:
    """The ratio that names somebody where nobody else is near.

    A stranger's ratio against one person ever exceeds it with probability `exp(-bound)` at most, however many
    looks there are (Wald), and so against any of all `people` with probability `target`.
    """
    return float(np.log(people * (1 - target) / target))


class Evidence:
    """The looks at every track of one source, and the verdicts they support."""

    def __init__(self, settings: EvidenceSettings) -> None:
        self._settings = settings
        self._looks: dict[int, Looks] = {}
        self._verdicts: dict[int, Identity] = {}

    def add(self, track: int, ratios: Mapping[str, float], quality: float) -> None:
        """Record one look at a track."""
        self._looks.setdefault(track, Looks()).add(ratios, quality, self._settings.memory)

    def of(self, track: int) -> Identity:
        """The latest verdict on a track."""
        return self._verdicts.get(track, UNDECIDED)

    def decide(self, tracks: Sequence[int], people: int) -> None:
        """Renew the verdicts on the tracks in view, jointly: one name, one face.

        Args:
            people: how many people are enrolled.
        """
        judged = [track for track in tracks if track in self._looks]
        correlation, memory = self._settings.correlation, self._settings.memory
        ratios = {track: self._looks[track].ratios(correlation, memory) for track in judged}
        for track, name in assign(ratios).items():
            looks = self._looks[track].count
            before = self.of(track)
            self._verdicts[track] = judge(ratios[track], name, people, looks, self._settings, before)

    def forget(self, alive: frozenset[int]) -> None:
        """Drop what is remembered of tracks that ended."""
        self._looks = {track: looks for track, looks in self._looks.items() if track in alive}
        self._verdicts = {track: verdict for track, verdict in self._verdicts.items() if track in alive}


def assign(ratios: Mapping[int, Mapping[str, float]]) -> dict[int, str | None]:
    """For each track the person it may be: the assignment with the greatest total evidence.

    No person is two tracks, and each track may be nobody enrolled, which is worth nothing.
    """
    tracks, names = list(ratios), sorted({name for each in ratios.values() for name in each})
    if not names:
        return dict.fromkeys(tracks)
    gains = np.zeros((len(tracks), len(names) + len(tracks)))  # a column of nobody for every track
    for row, track in enumerate(tracks):
        for column, name in enumerate(names):
            gains[row, column] = ratios[track].get(name, -1e6)
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return {
        tracks[row]: names[column] if column < len(names) else None
        for row, column in zip(rows, columns, strict=True)
    }


def judge(
    ratios: Mapping[str, float],
    name: str | None,
    people: int,
    looks: int,
    settings: EvidenceSettings,
    before: Identity = UNDECIDED,
) -> Identity:
    """The verdict on one track.

    A verdict once reached stands until it is less likely than not: evidence that wavers around the bound
    must not make a name flicker.

    Args:
        ratios: its log-likelihood ratios by person.
        name: the person that the joint assignment leaves to it, if any.
        people: how many people are enrolled.
        before: the verdict so far.
    """
    if not people:
        return Identity(State.UNKNOWN, None, 1.0, looks, "nobody is enrolled")
    chances, nobody = posterior(list(ratios.values()), people)
    chance = dict(zip(ratios, chances, strict=True))
    best = max(chance, key=lambda each: chance[each], default=None)
    if looks < settings.min_looks:
        probability = float(chance[best]) if best else 0.0
        return Identity(State.UNDECIDED, None, probability, looks, f"{looks} of {settings.min_looks} looks")
    stands = before.state is State.NAMED and before.name == name
    enough = settings.keep if stands else 1 - settings.target_fpir
    if name is not None and name == best and chance[name] >= enough:
        why = f"evidence {ratios[name]:.1f} over {looks} looks, {people} people enrolled"
        return Identity(State.NAMED, name, float(chance[name]), looks, why)
    if nobody >= (settings.keep if before.state is State.UNKNOWN else settings.unknown_at):
        return Identity(
            State.UNKNOWN, None, float(nobody), looks, f"nobody enrolled is near, over {looks} looks"
        )
    if best is not None and best != name and ratios[best] > 0:  # without evidence nobody is left to anybody
        return Identity(State.UNDECIDED, None, float(chance[best]), looks, f"{best} is another face here")
    probability = float(chance[best]) if best else 0.0
    return Identity(State.UNDECIDED, None, probability, looks, "the evidence does not suffice yet")
