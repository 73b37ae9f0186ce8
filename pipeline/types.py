"""The values that travel between the stages; each is frozen, and a stage returns a new one.

Images are `(height, width, 3)` uint8 in BGR order. Boxes are `(n, 4)` float32 `x1, y1, x2, y2` in pixels
of the frame. Landmarks are `(n, 5, 2)` float32: left eye, right eye, nose, left and right mouth corner,
"left" as seen in the image. Row i is the same face in every array of a stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    `seconds` runs on the source's own clock: media time for files, time since opening for live sources.
    `taken` is what the wall clock showed when a live frame was captured, with its zone; None for files, which
    were taken at another time than they are read. `brief` frames belong to a shot that is too short to be
    followed: their faces are judged as those of a photograph (see `tracking.shots`).
    """

    image: Image
    index: int
    seconds: float
    source: str
    taken: datetime | None = None
    brief: bool = False

    @property
    def utc(self) -> str | None:
        """`taken` as it is told and kept: UTC, ISO 8601, to the millisecond."""
        return None if self.taken is None else self.taken.astimezone(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph in memory as a file holds it: JPEG, PNG, WebP, or whatever else is read from files."""

    data: bytes
    name: str  # what to call it
    most_pixels: int = 100_000_000  # a JPEG of more is read at a part of its size, anything else is refused


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces found in one image, or people. Rows select together: `detections[mask]`, `detections[[2, 0]]`.

    Where rows are people, `boxes` are those of whole people, `faces` and `landmarks` those of their faces.
    """

    boxes: Floats  # (n, 4) x1 y1 x2 y2, pixels
    scores: Floats  # (n,) 0..1
    landmarks: Floats  # (n, 5, 2) pixels; NaN where the detector gives none
    faces: Floats | None = None  # (n, 4) as boxes, NaN where no face is seen; None where rows are faces
    doubtful: Bools | None = None  # (n,) nobody can tell which way up the face is; None where that is sure
    # Boxes (k, 4) of what may be a face and is too unsure to be followed; no rows, so selecting rows drops
    # them. None where nobody asked for them: only who covers faces does.
    faint: Floats | None = None
    rare: Floats | None = None  # the same, (k, 4), of what is looked for less often; besides those of `faint`

    def __post_init__(self) -> None:
        n = len(self.boxes)
        expected = {"boxes": (n, 4), "scores": (n,), "landmarks": (n, 5, 2)}
        expected |= {"faces": (n, 4), "doubtful": (n,)}
        for name, shape in expected.items():
            value = getattr(self, name)
            actual = shape if value is None else value.shape
            if actual != shape:
                raise ValueError(f"Detections.{name} has shape {actual}, expected {shape}")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: Bools | Ints | list[int] | slice) -> Detections:
        faces = None if self.faces is None else self.faces[rows]
        doubtful = None if self.doubtful is None else self.doubtful[rows]
        return Detections(self.boxes[rows], self.scores[rows], self.landmarks[rows], faces, doubtful)

    def shown(self) -> Bools:
        """Whether the face of each row can be looked at, (n,)."""
        if self.faces is None:
            return np.ones(len(self), np.bool_)
        return np.asarray(np.isfinite(self.faces).all(axis=1))

    def as_faces(self) -> Detections:
        """The same rows with the boxes of faces, NaN where none is seen."""
        if self.faces is None:
            return self
        return Detections(self.faces, self.scores, self.landmarks, doubtful=self.doubtful)

    def unsure(self) -> Bools:
        """Of which rows nobody can tell which way up the face is, (n,)."""
        return np.zeros(len(self), np.bool_) if self.doubtful is None else self.doubtful

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


class State(Enum):
    """What is known of a track's identity."""

    UNDECIDED = "undecided"
    NAMED = "named"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Identity:
    """The present verdict on a track.

    `confidence` is the posterior probability of the verdict: of `name` being right where there is a name, of
    nobody enrolled where the state is unknown, of the best candidate while undecided.
    """

    state: State
    name: str | None = None
    confidence: float = 0.0
    looks: int = 0  # how many embeddings the verdict rests on
    why: str = ""


UNDECIDED = Identity(State.UNDECIDED)


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """One face of one frame. `track` is -1 while the tracker has not confirmed it."""

    track: int
    box: Floats  # (4,)
    landmarks: Floats  # (5, 2)
    score: float
    identity: Identity
    face: Floats | None = None  # (4,) where `box` is a whole person's, and the face is seen
    key: int = -1  # of the track, from its first sighting on, confirmed or not
    found: bool = True  # by the detector in this frame; else this is where the track should be
    covered: bool = False  # the face is not to be seen, whoever it is by now


@dataclass(frozen=True, slots=True)
class Look:
    """One embedding of one face."""

    track: int
    box: Floats  # (4,)
    landmarks: Floats  # (5, 2)
    embedding: Floats  # (d,)
    quality: float  # weight of the look, 0..1


@dataclass(frozen=True, slots=True)
class Result:
    """What the pipeline says of one frame."""

    frame: Frame
    faces: tuple[TrackedFace, ...]
    seconds: dict[str, float] = field(default_factory=dict)  # time spent, by stage
    looks: tuple[Look, ...] = ()  # the embeddings that were made of this frame
    cut: bool = False  # this frame begins another shot
    faint: Floats | None = None  # (k, 4) what else may be a face; None where nobody looked for that
    covers: Floats | None = None  # (r, 4) what is covered in the picture; None where nothing is to be covered
    rare: Floats | None = None  # (k, 4) as `faint`, of what is looked for less often
    blur: tuple[str, ...] = ()  # whose faces are covered, as `blur.who` says it; names nobody who is gone
