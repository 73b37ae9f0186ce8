"""Curves of an evaluation: ROC, DET, where the scores lie, and whether the calibration may be believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese import metrics

if TYPE_CHECKING:
    from siamese.protocols.everyone import Everyone
    from siamese.protocols.intervals import Curve
    from siamese.protocols.reliability import Reliability
    from siamese.protocols.verification import Judged, Verification

GREEN, RED, BLUE = "#1a7f37", "#c62828", "#1f5fa8"
DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4)  # rates that are marked on both axes


def roc_curve(pairs: Verification, everyone: Everyone | None, title: str, out: Path) -> Path:
    """Write true accepts over false accepts, the latter on a logarithmic axis, with intervals."""
    figure, axes = _figure(7.5, 5)
    if everyone is not None:
        _draw_curve(axes, everyone.curve, BLUE, f"every pair of {everyone.people:,} people")
    _draw_curve(axes, pairs.curve, RED, f"the protocol's {pairs.genuine + pairs.impostor:,} pairs")
    finest = f"one false accept among {pairs.curve.impostors:,} of these"
    axes.axvline(1 / pairs.curve.impostors, color=RED, linestyle=":", linewidth=1, label=finest)
    axes.set(xscale="log", xlabel="false accept rate", ylabel="true accept rate")
    axes.set_title(f"{title}\nbands: 95 % bootstrap intervals", fontsize=10)
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


def det_curve(judged: Judged, title: str, out: Path) -> Path:
    """Write false rejects over false accepts, both on the scale of the normal distribution.

    Martin et al., "The DET curve in assessment of detection task performance", 1997: where the scores of
    either kind are normal, the curve is a straight line.
    """
    from scipy.stats import norm

    far, tar, _ = metrics.roc(judged.relative, judged.same)
    seen = (far > 0) & (far < 1) & (tar > 0) & (tar < 1)
    figure, axes = _figure(5.5, 5.2)
    axes.plot(norm.ppf(far[seen]), norm.ppf(1 - tar[seen]), color=BLUE)
    rate = metrics.equal_error_rate(far, tar)
    if 0 < rate < 1:
        axes.plot(norm.ppf(rate), norm.ppf(rate), "o", color=RED, label=f"equal error rate {rate:.2%}")
        axes.legend()
    ticks, labels = norm.ppf(DET_TICKS), [f"{tick:.4g}" for tick in DET_TICKS]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    low, high = float(norm.ppf(5e-5)), float(norm.ppf(0.5))
    axes.set(
        xlim=(low, high),
        ylim=(low, high),
        xlabel="false accept rate",
        ylabel="false reject rate",
        aspect="equal",
    )
    axes.set_title(title, fontsize=10)
    axes.grid(color="#dddddd")
    figure.savefig(out)
    return out


def histogram(judged: Judged, pairs: Verification, title: str, out: Path) -> Path:
    """Write where the distances of the protocol's pairs lie, in units of the threshold."""
    figure, axes = _figure(7.5, 4.2)
    scores = judged.relative
    edges = np.linspace(float(scores.min()), float(scores.max()), 51).tolist()
    for same, color, label in ((True, GREEN, "one person"), (False, RED, "two people")):
        axes.hist(scores[judged.same == same], edges, color=color, alpha=0.55, label=label)
    axes.axvline(1, color="black", linestyle="--", linewidth=1, label="threshold")
    axes.set(xlabel="L1 distance over the threshold", ylabel="pairs")
    axes.set_title(
        f"{title}\n{100 * pairs.accuracy.value:.1f} % of {len(scores):,} pairs judged right "
        f"(standard error {100 * pairs.standard_error:.1f})",
        fontsize=10,
    )
    axes.legend()
    figure.savefig(out)
    return out


def reliability_diagram(found: Reliability, title: str, out: Path) -> Path:
    """Write ratios given against what they turned out to be worth, and what strangers were given."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 4.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    ends = found.claimed[[0, -1]] if len(found.claimed) else found.claimed  # the bins rise
    left.plot(ends, ends, color="black", linewidth=1, linestyle="--", label="as claimed")
    left.vlines(found.claimed, found.low, found.high, color=BLUE, alpha=0.4, linewidth=3)
    left.plot(found.claimed, found.realised, "o-", color=BLUE, label="realised, 95 % intervals over people")
    left.set(xlabel="log-likelihood ratio given", ylabel="log-likelihood ratio realised")
    left.set_title(f"{title}\ncost {found.cost:.3f} bits, least {found.least_cost:.3f}", fontsize=9)
    levels = [excess.level for excess in found.excesses]
    right.semilogy(
        levels, [excess.allowed for excess in found.excesses], "--", color="black", label="allowed"
    )
    shown = [(excess.level, excess.share) for excess in found.excesses if excess.share > 0]
    if shown:
        right.semilogy(*zip(*shown, strict=True), "o-", color=RED, label="pairs of two people")
    right.set(xlabel="log-likelihood ratio", ylabel="share that is given this or more")
    right.set_title("strangers", fontsize=9)
    for axes in (left, right):
        axes.grid(color="#dddddd")
        axes.legend(fontsize=8)
    figure.savefig(out)
    return out


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.add_subplot()
