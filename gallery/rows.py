"""What goes into the file's tables, as bytes and text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A template on its way into the file."""

    embedding: bytes  # little-endian float32
    crop: bytes | None  # PNG
    quality: float
    origin: str
    digest: str
    detector: str
    details: str  # a JSON object
    added: str | None = None  # now, if nothing else
    aside: bool = False  # not searched
