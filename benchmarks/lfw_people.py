"""Embeddings of the people of LFW on whom a model may be reported, for the benchmarks of galleries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gallery.types import Floats, Image, Ints
from pipeline.config import Settings
from pipeline.training.cohort import TWO_NAMES
from pipeline.training.network import lfw_crops
from siamese.lfw.split import VIEW1, split
from siamese.runtime import Embedder


@dataclass(frozen=True, slots=True)
class Reported:
    """Row i of the first two is one photograph; photographs of a person are in the order of their files."""

    embeddings: Floats  # (n, d)
    crops: Image  # (n, 112, 112, 3) BGR
    people: Ints  # (n,) from 0
    missed: int  # photographs whose centre stands in, because no face was found in them
    hold_out: str  # what the model's card says was kept for figures
    alignment: str

    @property
    def count(self) -> int:
        """How many people there are."""
        return int(self.people.max()) + 1

    def photos(self, person: int) -> Ints:
        """The rows of a person."""
        return np.flatnonzero(self.people == person).astype(np.int64)


def reported_people(embedder: Embedder, root: Path) -> Reported:
    """Everybody whom the model neither learned from nor was validated on, all photographs.

    Without the few people whom LFW has under two names: whoever is enrolled under one is no stranger
    under the other.
    """
    hold_out = str(embedder.card.get("held out", VIEW1))
    names = set(split(root, hold_out).test) - TWO_NAMES
    crops = lfw_crops(root, Settings()).of_people(names)
    embeddings = np.concatenate(
        [embedder.embed(np.array(crops.images[start : start + 256])) for start in range(0, len(crops), 256)]
    )
    missed = int((~crops.found).sum())
    return Reported(embeddings, crops.images, crops.labels(), missed, hold_out, crops.alignment)
