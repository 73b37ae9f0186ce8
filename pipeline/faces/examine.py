"""The one way from an image to faces that can be embedded: found, chosen, aligned and measured.

Enrolling, running, verifying, identifying, searching a tape and training all come through here, so that a
crop is the same crop everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.config import EnrollSettings, QualitySettings
from pipeline.errors import SourceError
from pipeline.faces import align, quality
from pipeline.faces.choose import Pick, choose
from pipeline.faces.quality import Quality
from pipeline.protocols import Detector, Embedder
from pipeline.types import Detections, Floats, Image


@dataclass(frozen=True, slots=True)
class Examined:
    """Faces of one image, ready to be embedded. Row i is the same face everywhere."""

    faces: Detections
    crops: Image  # (n, 112, 112, 3) aligned
    quality: Quality


def examine(image: Image, faces: Detections) -> Examined:
    """Align and measure these faces of an image; all of them."""
    crops = align.crop(image, faces.boxes, faces.landmarks)
    return Examined(faces, crops, quality.measure(image, faces.boxes, faces.landmarks, crops))


def the_one(image: Image, found: Detections, pick: Pick = None) -> tuple[Examined | None, str]:
    """The one face that an image is of, as the only row; or None, and why.

    Args:
        found: all faces of the image.
        pick: which one is meant where there are several, see `pipeline.faces.choose.choose`.
    """
    row, reason = choose(found, image.shape[1], image.shape[0], pick)
    return (None, reason) if row is None else (examine(image, found[[row]]), "")


WHICH_WAY_UP = "perhaps upside down or on its side"  # as a flaw of a face


@dataclass(frozen=True, slots=True)
class Probe:
    """A face of a photograph, with whatever makes it a poor one."""

    photo: str
    crop: Image  # (112, 112, 3)
    embedding: Floats  # (d,)
    flaws: tuple[str, ...]
    box: Floats  # (4,) x1 y1 x2 y2, pixels of the photograph
    landmarks: Floats  # (5, 2) pixels of the photograph
    quality: float  # 0..1


class Examiner:
    """Looks at photographs to compare: takes poor ones as well, and says what is wrong with them."""

    def __init__(
        self, detector: Detector, embedder: Embedder, enroll: EnrollSettings, quality: QualitySettings
    ) -> None:
        """
        Args:
            enroll, quality: below and beyond their limits a face is a poor one.
        """
        self._detector, self._embedder = detector, embedder
        self._enroll, self._quality = enroll, quality

    def probe(self, image: Image, photo: str, pick: Pick) -> Probe:
        """The one face of a photograph.

        Args:
            photo: what to call it.

        Raises:
            SourceError: it shows no face, or several and no pick.
        """
        face, reason = the_one(image, self._detector.detect(image), pick)
        if face is None:
            raise SourceError(f"{photo}: {reason}")
        return self._probes(photo, face)[0]

    def every_face(self, image: Image, photo: str) -> list[Probe]:
        """All faces of a photograph, from the left.

        Args:
            photo: what to call it.
        """
        found = self._detector.detect(image)
        return self._probes(photo, examine(image, found[np.argsort(found.boxes[:, 0], kind="stable")]))

    def _probes(self, photo: str, seen: Examined) -> list[Probe]:
        if not len(seen.faces):
            return []
        rows = zip(seen.crops, self._embedder.embed(seen.crops), strict=True)
        scores = seen.quality.score()
        return [
            Probe(
                photo,
                crop,
                embedding,
                self._flaws(seen.quality, row, bool(seen.faces.unsure()[row])),
                seen.faces.boxes[row],
                seen.faces.landmarks[row],
                float(scores[row]),
            )
            for row, (crop, embedding) in enumerate(rows)
        ]

    def _flaws(self, measured: Quality, row: int, doubtful: bool) -> tuple[str, ...]:
        side, sharpness = float(measured.side[row]), float(measured.sharpness[row])
        flaws = []
        if side < self._enroll.min_face:
            flaws.append(f"small ({side:.0f} pixels)")
        if sharpness < self._enroll.min_sharpness:
            flaws.append("blurred")
        if measured.turn[row] > self._quality.max_turn:
            flaws.append("turned far aside")
        if measured.cut[row]:
            flaws.append("cut off by the edge")
        if doubtful:
            flaws.append(WHICH_WAY_UP)
        return tuple(flaws)
