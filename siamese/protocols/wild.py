"""The protocol `wild`: pairs and open-set identification beyond press photographs, by what faces are like.

Pairs are of all people with names; intervals come from drawing people again. For identification half of the
people are enrolled with frontal and sharp photographs; all other people and the faces without a name are
strangers. The threshold is one for all, and DIR is told for each kind of photograph that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamese import metrics, wild
from siamese.calibration import Calibration
from siamese.errors import DataError
from siamese.metrics import Bools, Floats, Ints
from siamese.protocols.embedded import Embeds, embed_rows
from siamese.protocols.intervals import Curve, Interval, pairs_over_people, wilson
from siamese.protocols.open_set import FPIRS, Probes, ask, of_probes, threshold
from siamese.protocols.reliability import reliability
from siamese.protocols.report import Part
from siamese.protocols.verification import grid, rates_as_dict, rates_line
from siamese.wild import WildSet

RATES = (1e-2, 1e-3)  # false accept rates: a set of some hundred people has about a million pairs
FEW = 100  # pairs of two people below which a kind of pairs says nothing
AGES = {"under 13": (0, 13), "13 to 17": (13, 18), "18 to 59": (18, 60), "60 and over": (60, 200)}


@dataclass(frozen=True, slots=True)
class KindOfPairs:
    """How well pairs of one kind are told apart."""

    what: str
    people: int
    genuine: int
    impostor: int
    auc: float
    eer: float
    curve: Curve  # intervals over people

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the curve."""
        counts = {k: v for k, v in asdict(self).items() if k not in ("curve", "what")}
        return counts | rates_as_dict(self.curve, RATES)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"pairs, {self.what}: {self.genuine:,} of one and {self.impostor:,} of two of {self.people:,} "
            f"people: area under ROC {self.auc:.4f}, equal error rate {self.eer:.4f}",
            rates_line(self.curve, RATES),
        ]


@dataclass(frozen=True, slots=True)
class Strangers:
    """How many of the strangers of each age are given a name where `fpir` of all are."""

    fpir: float
    by_age: dict[str, tuple[int, Interval]]  # photographs, and the share of them; intervals by Wilson

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        ages = {age: {"photographs": n, **asdict(share)} for age, (n, share) in self.by_age.items()}
        return {"fpir": self.fpir, **ages}

    def lines(self) -> list[str]:
        """For people."""
        told = [f"{age}: {share} of {n:,}" for age, (n, share) in self.by_age.items()]
        return [f"strangers named at FPIR {self.fpir:.1%}, by age: " + "; ".join(told)] if told else []


