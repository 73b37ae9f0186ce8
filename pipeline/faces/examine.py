"""A photograph's faces, each as a crop and an embedding, with whatever makes it a poor one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.faces import align, quality
from pipeline.faces.choose import Pick, choose
from pipeline.protocols import Detector, Embedder
from pipeline.sources.images import read_photo
from pipeline.types import Detections, Floats, Image


@dataclass(frozen=True, slots=True)
class Probe:
    """A face of a photograph, with whatever makes it a poor one."""

    photo: str
    crop: Image  # (112, 112, 3)
    embedding: Floats  # (d,)
    flaws: tuple[str, ...]


class Examiner:
    """Looks at photographs to compare: takes poor ones as well, and says what is wrong with them."""

    def __init__(self, detector: Detector, embedder: Embedder, settings: Settings) -> None:
        self._detector, self._embedder, self._settings = detector, embedder, settings

    def probe(self, photo: Path, pick: Pick) -> Probe:
        """The one face of a photograph.

        Raises:
            SourceError: it cannot be read, or shows no face, or several and no pick.
        """
        image = read_photo(photo)
        found = self._detector.detect(image)
        row, reason = choose(found, image.shape[1], image.shape[0], pick)
        if row is None:
            raise SourceError(f"{photo}: {reason}")
        return self._probes(photo, image, found[[row]])[0]

    def every_face(self, photo: Path) -> list[Probe]:
        """All faces of a photograph, from the left.

        Raises:
            SourceError: it cannot be read.
        """
        image = read_photo(photo)
        found = self._detector.detect(image)
        return self._probes(photo, image, found[np.argsort(found.boxes[:, 0], kind="stable")])

    def _probes(self, photo: Path, image: Image, faces: Detections) -> list[Probe]:
        if not len(faces):
            return []
        crops = align.crop(image, faces.boxes, faces.landmarks)
        measured = quality.measure(image, faces.boxes, faces.landmarks, crops)
        embeddings = self._embedder.embed(crops)
        return [
            Probe(str(photo), crops[row], embeddings[row], self._flaws(measured, row))
            for row in range(len(faces))
        ]

    def _flaws(self, measured: quality.Quality, row: int) -> tuple[str, ...]:
        side, sharpness = float(measured.side[row]), float(measured.sharpness[row])
        limits, flaws = self._settings.enroll, []
        if side < limits.min_face:
            flaws.append(f"small ({side:.0f} pixels)")
        if sharpness < limits.min_sharpness:
            flaws.append("blurred")
        if measured.turn[row] > self._settings.quality.max_turn:
            flaws.append("turned far aside")
        if measured.cut[row]:
            flaws.append("cut off by the edge")
        return tuple(flaws)
