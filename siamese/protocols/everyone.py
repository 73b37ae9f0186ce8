"""Every pair of all images of a set of people: enough strangers to say something of rare false accepts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from siamese import metrics
from siamese.metrics import Floats, Ints
from siamese.protocols.intervals import Curve, over_people
from siamese.protocols.verification import grid, rates_as_dict, rates_line

RARE = (1e-2, 1e-3, 1e-4)  # false accept rates to report where there are millions of pairs


@dataclass(frozen=True, slots=True)
class Everyone:
    """How well all pairs are told apart. A person with many photographs counts for many pairs."""

    people: int
    images: int
    genuine: int
    impostor: int
    auc: float
    eer: float
    curve: Curve  # intervals over people

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the curve."""
        counts = {name: value for name, value in asdict(self).items() if name != "curve"}
        return counts | rates_as_dict(self.curve, RARE)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"every pair of {self.images:,} images of {self.people:,} people "
            f"({self.impostor:,} of two): area under ROC {self.auc:.4f}",
            rates_line(self.curve, RARE),
        ]


def everyone(embeddings: Floats, labels: Ints, samples: int, seed: int) -> Everyone:
    """The figures of every pair of the faces in `embeddings` (n, d) of the people `labels` (n,) from 0.

    Args:
        samples: how often people are drawn again for the intervals.
    """
    distances, same = metrics.every_pair(embeddings, labels)
    figures = metrics.verification(distances, same)
    return Everyone(
        len(np.unique(labels)),
        len(labels),
        int(same.sum()),
        int((~same).sum()),
        figures["auc"],
        figures["eer"],
        over_people(distances, labels, grid(-5, -2), samples, seed),
    )
