"""How an embedder wants its input, found out: the usual ways are tried on pairs of people.

Most embedders say nothing about it. Fed in another way than they were trained with they still tell people
apart, only worse, so that a wrong guess is never noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from siamese.calibration import least_cost
from siamese.errors import ModelError
from siamese.frozen.settings import BackboneSettings
from siamese.metrics import Ints, every_pair, verification
from siamese.protocols.embedded import Embeds

# Mean and scale of bytes. The last is ImageNet's mean and deviation of each plane, red first.
_SCALES = (
    (127.5, 127.5),
    (127.5, 128.0),
    (0.0, 255.0),
    (0.0, 1.0),
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
)
_COLOURS: tuple[Literal["rgb", "bgr"], ...] = ("rgb", "bgr")
WORST = 0.8  # area under the ROC curve below which the best way is no way: then it is no face embedder
ALIKE = 0.02  # share of the least cost by which ways must differ to be told apart


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to feed an embedder, and how well it then tells people apart."""

    settings: BackboneSettings
    auc: float
    wrong: float  # equal error rate
    cost: float  # of the best ratios (min Cllr), bits: finer than the others where hardly a pair is wrong


def usual() -> Iterator[BackboneSettings]:
    """The usual ways, the most usual first; each face embedded once, without its mirror image."""
    for (mean, scale), colour in product(_SCALES, _COLOURS):
        if isinstance(mean, tuple) and isinstance(scale, tuple) and colour == "bgr":
            mean, scale = mean[::-1], scale[::-1]
        yield BackboneSettings(colour=colour, mean=mean, scale=scale, mirror=False)


def find_out(
    open_with: Callable[[BackboneSettings], Embeds],
    ways: Sequence[BackboneSettings],
    crops: npt.NDArray[np.uint8],
    labels: Ints,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Trial]:
    """Try these ways on every pair of these faces; the best first.

    Args:
        open_with: opens the embedder with these settings; raises ModelError.
        ways: such as the usual ones, or the one that is known.
        crops: (n, 112, 112, 3) BGR, of people who may be learned from.
        labels: (n,) the person in each row.
        progress: called with ways tried, and of how many.

    Raises:
        ModelError: in none of them it can be opened, or tells people apart.
    """
    trials, failed = [], []
    for done, settings in enumerate(ways):
        progress(done, len(ways))
        try:
            trials.append(_try(settings, open_with(settings).embed(crops), labels))
        except ModelError as error:  # such as numbers too large for it: another way may do
            failed.append(error)
    progress(len(ways), len(ways))
    if not trials:
        raise failed[0]
    trials.sort(key=lambda trial: trial.cost)
    if trials[0].auc < WORST:
        raise ModelError(
            f"it does not tell people apart: in the best of {len(ways)} ways to feed it, "
            f"{trials[0].wrong:.0%} of the pairs are taken wrong; it is no face embedder, or it wants faces "
            "that are aligned in another way"
        )
    return trials


def told(trials: list[Trial]) -> str:
    """Which way was best, and by how much, in one line."""
    best, *others = trials
    if not others:
        return f"{best.settings.words()}: {best.wrong:.2%} of pairs wrong"
    near = [each for each in others if each.cost <= best.cost * (1 + ALIKE)]
    far = [each for each in others if each not in near]
    alike = f", as good as {' and '.join(each.settings.words() for each in near)}" if near else ""
    first = (
        f"{best.settings.words()} is best of {len(trials)}: {best.wrong:.2%} of pairs wrong, cost "
        f"{best.cost:.3f} bits{alike}"
    )
    after = [("next", far[0])] if far else []
    return "; ".join(
        [
            first,
            *(
                f"{which} {each.settings.words()}, {each.wrong:.2%}, {each.cost:.3f} bits"
                for which, each in [*after, ("worst", trials[-1])]
            ),
        ]
    )


def _try(settings: BackboneSettings, embeddings: npt.NDArray[np.float32], labels: Ints) -> Trial:
    distances, same = every_pair(embeddings, labels)
    if not np.isfinite(distances).all():
        return Trial(settings, 0.5, 0.5, 1.0)
    figures = verification(distances, same)
    return Trial(settings, figures["auc"], figures["eer"], least_cost(distances, same))
