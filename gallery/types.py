"""The values that go into a gallery and come out of it; each is frozen.

Embeddings are `(d,)` float32, compared by L1 distance: the model has already folded its weights in. Crops are
aligned faces, `(height, width, 3)` uint8 in BGR order. Times are UTC in ISO 8601, to the second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """One look at a face, about to be stored.

    `origin` tells people where it came from (a file, a camera); `digest` identifies the content, so that the
    same picture is not stored twice for one person. `detector` is the fingerprint of what found the face,
    `details` whatever else is worth keeping of it (sharpness, the second of a video), as JSON can hold it.

    Raises ValueError where a field has the wrong shape or type or is not finite: a bug, not a user's mistake.
    """

    embedding: Floats  # (d,)
    crop: Image | None  # (h, w, 3) BGR, or None to keep no picture
    quality: float
    origin: str
    digest: str
    detector: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    aside: bool = False  # kept, but not searched

    def __post_init__(self) -> None:
        embedding = self.embedding
        if embedding.dtype != np.float32 or embedding.ndim != 1 or not np.isfinite(embedding).all():
            raise ValueError(f"an embedding is (d,) finite float32, not {embedding.shape} {embedding.dtype}")
        crop = self.crop
        if crop is not None and (
            crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size
        ):
            raise ValueError(f"a crop is (h, w, 3) uint8, not {crop.shape} {crop.dtype}")
        if not math.isfinite(self.quality):
            raise ValueError(f"a quality is finite, not {self.quality}")


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One look at a face as the gallery keeps it: `NewTemplate` with its id and when it was added."""

    id: int  # never given twice
    embedding: Floats  # (d,)
    crop: Image | None  # (h, w, 3) BGR
    quality: float
    origin: str
    digest: str
    added: str  # UTC, ISO 8601
    detector: str  # "" where an early version of recog did not say
    details: Mapping[str, Any]
    aside: bool = False  # kept, but not searched


@dataclass(frozen=True, slots=True)
class Denial:
    """A look of which somebody said that it is not the person it was taken for."""

    person: str
    face: int  # looks with the same number are looks at one face
    look: StoredTemplate  # its ids are of denials, not of templates


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled."""

    id: int  # never given twice; it stays through every renaming
    name: str
    templates: int
    added: str  # UTC, ISO 8601
    last_added: str  # UTC, ISO 8601, of the newest template
    aside: int = 0  # of the templates, so many are not searched


@dataclass(frozen=True, slots=True)
class Card:
    """A photo as it is listed: `StoredTemplate` without embedding and picture."""

    id: int
    person: int  # `Person.id`
    quality: float
    origin: str
    digest: str
    added: str  # UTC, ISO 8601
    aside: bool
    crop: bool  # whether its picture was kept


@dataclass(frozen=True, slots=True)
class Added:
    """What an enrolment did."""

    stored: int
    duplicates: int  # skipped: this person already has a template with that digest
    change: int = field(default=0, compare=False)  # its number in the log; 0 where nothing was stored


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did.

    The person is gone in any case. `erased` is False while bytes of them may still lie in the file or its
    log, because another program was reading or the disk was full; the next `Gallery.open` then erases them.
    Of what lies with a server nobody can say that; `remains` says where bytes may be, and for how long.
    """

    templates: int
    crops: int
    erased: bool
    remains: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """What making one person of two did."""

    moved: int  # templates
    duplicates: int  # the other had these already


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the log. A name is today's or the last known; None where it is of nobody or was removed."""

    id: int
    at: str  # UTC, ISO 8601
    # enroll, import, rename, merge, remove, remove photos, set aside, bring back, migrate, note, deny, ...
    action: str
    person: str | None  # to whom it was done; what they were called before, where they were renamed
    other: str | None  # into whom they were merged, or what they were renamed to
    count: int  # templates, or denied looks
    undone: str | None  # when


@dataclass(frozen=True, slots=True)
class Merger:
    """That two people were made one, by their ids."""

    change: int  # `Change.id`
    person: int
    into: int
    undone: bool


@dataclass(frozen=True, slots=True)
class Stats:
    """How much a gallery holds."""

    people: int
    templates: int
    crops: int
    fingerprint: str
    dimension: int
    detectors: Mapping[str, int]  # templates by the detector that found the face
    changes: int
    size: int  # bytes of the file
    undo: int  # bytes of embeddings and crops that are kept to undo with
    denials: int = 0  # looks of which somebody said whose they are not


@dataclass(frozen=True, slots=True)
class Matches:
    """The nearest people of each probe, best first; `Reader.search` says what their distance is.

    Row i belongs to probe i. Where fewer than k people are enrolled, `names[i]` is shorter than k and
    `distances[i]` is padded with inf.
    """

    names: tuple[tuple[str, ...], ...]  # m tuples of at most k names
    distances: Floats  # (m, k) L1
    templates: int  # how many templates were searched
    people: int  # how many people they belong to
    denied: Floats | None = None  # (m, k) L1 to the nearest face that is not that person; inf without
    whole: bool = True  # False where part of the gallery could not be asked: someone nearer may be in it

    def __len__(self) -> int:
        return len(self.names)
