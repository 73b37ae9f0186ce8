"""From a frame to what an attempt judges of it: the faces, the embedding of the one, the cues."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.authentication.continuity import digest_of
from pipeline.config import QualitySettings
from pipeline.faces.choose import choose, face_sides, subjects
from pipeline.faces.examine import examine
from pipeline.liveness import cues
from pipeline.liveness.cues import Cues
from pipeline.liveness.model import SpoofModel
from pipeline.liveness.relief import Crop, crop
from pipeline.protocols import Detector, Embedder
from pipeline.types import Detections, Floats, Frame


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen in one frame."""

    seconds: float
    shape: tuple[int, ...]  # of the image
    digest: bytes  # of the image, see `continuity.digest_of`
    found: Detections
    row: int | None  # of the one face; None where there is none, or it is not alone
    why: str  # there is none
    embedding: Floats | None = None  # (d,); None where the face is too small, blurred or turned to judge
    quality: float = 0.0  # weight of the embedding, 0..1
    cues: Cues | None = None
    live: float | None = None  # probability by a model, where one is used
    face: Crop | None = None  # in which the nose is followed

    @property
    def box(self) -> Floats | None:
        """(4,) of the one face."""
        return None if self.row is None else self.found.boxes[self.row]

    @property
    def landmarks(self) -> Floats | None:
        """(5, 2) of the one face."""
        return None if self.row is None else self.found.landmarks[self.row]


class Watch:
    """Looks at frames, each by itself."""

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        quality: QualitySettings,
        model: SpoofModel | None = None,
    ) -> None:
        """
        Args:
            quality: below and beyond these limits a face is not judged.
            model: may deny; none is needed.
        """
        self._detector, self._embedder = detector, embedder
        self._quality, self._model = quality, model

    def look(self, frame: Frame) -> Sight:
        """Everything that an attempt needs of a frame."""
        image = frame.image
        found = self._detector.detect(image)
        row, why = choose(found, image.shape[1], image.shape[0])
        sides = face_sides(found)
        larger = 0 if row is None else int((sides > sides[row]).sum())  # doubtful, but may be somebody
        if larger or (row is None and len(found)):  # nobody can say here which is meant
            row, count = None, larger + len(subjects(found))
            why = f"{count} faces: only one person may be before the camera"
        seen = Sight(frame.seconds, image.shape, digest_of(image), found, row, why)
        if row is None:
            return seen
        box = found.boxes[row]
        face = examine(image, found[[row]])
        measured, limits = face.quality, self._quality
        usable = bool(
            measured.side[0] >= limits.min_face
            and measured.sharpness[0] >= limits.min_sharpness
            and measured.turn[0] <= limits.max_turn
        )
        return Sight(
            seen.seconds,
            seen.shape,
            seen.digest,
            found,
            row,
            "",
            self._embedder.embed(face.crops)[0] if usable else None,
            float(measured.score()[0]),
            cues.measure(image, box),
            None if self._model is None else self._model.live(image, box),
            crop(image, found.landmarks[row]),
        )
