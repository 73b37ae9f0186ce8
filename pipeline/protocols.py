"""What the parts of a recogniser look like to each other, so that each can be replaced."""

from __future__ import annotations

from typing import Any, Protocol

from gallery.types import Matches
from pipeline.types import Detections, Floats, Image
from siamese.calibration import Calibration


class Detector(Protocol):
    """Finds faces in an image, or people with their faces."""

    @property
    def digest(self) -> str:
        """The SHA-256 of its weights, in hexadecimal."""
        ...

    def detect(self, image: Image) -> Detections:
        """What it finds in a BGR image (h, w, 3), in pixels of it."""
        ...


class Embedder(Protocol):
    """Turns aligned faces into embeddings."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def digest(self) -> str:
        """The SHA-256 of its weights, in hexadecimal."""
        ...

    @property
    def dimension(self) -> int:
        """How long its embeddings are."""
        ...

    @property
    def calibration(self) -> Calibration:
        """From distances of its embeddings to log-likelihood ratios."""
        ...

    def embed(self, crops: Image) -> Floats:
        """Embeddings (m, d) float32 of aligned crops (m, 112, 112, 3) uint8 BGR."""
        ...


class Notes(Protocol):
    """A gallery, as far as its calibration is concerned."""

    @property
    def people_count(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def note(self, key: str) -> Any: ...

    def person_notes(self, key: str) -> dict[str, Any]: ...

    def changed_since(self, template: int) -> int: ...


class People(Notes, Protocol):
    """Who is enrolled, and what the gallery was calibrated for."""

    def knows(self, name: str) -> bool: ...

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches: ...

    def refresh(self) -> bool: ...
