"""Open-set identification: some people are enrolled, everybody else is a stranger.

A photograph of somebody enrolled is identified where the nearest person is the right one and near enough; one
of a stranger is a false positive where anybody is near enough. As in the gallery, a person is as near as
their nearest template. What "near enough" means is set by the share of strangers' photographs it lets through
(FPIR), and DIR is the share of the enrolled people's photographs that are then identified (ISO/IEC 19795-1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from siamese.errors import DataError
from siamese.metrics import Bools, Doubles, Floats, Ints
from siamese.protocols.intervals import EDGES, Interval

FPIRS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True)
class Probes:
    """What came of the photographs that were not enrolled. Row i is one photograph."""

    people: Ints  # (n,)
    enrolled: Bools  # (n,) whether the person is
    nearest: Doubles  # (n,) distance of the nearest person enrolled
    right: Bools  # (n,) whether that is the person in the photograph
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # (n,) which photograph it is


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Means over several random choices of who is enrolled."""

    splits: int
    photos: int  # enrolled of each person
    enrolled: int  # people
    strangers: int  # people
    probes: int  # photographs of people enrolled, mean over the splits
    impostors: int  # photographs of strangers, likewise
    rank1: Interval  # nearest person is the right one, however far
    dir: dict[float, Interval]  # by FPIR; intervals over people
    asked: str = ""  # which photographs of people enrolled were asked for, where not all

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        counts = {k: v for k, v in asdict(self).items() if k not in ("rank1", "dir", "asked")}
        figures = {
            f"dir at fpir {rate:g}": asdict(value) | {"resolved": self.resolves(rate)}
            for rate, value in self.dir.items()
        }
        return counts | {"rank-1 identification": asdict(self.rank1)} | figures

    def resolves(self, fpir: float) -> bool:
        """Whether this rate is one photograph of a stranger or more."""
        return fpir * self.impostors >= 1

    def lines(self) -> list[str]:
        """For people."""
        told = [
            f"{rate:.1%}: {value}{'' if self.resolves(rate) else ' (too few strangers for this rate)'}"
            for rate, value in self.dir.items()
        ]
        asked = f", {self.asked}" if self.asked else ""
        return [
            f"open set{asked}: {self.enrolled:,} people enrolled with {self.photos} photos each, "
            f"{self.strangers:,} strangers; {self.probes:,} and {self.impostors:,} photographs "
            f"asked, {self.splits} splits",
            "DIR at FPIR " + ", ".join(told),
            f"nearest person is the right one (rank 1, no threshold): {self.rank1}",
        ]


