"""How many strangers are given a name, in simulation: 100,000 of them against galleries of three sizes.

A stranger and an enrolled person have something in common, or not: their scores at all looks share a normal
component, with a share `shared` of the variance, and the rest is each look's own. Scores of one person lie
`apart` standard deviations from those of two; ratios are exact for a single look, and capped as a calibration
on so many pairs caps them. Then happens what `pipeline.evidence` does: the five nearest people of a look are
kept apart, old looks fade, ratios are combined, and a name is given by the posterior. Of each stranger's
scores, only those with the forty people who have most in common with them are drawn, and strangers whom even
luck at every look could not bring near a name (`LUCK`) are counted as not named at once.

    uv run python benchmarks/strangers.py --out benchmarks/results/strangers.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from pipeline.config import EvidenceSettings
from pipeline.evidence import bound, combined, posterior
from pipeline.recognise import NEAREST

CANDIDATES = 40
CHUNK = 2000
LUCK = 4.0  # deviations of one look's own component; a name needs three looks, whose mean deviates less


def most_alike(strangers: int, people: int, dice: np.random.Generator) -> np.ndarray:
    """The greatest of `people` standard normal draws, for each stranger: (strangers, at most CANDIDATES).

    By the spacings of uniform order statistics (Rényi, 1953), so that a million need not be drawn.
    """
    most = min(people, CANDIDATES)
    spacings = dice.exponential(size=(strangers, most)) / (people - np.arange(most))
    return np.asarray(ndtri(np.exp(-spacings.cumsum(axis=1))), np.float32)


def ratios_of(
    common: np.ndarray, looks: int, shared: float, apart: float, ceiling: float, dice: np.random.Generator
) -> np.ndarray:
    """Log-likelihood ratios (strangers, looks, candidates) of looks with these common components."""
    own = dice.standard_normal((len(common), looks, common.shape[1]), np.float32)
    scores = np.sqrt(shared) * common[:, None] + np.sqrt(1 - shared) * own
    return np.asarray(np.clip(apart * scores - apart**2 / 2, -ceiling, ceiling))


def named_at(
    ratios: np.ndarray, weights: np.ndarray, people: int, settings: EvidenceSettings
) -> Iterator[np.ndarray]:
    """Whether each track (s,) has the name of a candidate, and which, after each look; -1 for none.

    Args:
        ratios: of every candidate (s, k, n).
        weights: quality of each look (s, k).
    """
    sums, weight = np.zeros((len(ratios), ratios.shape[2])), np.zeros(len(ratios))
    known = np.zeros(sums.shape, bool)  # was ever among the nearest
    for look in range(ratios.shape[1]):
        now = ratios[:, look]
        if look >= settings.memory:
            fade = 1 - 1 / settings.memory
            sums, weight = sums * fade, weight * fade
        if now.shape[1] > NEAREST:
            last = -np.partition(-now, NEAREST - 1, axis=1)[:, NEAREST - 1, None]
        else:
            last = now.min(axis=1, keepdims=True)
        known |= now >= last
        sums += weights[:, look, None] * np.maximum(now, last)
        weight += weights[:, look]
        count = min(look + 1, settings.memory)
        totals = combined(sums, weight, np.full(len(sums), count), settings.correlation)
        chances, _ = posterior(np.where(known, totals, -1e6), people)
        enough = (chances.max(axis=1) >= 1 - settings.target_fpir) & (look + 1 >= settings.min_looks)
        yield np.where(enough, chances.argmax(axis=1), -1)


def share_named(
    strangers: int,
    people: int,
    looks: int,
    shared: float,
    apart: float,
    ceiling: float,
    settings: EvidenceSettings,
    seed: int = 0,
) -> list[float]:
    """The share of strangers who had a name at some time, after each look."""
    dice = np.random.default_rng(seed)
    counts = np.zeros(looks, int)
    for start in range(0, strangers, CHUNK):
        common = most_alike(min(CHUNK, strangers - start), people, dice)
        luckiest = np.sqrt(shared) * common[:, 0] + LUCK * np.sqrt(1 - shared)
        needed = bound(people, settings.target_fpir) * min(settings.correlation, 1)
        common = common[apart * luckiest - apart**2 / 2 >= needed]
        ratios = ratios_of(common, looks, shared, apart, ceiling, dice)
        weights = dice.uniform(0.2, 1, ratios.shape[:2])
        ever = np.zeros(len(common), bool)
        for look, named in enumerate(named_at(ratios, weights, people, settings)):
            ever |= named >= 0
            counts[look] += int(ever.sum())
    return [float(count / strangers) for count in counts]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strangers", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=30)
    parser.add_argument("--shared", type=float, nargs="+", default=[0.6, 0.8, 0.9, 1.0])
    parser.add_argument("--apart", type=float, nargs="+", default=[5.0])
    parser.add_argument("--ceiling", type=float, default=11.5, help="cap of a look's ratio")
    parser.add_argument("--out", type=Path, default=Path("runs/strangers.json"))
    arguments = parser.parse_args()
    settings = EvidenceSettings()
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()
    for people in (10, 1000, 10_000):
        for shared in arguments.shared:
            for apart in arguments.apart:
                shares = share_named(
                    arguments.strangers, people, arguments.looks, shared, apart, arguments.ceiling, settings
                )
                row = {"people": people, "shared": shared, "apart": apart}
                row |= {f"named after {n} looks": shares[n - 1] for n in (3, 10, arguments.looks)}
                rows.append(row)
                print(json.dumps(row), flush=True)
    result = {
        "target": settings.target_fpir,
        "settings": settings.model_dump(),
        "strangers": arguments.strangers,
        "ceiling": arguments.ceiling,
        "bounds": {people: round(bound(people, settings.target_fpir), 2) for people in (10, 1000, 10_000)},
        "seconds": round(time.perf_counter() - began, 1),
        "results": rows,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
