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


def pair_sheet(pairs: Judged, crops: CropSet, out: Path, count: int = 8, seed: int = 0) -> Path:
    """Write a sheet of pairs with what the model says of them: some at random, then the most wrong ones.

    Either kind of error has its own: distances of one person reach farther beyond the threshold than those
    of two stay below it, and would take all the places.

    Args:
        crops: those that the pairs are of.
        count: of each.
    """
    from matplotlib.figure import Figure

    llr, right = pairs.llr, pairs.right
    regret = np.where(pairs.same, 1.0, -1.0) * (pairs.relative - 1)  # above zero where wrong
    random = np.random.default_rng(seed)
    drawn = np.sort(random.choice(len(right), min(count, len(right)), replace=False))
    parts = [(f"{len(drawn)} pairs at random", drawn)]
    for kind, truth in (("Two people taken for one", False), ("One person taken for two", True)):
        wrong = np.flatnonzero(~right & (pairs.same == truth))
        worst = wrong[np.argsort(-regret[wrong])][:count]
        shown = f", the {len(worst)} most wrong" if len(wrong) > len(worst) else ""
        whole = int((pairs.same == truth).sum())
        parts.append((f"{kind}: {len(wrong):,} of {whole:,} pairs{shown}", worst))
    lines = [-(-len(rows) // ACROSS) for _, rows in parts]
    heights = [max(line, 0.2) for line in lines]
    figure = Figure(figsize=(2.9 * ACROSS, 1.95 * sum(lines) + 1.5), dpi=110, layout="constrained")
    figure.suptitle(
        f"Green: judged right.  Red: judged wrong.  The threshold is from {pairs.threshold_from}.\n"
        "p: probability of one person at even odds, by the model's calibration alone.",
        fontsize=10,
    )
    for part, (title, rows), height in zip(
        figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0],
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
