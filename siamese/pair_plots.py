"""Pairs of faces as a person would judge them, with what a model says of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from siamese.crops import CropSet
    from siamese.protocols.verification import Judged

GREEN, RED = "#1a7f37", "#c62828"
ACROSS = 4  # pairs in a line of the sheet


def pair_sheet(pairs: Judged, crops: CropSet, out: Path, count: int = 12, seed: int = 0) -> Path:
    """Write a sheet of pairs with what the model says of them: some at random, then the most wrong ones.

    Args:
        crops: those that the pairs are of.
        count: of either kind.
    """
    from matplotlib.figure import Figure

    llr, right = pairs.llr, pairs.right
    regret = np.where(pairs.same, 1.0, -1.0) * (pairs.relative - 1)  # above zero where wrong
    random = np.random.default_rng(seed)
    drawn = np.sort(random.choice(len(right), min(count, len(right)), replace=False))
    worst = np.argsort(-regret)[:count]
    worst = worst[~right[worst]]
    parts = [
        (f"{len(drawn)} pairs at random", drawn),
        (f"The {len(worst)} most wrong of {int((~right).sum())} errors in {len(right):,} pairs", worst),
    ]
    lines = [-(-len(rows) // ACROSS) for _, rows in parts]
    figure = Figure(figsize=(2.9 * ACROSS, 1.95 * sum(lines) + 1.3), dpi=110, layout="constrained")
    figure.suptitle(
        "p: probability of one person, at even odds.  Green: judged right.  Red: judged wrong.", fontsize=10
    )
    for part, (title, rows), height in zip(
        figure.subfigures(2, 1, height_ratios=[max(line, 0.2) for line in lines], squeeze=False)[:, 0],
        parts,
        lines,
        strict=True,
    ):
        part.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
        if not height:
            continue
        places = list(part.subplots(height, ACROSS, squeeze=False).flat)
        for place in places:
            place.set_axis_off()
        for place, row in zip(places, rows, strict=False):
            _draw_pair(place, pairs, crops, int(row), float(llr[row]), bool(right[row]))
    figure.savefig(out)
    return out


def _draw_pair(axes: Any, pairs: Judged, crops: CropSet, row: int, llr: float, right: bool) -> None:
    first, second = pairs.first[row], pairs.second[row]
    gap = np.full((crops.images.shape[1], 4, 3), 255, np.uint8)
    axes.imshow(np.concatenate([crops.images[first], gap, crops.images[second]], axis=1)[..., ::-1])
    truth = "one person" if pairs.same[row] else "two people"
    mistake = "" if right else ", taken for two" if pairs.same[row] else ", taken for one"
    axes.set_title(
        f"{truth}{mistake}\ndistance {pairs.distances[row]:.1f}, p {_percent(llr)}",
        fontsize=9,
        color=GREEN if right else RED,
        pad=3,
    )


def _percent(llr: float) -> str:
    """A log-likelihood ratio as a probability at even odds."""
    probability = 1 / (1 + np.exp(-llr))
    if probability > 0.9999:
        return "> 99.99 %"
    if probability < 0.0001:
        return "< 0.01 %"
    return f"{100 * probability:.{1 if 0.1 < probability < 0.9 else 2}f} %"
