"""What an evaluation found, and whether it may be called a result."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from siamese.errors import DataError
from siamese.lfw.seen import seen
from siamese.metrics import Floats, Ints
from siamese.protocols.lfw_pairs import Model
from siamese.protocols.verification import Judged


class Part(Protocol):
    """One group of figures of a report."""

    def as_dict(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    protocol: str  # as on the command line
    data: str  # what it was measured on
    category: str
    warning: str | None  # why the figures are not of people the model has never seen
    parts: dict[str, Part]
    not_found: dict[str, int]  # images whose centre stands in, because no face was found in them
    provenance: dict[str, Any]
    judged: Judged | None = None  # the single pairs, for pictures
    shown: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # rows for a map of embeddings
    embeddings: Floats | None = None  # (n, d) of all rows of the crop set, zero where not embedded

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the single pairs and the curves are left out."""
        return {
            "protocol": self.protocol,
            "data": self.data,
            "category": self.category,
            "warning": self.warning,
            **{name: part.as_dict() for name, part in self.parts.items()},
            "no face found, centre taken": self.not_found,
            **self.provenance,
        }

    def lines(self) -> list[str]:
        """For people."""
        head = [f"{self.data}; category: {self.category}"]
        if self.warning:
            head.append(f"NOT A RESULT: {self.warning}")
        body = [line for part in self.parts.values() for line in part.lines()]
        centres = sum(self.not_found.values())
        return [*head, *body, f"faces not found, their centre taken: {centres}"]


def check_seen(models: Sequence[Model], tested: Sequence[Collection[str]], allow: bool) -> str | None:
    """Refuse to test a model on people it has seen; or, where that is allowed, say so.

    Args:
        tested: for each model, the people it is tested on.

    Raises:
        DataError: somebody was seen, or may have been, and that is not allowed.
    """
    why = None
    for model, people in zip(models, tested, strict=True):
        if model.split is None:
            why = "the model's card does not say whom of LFW it has seen"
        elif both := set(people) & seen(model.split):
            why = f"{len(both):,} of the {len(people):,} people tested were seen in the model's training"
    if why and not allow:
        raise DataError(
            f"{why}; use a protocol whose people were held out of it (its card says whom), or give "
            "--even-seen to get figures that are marked as no result"
        )
    return why
