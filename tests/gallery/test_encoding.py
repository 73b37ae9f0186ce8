from __future__ import annotations

import numpy as np
import pytest

from gallery import encoding


def test_embeddings_come_back_bit_for_bit() -> None:
    embeddings = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    blobs = [encoding.embedding_to_bytes(row) for row in embeddings]
    np.testing.assert_array_equal(encoding.embeddings_from_bytes(blobs, 8), embeddings)


def test_crops_come_back_pixel_for_pixel() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (112, 96, 3), np.uint8)
    np.testing.assert_array_equal(encoding.crop_from_bytes(encoding.crop_to_bytes(crop)), crop)


@pytest.mark.parametrize("blob", [b"", b"\0" * 31, b"\0" * 36, b"\xff" * 32, 7, None])
def test_what_is_no_embedding_is_refused(blob: object) -> None:
    with pytest.raises(ValueError, match="an embedding"):
        encoding.embeddings_from_bytes([blob], 8)  # type: ignore[list-item]


@pytest.mark.parametrize("blob", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="a crop"):
        encoding.crop_from_bytes(blob)
