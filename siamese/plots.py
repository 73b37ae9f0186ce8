"""Pictures of an evaluation: pairs as a person would judge them, the ROC curve, and where the scores lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from siamese.crops import CropSet
    from siamese.evaluate import Report
    from siamese.intervals import Curve

GREEN, RED, BLUE = "#1a7f37", "#c62828", "#1f5fa8"
ACROSS = 4  # pairs in a line of the sheet


def pair_sheet(report: Report, crops: CropSet, out: Path, count: int = 12, seed: int = 0) -> Path:
    """Write a sheet of pairs with what the model says of them: some at random, then the most wrong ones.

    Args:
        crops: those that the report was made from.
        count: of either kind.
    """
    from matplotlib.figure import Figure

    pairs = report.pairs
    llr = report.calibration.llr(pairs.distances)
    right = (pairs.distances <= pairs.threshold) == pairs.same
    regret = np.where(pairs.same, 1.0, -1.0) * (pairs.distances - pairs.threshold)  # above zero where wrong
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
            _draw_pair(place, report, crops, int(row), float(llr[row]), bool(right[row]))
    figure.savefig(out)
    return out


def _draw_pair(axes: Any, report: Report, crops: CropSet, row: int, llr: float, right: bool) -> None:
    pairs = report.pairs
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


def roc_curve(report: Report, out: Path) -> Path:
    """Write true accepts over false accepts, the latter on a logarithmic axis, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    pairs, everyone = report.pairs, report.everyone
    _draw_curve(axes, everyone.curve, BLUE, f"every pair of {everyone.people:,} people")
    _draw_curve(axes, pairs.curve, RED, f"the protocol's {len(pairs.same):,} pairs")
    finest = 1 / pairs.curve.impostors
    axes.axvline(finest, color=RED, linestyle=":", linewidth=1)
    axes.annotate(
        f"one false accept in {pairs.curve.impostors:,} ",
        (finest, 0),
        xycoords=("data", "axes fraction"),
        xytext=(-3, 6),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=RED,
    )
    axes.set(xscale="log", xlabel="false accept rate", ylabel="true accept rate")
    axes.set_title(
        f"LFW View 1, test people; {report.category}\nbands: 95 % bootstrap intervals", fontsize=10
    )
    axes.grid(color="#dddddd")
    axes.legend(loc="lower right")
    figure.savefig(out)
    return out


def _draw_curve(axes: Any, curve: Curve, color: str, label: str) -> None:
    shown = curve.far * curve.impostors >= 1  # below, there is nothing but "no false accept"
    axes.fill_between(
        curve.far[shown], curve.low[shown], curve.high[shown], color=color, alpha=0.18, linewidth=0
    )
    axes.plot(curve.far[shown], curve.tar[shown], color=color, label=label)


def histogram(report: Report, out: Path) -> Path:
    """Write where the distances of the protocol's pairs lie, and where the threshold is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    pairs = report.pairs
    edges = np.linspace(float(pairs.distances.min()), float(pairs.distances.max()), 51).tolist()
    for same, color, label in ((True, GREEN, "one person"), (False, RED, "two people")):
        axes.hist(pairs.distances[pairs.same == same], edges, color=color, alpha=0.55, label=label)
    axes.axvline(pairs.threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    axes.set(xlabel="L1 distance", ylabel="pairs")
    axes.set_title(
        f"{len(pairs.same):,} pairs of LFW View 1: {100 * pairs.accuracy:.1f} % judged right "
        f"(standard error {100 * pairs.standard_error:.1f})",
        fontsize=10,
    )
    axes.legend()
    figure.savefig(out)
    return out
