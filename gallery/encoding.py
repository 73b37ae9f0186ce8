"""Embeddings and crops as the bytes that the file keeps."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from gallery.types import Floats, Image

MOST_SIDE = 1024  # pixels of a crop's side; those that recog makes have 112

_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"


class EmbeddingBytes(bytes):
    """Little-endian float32, told from other bytes by a database that has a type for vectors."""

    __slots__ = ()


def embedding_to_bytes(embedding: Floats) -> EmbeddingBytes:
    """`(d,)` float32 as little-endian float32."""
    return EmbeddingBytes(embedding.astype("<f4").tobytes())


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
    """PNG as `(h, w, 3)` uint8 BGR. Raises ValueError where the bytes are no PNG, or of too many pixels."""
    import cv2

    height, width = crop_size(blob)
    if max(height, width) > MOST_SIDE:  # before it is decoded: a few bytes can claim gigabytes of one colour
        raise ValueError(f"a crop is too large, {width} x {height} pixels")
    image = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("a crop cannot be read")
    return np.asarray(image, np.uint8)


def crop_size(blob: bytes) -> tuple[int, int]:
    """Height and width that a PNG claims to have. Raises ValueError where the bytes are no PNG."""
    if not isinstance(blob, bytes) or len(blob) < len(_PNG) + 8 or not blob.startswith(_PNG):
        raise ValueError("a crop cannot be read")
    width, height = struct.unpack_from(">II", blob, len(_PNG))
    return height, width


def details_from_text(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError where the text is none."""
    details = json.loads(text) if isinstance(text, str) else None
    if not isinstance(details, dict):
        raise ValueError("the details of a template cannot be read")
    return details
