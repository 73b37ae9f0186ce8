"""Whom of LFW a model has seen, by its card, and whom it can therefore be tested on.

The card keeps the choice of `siamese.lfw.split` under `held out`, and a fingerprint of the names of all
people who were used for anything (to learn from, to choose, to calibrate), so that anyone can check the model
on the others, for good, and notices where the protocol files are not those of the training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamese.errors import DataError
from siamese.lfw.split import VIEW1, Split, split

HELD_OUT, FINGERPRINT = "held out", "sha256 of people seen"


def entries(people: Split) -> dict[str, Any]:
    """What a model's card says of it."""
    return {HELD_OUT: people.hold_out, "people seen": len(seen(people)), FINGERPRINT: fingerprint(people)}


def seen(people: Split) -> set[str]:
    """Everybody who was used for anything."""
    return {*people.fit, *people.validation}


def of_card(card: Mapping[str, Any], protocol: Path) -> Split | None:
    """The split that a model was trained by; None where its card does not say.

    Args:
        protocol: folder of LFW's protocol files.

    Raises:
        DataError: these files are missing, malformed, or not those of the training.
    """
    held_out = card.get(HELD_OUT)
    if held_out is None and str(card.get("data", "")).startswith("LFW View 1,"):
        held_out = VIEW1  # cards of the first release say it in these words only
    if held_out is None:
        return None
    people = split(protocol, str(held_out))
    if card.get(FINGERPRINT, fingerprint(people)) != fingerprint(people):
        raise DataError(f"{protocol}: these protocol files are not those that the model was trained by")
    return people


def fingerprint(people: Split) -> str:
    """Stands for the names of everybody seen."""
    return hashlib.sha256("\n".join(sorted(seen(people))).encode()).hexdigest()
