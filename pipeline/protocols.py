"""What the parts of a recogniser look like to each other, so that each can be replaced."""

from __future__ import annotations

from typing import Protocol

from gallery.types import Matches
from pipeline.types import Detections, Floats, Image
from siamese.calibration import Calibration


class Detector(Protocol):
    """Finds faces with landmarks in a BGR image."""

    def detect(self, image: Image) -> Detections: ...


class Embedder(Protocol):
    """Turns aligned crops (m, 112, 112, 3) uint8 BGR into embeddings (m, d) float32."""

    name: str
    digest: str
    dimension: int
    calibration: Calibration

    def embed(self, crops: Image) -> Floats: ...


class People(Protocol):
    """Who is enrolled."""

    @property
    def people_count(self) -> int: ...

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches: ...

    def refresh(self) -> bool: ...
