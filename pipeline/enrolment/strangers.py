"""Photographs of people who are not enrolled: one face of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.enrolment.photos import Outcome
from pipeline.faces.choose import Pick
from pipeline.faces.groups import groups
from pipeline.types import Floats

if TYPE_CHECKING:
    from siamese.runtime import Embedder

PICK: Pick = "largest"  # of several faces in a stranger's photo


def different_people(outcomes: Sequence[Outcome], embedder: Embedder) -> tuple[Floats, list[str]]:
    """One face (s, d) of each person in a heap of photos, the best, and the photo it comes from.

    Photos that show one person are found by their embeddings: a stranger who is counted twice proves nothing
    the second time.
    """
    looks = [(o.origin, o.template) for o in outcomes if o.template is not None]
    if not looks:
        return np.zeros((0, embedder.dimension), np.float32), []
    embeddings = np.stack([look.embedding for _, look in looks])
    scores = np.array([look.quality for _, look in looks])
    numbers = groups(embeddings, embedder.calibration.distance(0.0))
    members = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    rows = [int(each[np.argmax(scores[each])]) for each in members]
    return embeddings[rows], [looks[row][0] for row in rows]


def find_strangers(root: Path) -> list[Path]:
    """The photos in a folder and in the folders inside it.

    Raises:
        pipeline.errors.SourceError: the folder cannot be listed, or holds none.
    """
    from pipeline.errors import SourceError
    from pipeline.sources.images import list_photos

    photos = list_photos(root)
    for inside in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        photos += list_photos(inside)
    if not photos:
        raise SourceError(f"{root}: no photographs in this folder")
    return photos
