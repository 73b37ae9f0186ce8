"""How many strangers are given a name, in simulation: 100,000 of them against galleries of three sizes.

A person is a direction in space, and a look at them that direction and noise of its own, brought to length
one. How strong the noise is differs between tracks, as light and distance do; a share of it is common to all
looks of a track. Distances spread about as those of the shipped network do: the dimension is chosen so that
their deviation between two people is 9 % of their mean. Everything after that is what `pipeline` does: the
calibration is fitted to pairs of simulated people, looks are pooled, and a name is given by the posterior.
A stranger counts as soon as there is a name after any of the numbers of looks that are tried. How many of the
enrolled get a name tells whether the world is hard enough for strangers to have a chance.

    uv run python benchmarks/strangers.py --out benchmarks/results/strangers.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from gallery.index import ExactIndex
from pipeline.config import EvidenceSettings
from pipeline.identity.evidence import bound, posterior
from pipeline.identity.judge import NEAREST
from pipeline.outputs.places import output_file
from siamese import calibration
from siamese.calibration import Calibration
from siamese.metrics import every_pair

DIMENSION = 72
NOISE = (0.4, 1.6)  # length of a look's noise, of the length of what the person is: drawn in logarithms
FITTED = 2000  # people whom the calibration is fitted to, with two looks each
CHUNK = 5000


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one, float32."""
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def people(count: int, dice: np.random.Generator) -> np.ndarray:
    """What each of `count` people is, (count, DIMENSION)."""
    return unit(dice.standard_normal((count, DIMENSION)))


def looks_at(who: np.ndarray, looks: int, shared: float, dice: np.random.Generator) -> np.ndarray:
    """Embeddings (n, looks, DIMENSION) of looks at n people, one track each.

    Args:
        shared: share of the noise's variance that is common to all looks of a track, 0..1.
    """
    strength = np.exp(dice.uniform(*np.log(NOISE), (len(who), 1, 1))) / np.sqrt(DIMENSION)
    common = dice.standard_normal((len(who), 1, DIMENSION), np.float32)
    own = dice.standard_normal((len(who), looks, DIMENSION), np.float32)
    return unit(who[:, None] + strength * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own))


def photographs(who: np.ndarray, count: int, dice: np.random.Generator) -> np.ndarray:
    """Embeddings (n * count, DIMENSION) of `count` photographs of each, independent of each other."""
    return np.concatenate([looks_at(who, 1, 1.0, dice)[:, 0] for _ in range(count)])


def fitted(dice: np.random.Generator) -> Calibration:
    """The calibration of this world."""
    who = people(FITTED, dice)
    distances, same = every_pair(photographs(who, 2, dice), np.tile(np.arange(FITTED), 2))
    return calibration.fit(distances, same)


def pooled(looks: np.ndarray, weights: np.ndarray, memory: int) -> Iterator[np.ndarray]:
    """The looks (s, k, d) at s tracks as one embedding each, (s, d), after the first, the second ... look."""
    total, length, weight = np.zeros((len(looks), looks.shape[2])), np.zeros(len(looks)), np.zeros(len(looks))
    for look in range(looks.shape[1]):
        keep = 1 - 1 / memory if look >= memory else 1.0
        now, by = looks[:, look].astype(np.float64), weights[:, look]
        total = keep * total + by[:, None] * now
        length = keep * length + by * np.abs(now).sum(axis=1)
        weight = keep * weight + by
        yield np.asarray(total * (length / weight / np.abs(total).sum(axis=1))[:, None], np.float32)


def has_name(
    faces: np.ndarray, gallery: ExactIndex, judge: Calibration, settings: EvidenceSettings
) -> np.ndarray:
    """Whether each of `faces` (s, d) is given the name of anybody enrolled."""
    distances, _ = gallery.search(faces, min(NEAREST, len(gallery)))
    chances, _ = posterior(judge.of_people(distances), len(gallery))
    return np.asarray(chances.max(axis=1) >= 1 - settings.target_fpir)


def share_named(
    strangers: int,
    enrolled: int,
    tried: tuple[int, ...],
    shared: float,
    judge: Calibration,
    settings: EvidenceSettings,
    seed: int = 0,
) -> list[float]:
    """The share of strangers who had a name after any of `tried` looks so far."""
    dice = np.random.default_rng([seed, enrolled])
    gallery = ExactIndex(DIMENSION)
    gallery.add(np.arange(enrolled), photographs(people(enrolled, dice), 1, dice))
    counts = np.zeros(len(tried), int)
    for start in range(0, strangers, CHUNK):
        who = people(min(CHUNK, strangers - start), dice)
        looks = looks_at(who, max(tried), shared, dice)
        weights = dice.uniform(0.2, 1, looks.shape[:2])
        ever = np.zeros(len(who), bool)
        for number, faces in enumerate(pooled(looks, weights, settings.memory), start=1):
            if number in tried:
                ever |= has_name(faces, gallery, judge, settings)
                counts[tried.index(number)] += int(ever.sum())
    return [float(count / strangers) for count in counts]


def share_recognised(
    enrolled: int, tried: tuple[int, ...], shared: float, judge: Calibration, settings: EvidenceSettings
) -> list[float]:
    """The share of the enrolled who get a name, right or not, after so many looks."""
    dice = np.random.default_rng([1, enrolled])
    who = people(enrolled, dice)
    gallery = ExactIndex(DIMENSION)
    gallery.add(np.arange(enrolled), photographs(who, 1, dice))
    looks = looks_at(who[:CHUNK], max(tried), shared, dice)
    faces = list(pooled(looks, np.ones(looks.shape[:2]), settings.memory))
    return [float(has_name(faces[number - 1], gallery, judge, settings).mean()) for number in tried]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strangers", type=int, default=100_000)
    parser.add_argument("--looks", type=int, nargs="+", default=[3, 10, 30])
    parser.add_argument("--shared", type=float, nargs="+", default=[0.0, 0.8, 1.0])
    parser.add_argument("--enrolled", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--out", type=output_file, default="runs/strangers.json")
    arguments = parser.parse_args()
    settings, tried = EvidenceSettings(), tuple(sorted(arguments.looks))
    began = time.perf_counter()
    judge = fitted(np.random.default_rng(0))
    rows: list[dict[str, Any]] = []
    for enrolled in arguments.enrolled:
        for shared in arguments.shared:
            shares = share_named(arguments.strangers, enrolled, tried, shared, judge, settings)
            known = share_recognised(enrolled, tried, shared, judge, settings)
            row = {"people": enrolled, "shared": shared}
            row |= {f"named after {n} looks": share for n, share in zip(tried, shares, strict=True)}
            row |= {f"enrolled, after {n} looks": round(x, 4) for n, x in zip(tried, known, strict=True)}
            rows.append(row)
            print(json.dumps(row), flush=True)
    result = {
        "target": settings.target_fpir,
        "settings": settings.model_dump(),
        "strangers": arguments.strangers,
        "calibration": judge.as_dict(),
        "bounds": {n: round(bound(n, settings.target_fpir), 2) for n in arguments.enrolled},
        "seconds": round(time.perf_counter() - began, 1),
        "results": rows,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