def open_set(
    embeddings: Floats,
    labels: Ints,
    photos: int,
    splits: int,
    samples: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> OpenSet:
    """Enrol half of those with more than `photos` images, `splits` times over.

    Args:
        embeddings: (n, d).
        labels: (n,) the person in each row, from 0.
        photos: images to enrol of each; their others are asked for.
        samples: how often people are drawn again for the intervals.
        progress: called with the splits done.

    Raises:
        DataError: nobody has more images than are to be enrolled, or nobody is left to be a stranger.
    """
    every = np.ones(len(labels), np.bool_)
    parts = ask(embeddings, labels, every, photos, splits, seed, progress)
    return of_probes(parts, photos, labels, {"": every}, samples, seed)[""]


def ask(
    embeddings: Floats,
    labels: Ints,
    enrollable: Bools,
    photos: int,
    splits: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Probes]:
    """What comes of enrolling half of those who can be enrolled, `splits` times over.

    Args:
        enrollable: (n,) images that may be enrolled; who has one such more than `photos`, or another image
            beside, can be.
        labels, photos, progress: as in `open_set`.

    Raises:
        DataError: as `open_set`.
    """
    everybody = int(labels.max()) + 1
    templates = np.bincount(labels[enrollable], minlength=everybody)
    able = np.flatnonzero((templates >= photos) & (np.bincount(labels) > photos))
    if len(able) < 2:
        raise DataError(f"open-set identification needs two people with more than {photos} images")
    random, parts = np.random.default_rng(seed), []
    for split in range(splits):
        enrolled = random.permutation(able)[: len(able) // 2]
        parts.append(_ask(embeddings, labels, enrolled, enrollable, photos, random))
        progress(split + 1)
    return parts


def of_probes(
    parts: list[Probes], photos: int, labels: Ints, asked: Mapping[str, Bools], samples: int, seed: int
) -> dict[str, OpenSet]:
    """The figures for some of the photographs of people enrolled, always with all photographs of strangers.

    Args:
        asked: by name, (n,) which images count; "" for all. What nobody enrolled is in is left out.
    """
    everybody = int(labels.max()) + 1
    weights = np.ones((1, everybody))
    draw = np.random.default_rng(seed).integers(everybody, size=(samples, everybody))
    drawn = np.stack([np.bincount(row, minlength=everybody) for row in draw]).astype(np.float64)
    enrolled = len({int(person) for person in parts[0].people[parts[0].enrolled]})
    found = {}
    for name, images in asked.items():
        chosen = [_only(part, images) for part in parts]
        if not all(part.enrolled.any() for part in chosen):
            continue
        figures = {rate: _interval(chosen, rate, weights, drawn) for rate in (*FPIRS, 1.0)}
        found[name] = OpenSet(
            len(parts),
            photos,
            enrolled,
            everybody - enrolled,
            round(float(np.mean([part.enrolled.sum() for part in chosen]))),
            round(float(np.mean([(~part.enrolled).sum() for part in chosen]))),
            figures[1.0],
            {rate: figures[rate] for rate in FPIRS},
            name,
        )
    return found


def threshold(probes: Probes, fpir: float) -> float:
    """The distance within which at most a share `fpir` of the strangers' photographs finds somebody."""
    strangers = np.sort(probes.nearest[~probes.enrolled])
    first_refused = int(fpir * len(strangers) * (1 + 1e-9))
    return float(strangers[first_refused]) if first_refused < len(strangers) else np.inf


def _only(probes: Probes, images: Bools) -> Probes:
    """The probes without those of people enrolled that are not among the images."""
    kept = ~probes.enrolled | images[probes.rows]
    return Probes(
        probes.people[kept],
        probes.enrolled[kept],
        probes.nearest[kept],
        probes.right[kept],
        probes.rows[kept],
    )


def _ask(
    embeddings: Floats,
    labels: Ints,
    enrolled: Ints,
    enrollable: Bools,
    photos: int,
    random: np.random.Generator,
) -> Probes:
    """Enrol and ask for everything else."""
    from scipy.spatial.distance import cdist

    rows_of = [np.flatnonzero((labels == person) & enrollable) for person in enrolled]
    templates = np.concatenate([random.choice(rows, photos, replace=False) for rows in rows_of])
    rest = np.setdiff1d(np.arange(len(labels)), templates)
    # Templates of one person lie together: (probes, people, photos), the nearest of each person's.
    distances = cdist(embeddings[rest], embeddings[templates], "cityblock")
    by_person = distances.reshape(len(rest), len(enrolled), photos).min(axis=2)
    nearest = by_person.argmin(axis=1)
    return Probes(
        labels[rest],
        np.isin(labels[rest], enrolled),
        by_person[np.arange(len(rest)), nearest],
        enrolled[nearest] == labels[rest],
        rest,
    )


def _interval(parts: list[Probes], fpir: float, weights: Doubles, drawn: Doubles) -> Interval:
    value = np.mean([rates(part, fpir, weights)[0] for part in parts])
    again = np.mean([rates(part, fpir, drawn) for part in parts], axis=0)
    low, high = np.percentile(again, EDGES)
    return Interval(float(value), float(low), float(high))


def rates(probes: Probes, fpir: float, weights: Doubles) -> Doubles:
    """DIR (s,) at the widest threshold with an FPIR of at most `fpir`, for s weights (s, people)."""
    order = np.argsort(probes.nearest[~probes.enrolled], kind="stable")
    strangers = probes.nearest[~probes.enrolled][order]
    theirs = probes.people[~probes.enrolled][order]
    asked = probes.people[probes.enrolled]
    accepted = np.cumsum(weights[:, theirs], axis=1)
    # The first stranger who would be one too many: whoever is nearer than that is accepted.
    first_refused = (accepted <= fpir * accepted[:, -1:] * (1 + 1e-9)).sum(axis=1)
    limits = np.append(strangers, np.inf)[first_refused]
    hits = probes.right[probes.enrolled] & (probes.nearest[probes.enrolled] < limits[:, None])
    own = weights[:, asked]
    found: Doubles = (own * hits).sum(axis=1) / np.maximum(own.sum(axis=1), 1.0)
    return found
