"""What the network learns from: crops, people where known, and what teachers think of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from siamese.crops import CropSet
from siamese.teacher import Teacher, teach

# Mean cosine over the teachers from which a face without a name may be somebody who is held out. Of 10,000
# faces, 4 % have a held-out face as near as this, 0.7 % one as near as 0.45: it leaves out more than it must.
RESEMBLES = 0.40


@dataclass(frozen=True, slots=True)
class Faces:
    """What is learned from. Row i of each field is one face."""

    images: npt.NDArray[np.uint8]  # (n, 112, 112, 3) BGR
    labels: npt.NDArray[np.int64]  # (n,) -1 where the person is not known
    targets: list[npt.NDArray[np.float32]] = field(default_factory=list)  # per teacher (n, d_t), unit rows


def assemble(
    lfw: CropSet,
    fit: list[str],
    extra: CropSet | None,
    teachers: list[Teacher],
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Faces, int]:
    """The training faces: the images of the `fit` people of LFW, and extra faces without names.

    Extra faces may show people who are held out for validation or test. Those that teachers find to resemble
    any held-out image are left out, so that "never saw these people" stays true.

    Returns:
        The faces, and how many extra ones were left out.
    """
    train, wanted = lfw.of_people(fit), set(fit)
    if extra is None:
        return Faces(train.images, train.labels(), teach(teachers, train.images, progress)), 0
    held_out = lfw.rows(np.array([i for i, p in enumerate(lfw.people) if p not in wanted], np.int64))
    sides = [teach(teachers, part.images, progress) for part in (train, extra, held_out)]
    keep = np.arange(len(extra))
    if teachers:
        alike = np.mean([a @ b.T for a, b in zip(sides[1], sides[2], strict=True)], axis=0)
        keep = np.flatnonzero(alike.max(axis=1) < RESEMBLES)
    images = np.concatenate([train.images, np.asarray(extra.images)[keep]])
    labels = np.concatenate([train.labels(), np.full(len(keep), -1, np.int64)])
    targets = [np.concatenate([a, b[keep]]) for a, b in zip(sides[0], sides[1], strict=True)]
    return Faces(images, labels, targets), len(extra) - len(keep)