def figures(
    embedder: Embeds,
    judge: Calibration,
    faces: WildSet,
    photos: int,
    splits: int,
    samples: int,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> tuple[dict[str, Part], Floats, str]:
    """The figures of one set, with its embeddings (n, d) and the checksum of its crops.

    Args:
        judge: the model's own calibration.
        photos: frontal and sharp photographs to enrol of each person.
        splits: random choices of who is enrolled.
        samples: how often people are drawn again for the intervals.

    Raises:
        DataError: too few people, or nobody who can be enrolled.
    """
    embedded = embed_rows(
        embedder, faces.crops, np.arange(len(faces.crops)), lambda done, of: progress("embedding", done, of)
    )
    labels, named = _labels(faces.crops.people)
    parts = _pairs(embedded.embeddings[named], labels[named], _rows(faces, named), samples, seed)
    parts["calibration"] = reliability(judge, embedded.embeddings[named], labels[named], seed)
    probes = ask(
        embedded.embeddings, labels, faces.frontal & ~faces.poor, photos, splits,
        seed, lambda done: progress("random splits", done, splits),
    )  # fmt: skip
    kinds = {"": np.ones(len(labels), np.bool_), "frontal": faces.frontal & ~faces.poor,
             "turned": faces.turned, "small or blurred": faces.poor}  # fmt: skip
    for kind, found in of_probes(probes, photos, labels, kinds, samples, seed).items():
        parts["open set" + (f", {kind}" if kind else "")] = found
    if np.isfinite(faces.age).any():
        parts["strangers by age"] = strangers(probes, faces.age, FPIRS[0])
    return parts, embedded.embeddings, embedded.sha256


def strangers(probes: list[Probes], age: Floats, fpir: float) -> Strangers:
    """The share of strangers of each age who are named; the mean over the splits.

    Args:
        age: (n,) of each photograph, NaN where not known.
    """
    by_age = {}
    for name, (first, last) in AGES.items():
        shares, counts = [], []
        for part in probes:
            mine = ~part.enrolled & (age[part.rows] >= first) & (age[part.rows] < last)
            shares.append(float((part.nearest[mine] < threshold(part, fpir)).mean()) if mine.any() else 0.0)
            counts.append(int(mine.sum()))
        count = round(float(np.mean(counts)))
        if count:
            by_age[name] = (count, wilson(round(float(np.mean(shares)) * count), count))
    return Strangers(fpir, by_age)


def _labels(people: tuple[str, ...]) -> tuple[Ints, Ints]:
    """A number for each person, strangers last and each of its own; and the rows of faces with names."""
    names = {person: number for number, person in enumerate(sorted(set(people) - {""}))}
    if len(names) < 2:
        raise DataError("the wild set has too few people with names; build it again: recog data wild")
    labels = np.array([names.get(person, -1) for person in people], np.int64)
    unknown = np.flatnonzero(labels < 0)
    labels[unknown] = len(names) + np.arange(len(unknown))
    return labels, np.flatnonzero(np.array([bool(person) for person in people]))


def _rows(faces: WildSet, rows: Ints) -> Mapping[str, Bools]:
    return {"frontal": faces.frontal[rows], "turned": faces.turned[rows], "poor": faces.poor[rows]} | {
        age: (faces.age[rows] >= first) & (faces.age[rows] < last) for age, (first, last) in AGES.items()
    }


def _pairs(
    embeddings: Floats, labels: Ints, are: Mapping[str, Bools], samples: int, seed: int
) -> dict[str, Part]:
    """The figures of each kind of pairs."""
    first, second = np.triu_indices(len(labels), 1)
    distances, same = metrics.every_pair(embeddings, labels)
    frontal, turned, poor = are["frontal"], are["turned"], are["poor"]
    sharp = ~poor
    kinds = {
        "every pair": np.ones(len(distances), np.bool_),
        "both frontal and sharp": (frontal & sharp)[first] & (frontal & sharp)[second],
        "frontal against turned": (frontal[first] & turned[second]) | (turned[first] & frontal[second]),
        "small or blurred against sharp": poor[first] != poor[second],
        **{f"both {age}": are[age][first] & are[age][second] for age in AGES},
    }
    parts: dict[str, Part] = {}
    for what, kind in kinds.items():
        if not (kind & same).any() or (kind & ~same).sum() < FEW:
            continue
        rows, columns = labels[first[kind]], labels[second[kind]]
        found = metrics.verification(distances[kind], same[kind])
        parts[what] = KindOfPairs(
            what, len(set(rows) | set(columns)), int(same[kind].sum()), int((~same[kind]).sum()),
            found["auc"], found["eer"],
            pairs_over_people(distances[kind], rows, columns, grid(-4, -2), samples, seed),
        )  # fmt: skip
    return parts


def provenance_of(folder: Path, card: Mapping[str, Any], allow_seen: bool) -> tuple[str, str | None]:
    """What a model's card says of these people, and the warning of a report on them.

    Args:
        folder: the sets that `recog data wild` built.
        allow_seen: measure also on people whom the model has seen, and warn.

    Raises:
        DataError: people of LFW are among them whom the model may have seen, or the sets are damaged.
    """
    described = wild.description(folder)
    warning = None
    if described.get("of LFW") and card.get("held out") != described["held out"]:
        warning = (
            f"people of LFW are in this set who are held out by {described['held out']}; the model's card "
            f"says {card.get('held out', 'nothing')} of whom it held out"
        )
        if not allow_seen:
            raise DataError(f"{warning}; give --even-seen to get figures that are marked as no result")
    if card.get(wild.HELD_OUT) == wild.fingerprint(folder):
        return "left out of the model's training, as its card says", warning
    return "whether the model has seen these people, its card does not say", warning
