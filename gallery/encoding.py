"""Embeddings and crops as the bytes that the file keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from gallery.types import Floats, Image


def embedding_to_bytes(embedding: Floats) -> bytes:
    """`(d,)` float32 as little-endian float32."""
    return embedding.astype("<f4").tobytes()


def embeddings_from_bytes(blobs: Sequence[bytes], dimension: int) -> Floats:
    """n blobs as `(n, d)` float32. Raises ValueError where one has another length or is not finite."""
    # A damaged file may well answer with a number or a text where a blob was stored.
    if any(not isinstance(blob, bytes) or len(blob) != 4 * dimension for blob in blobs):
        raise ValueError("an embedding has the wrong length")
    embeddings = np.frombuffer(b"".join(blobs), "<f4").reshape(-1, dimension).astype(np.float32)
    if not np.isfinite(embeddings).all():
        raise ValueError("an embedding is not finite")
    return embeddings


def crop_to_bytes(crop: Image) -> bytes:
    """`(h, w, 3)` uint8 BGR as PNG: lossless, so that another model can embed a kept crop again."""
    import cv2

    _, encoded = cv2.imencode(".png", crop)
    return encoded.tobytes()


def crop_from_bytes(blob: bytes) -> Image:
    """PNG as `(h, w, 3)` uint8 BGR. Raises ValueError where the bytes are no picture."""
    import cv2

    # OpenCV raises its own error for an empty buffer, and answers None to every other nonsense.
    image = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR) if blob else None
    if image is None:
        raise ValueError("a crop cannot be read")
    return np.asarray(image, np.uint8)


def details_from_text(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError where the text is none."""
    details = json.loads(text) if isinstance(text, str) else None
    if not isinstance(details, dict):
        raise ValueError("the details of a template cannot be read")
    return details
