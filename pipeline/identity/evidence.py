"""From looks to a verdict: a test in which "somebody not enrolled" is a hypothesis too.

The looks of a track are looks at one face, so they are pooled into one embedding, weighted by quality, and
that one is compared with the gallery (`gallery.pooled`). What a look has of its own, pose, light and blur,
averages out; what a thousand looks at a stranger who resembles Alice have in common, the stranger's face,
does not. A pooled embedding is judged as a single look is, so a thousand looks never drift into a name
(docs/decisions/0009-looks-are-pooled.md).

The prior gives half its weight to "not enrolled" and shares the other half among the people enrolled, so the
evidence that a name needs grows with the logarithm of the gallery (Wald, "Sequential Analysis", 1947).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from gallery.pooled import Pooled
from pipeline.config import EvidenceSettings
from pipeline.faces.assignment import pairs
from pipeline.types import UNDECIDED, Floats, Identity, State
from pipeline.words import counted, counted_people

ELSEWHERE = "who comes nearest is another face here"  # without the name: events keep it, and outlive people


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
    normalised = np.exp(logs - np.logaddexp.reduce(logs, axis=-1, keepdims=True))
    return normalised[..., :-1], normalised[..., -1]


def despite(ratios: ArrayLike, against: ArrayLike, people: int) -> np.ndarray:
    """Ratios (..., n) of candidates of some of whom it was said that a face much like this one is not theirs.

    Whose face that was is one more hypothesis, as likely beforehand as any person enrolled, and it competes
    with that one candidate alone: the face may well be another one's. What the candidate loses to it, "not
    enrolled" gains. So `posterior` of what is returned gives no candidate more than before, and those of whom
    nothing was said just what they had (docs/decisions/0015-what-a-face-is-not.md).

    Args:
        ratios: (..., n) as `posterior` takes them.
        against: (..., n) ratios of this face being the one that is not theirs; -inf where nothing was said.
        people: how many people are enrolled.
    """
    given, rivals = np.asarray(ratios, float), np.asarray(against, float)
    if not people or not np.isfinite(rivals).any():
        return given
    logs, rivals = given - np.log(people), rivals - np.log(people)
    total = np.logaddexp.reduce(np.concatenate([logs, np.zeros((*logs.shape[:-1], 1))], axis=-1), axis=-1)
    left = logs - np.logaddexp(total[..., None], rivals)  # logarithms of the chances that are left
    lost = logs - total[..., None] + rivals - np.logaddexp(total[..., None], rivals)
    nobody = np.logaddexp.reduce(np.concatenate([lost, -total[..., None]], axis=-1), axis=-1)
    weighed = left - nobody[..., None] + np.log(people)
    untouched = ~np.isfinite(rivals).any(axis=-1, keepdims=True)
    return np.asarray(np.where(untouched, given, weighed))


def bound(people: int, target: float) -> float:
    """The ratio that names somebody where nobody else is near.

    A stranger's ratio against one person exceeds it with probability `exp(-bound)` at most (Wald), and so
    against any of all `people` with probability `target`.
    """
    return float(np.log(people * (1 - target) / target))


class Evidence:
    """The looks at every track of one source, and the verdicts they support."""

    def __init__(self, settings: EvidenceSettings) -> None:
        self._settings = settings
        self._looks: dict[int, Pooled] = {}
        self._glances: dict[int, int] = {}  # looks without an embedding
        self._ratios: dict[int, Mapping[str, float]] = {}
        self._partly: set[int] = set()  # tracks that a part of the gallery was asked about
        self._verdicts: dict[int, Identity] = {}

    def add(self, track: int, embedding: Floats, quality: float) -> Floats:
        """Record one look at a track; return all of them as one embedding (d,), which is to be weighed.

        Args:
            embedding: of the look, (d,).
            quality: weight of the look, in 0..1.
        """
        return self._looks.setdefault(track, Pooled()).add(embedding, quality, self._settings.memory)

    def glance(self, track: int) -> None:
        """Record a look that was not embedded, because nobody is enrolled to compare it with."""
        self._glances[track] = self._glances.get(track, 0) + 1
        self._ratios[track] = {}
        self._partly.discard(track)

    def pooled(self) -> tuple[list[int], list[Floats]]:
        """The tracks whose looks are kept, and the looks of each as one embedding (d,)."""
        return list(self._looks), [looks.embedding() for looks in self._looks.values()]

    def weigh(self, track: int, ratios: Mapping[str, float], whole: bool = True) -> None:
        """Log-likelihood ratios, by person, of what `add` returned; they replace those of before.

        Whoever is not among them is further away than all of them, or was not asked.

        Args:
            whole: whether all of the gallery was asked.
        """
        self._ratios[track] = ratios
        if whole:
            self._partly.discard(track)
        else:
            self._partly.add(track)

    def face(self, track: int) -> Floats | None:
        """The looks at a track as one embedding (d,); None where there are none."""
        looks = self._looks.get(track)
        return None if looks is None else looks.embedding()

    def of(self, track: int) -> Identity:
        """The latest verdict on a track."""
        return self._verdicts.get(track, UNDECIDED)

    def decide(
        self, tracks: Sequence[int], people: int, once: Collection[int] = (), moved: float = 0.0
    ) -> None:
        """Renew the verdicts on the tracks in view, jointly: one name, one face.

        Args:
            people: how many people are enrolled.
            once: those at which there will be no more looks: one has to do, as it has for a photograph.
            moved: by how much a calibrated gallery moved the ratios.
        """
        one_look = self._settings.model_copy(update={"min_looks": 1}) if once else self._settings
        ratios = {track: self._ratios[track] for track in tracks if track in self._ratios}
        for track, name in assign(ratios).items():
            looks = self._count(track)
            before, settings = self.of(track), one_look if track in once else self._settings
            if before.looks < self._settings.min_looks:
                before = UNDECIDED  # by fewer looks than it takes a verdict to stand
            whole = track not in self._partly
            self._verdicts[track] = judge(ratios[track], name, people, looks, settings, before, whole, moved)

    def forget(self, alive: frozenset[int]) -> None:
        """Drop what is remembered of tracks that ended."""
        self._glances = {track: count for track, count in self._glances.items() if track in alive}
        self._looks = {track: looks for track, looks in self._looks.items() if track in alive}
        self._ratios = {track: ratios for track, ratios in self._ratios.items() if track in alive}
        self._partly &= alive
        self._verdicts = {track: verdict for track, verdict in self._verdicts.items() if track in alive}

    def forget_glances(self) -> None:
        """Drop the tracks of which nothing but glances is remembered, and the glances at the others."""
        self._glances = {}
        self.forget(frozenset(self._looks))

    def _count(self, track: int) -> int:
        looks = self._looks.get(track)
        return self._glances.get(track, 0) + (0 if looks is None else looks.count)


def assign(ratios: Mapping[int, Mapping[str, float]]) -> dict[int, str | None]:
    """For each track the person it may be: the assignment with the greatest total evidence.

    No person is two tracks, and each track may be nobody enrolled, which is worth nothing.
    """
    tracks, names = list(ratios), sorted({name for each in ratios.values() for name in each})
    gains = np.array([[ratios[track].get(name, 0) for name in names] for track in tracks])
    found: dict[int, str | None] = dict.fromkeys(tracks)
    return found | {
        tracks[row]: names[column] for row, column in pairs(gains.reshape(len(tracks), len(names)))
    }


def judge(
    ratios: Mapping[str, float],
    name: str | None,
    people: int,
    looks: int,
    settings: EvidenceSettings,
    before: Identity = UNDECIDED,
    whole: bool = True,
    moved: float = 0.0,
) -> Identity:
    """The verdict on one track.

    A verdict once reached stands until it is less likely than not: evidence that wavers around the bound
    must not make a name flicker.

    A part of the gallery gives no verdict: somebody nearer may be among those who were not asked, such as a
    sister of somebody who was. What the whole gallery said of a track stands, as long as the part does not
    speak against it (docs/decisions/0019-a-part-of-the-gallery.md).

    Args:
        ratios: its log-likelihood ratios by person.
        name: the person that the joint assignment leaves to it, if any.
        people: how many people are enrolled.
        before: the verdict so far.
        whole: whether all of the gallery was asked for the ratios.
        moved: by how much a calibrated gallery moved the ratios.
    """
    if not people:
        return Identity(State.UNKNOWN, None, 1.0, looks, "nobody is enrolled")
    chances, nobody = posterior(list(ratios.values()), people)
    if moved:
        _, nobody = posterior([each - moved for each in ratios.values()], people)
    chance = dict(zip(ratios, chances, strict=True))
    best = max(chance, key=lambda each: chance[each], default=None)
    if looks < settings.min_looks:
        probability = float(chance[best]) if best else 0.0
        why = f"{looks} of {counted(settings.min_looks, 'look')}"
        return Identity(State.UNDECIDED, None, probability, looks, why)
    stands = before.state is State.NAMED and before.name == name
    if not whole:
        named = name is not None and stands and name == best and chance[name] >= settings.keep
        if named or (before.state is State.UNKNOWN and nobody >= settings.keep):
            return replace(before, looks=looks)
        return Identity(State.UNDECIDED, None, 0.0, looks, "part of the gallery cannot be asked")
    enough = settings.keep if stands else 1 - settings.target_fpir
    if name is not None and name == best and chance[name] >= enough:
        seen = f"over {counted(looks, 'look')}, {counted_people(people)} enrolled"
        why = f"evidence {ratios[name]:.1f} {seen}"
        return Identity(State.NAMED, name, float(chance[name]), looks, why)
    if nobody >= (settings.keep if before.state is State.UNKNOWN else settings.unknown_at):
        why = f"nobody enrolled is near, over {counted(looks, 'look')}"
        return Identity(State.UNKNOWN, None, float(nobody), looks, why)
    if best is not None and best != name and ratios[best] > 0:  # without evidence nobody is left to anybody
        return Identity(State.UNDECIDED, None, float(chance[best]), looks, ELSEWHERE)
    probability = float(chance[best]) if best else 0.0
    return Identity(State.UNDECIDED, None, probability, looks, "the evidence does not suffice yet")
