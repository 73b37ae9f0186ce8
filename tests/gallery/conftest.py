"""What the tests of the gallery share: a place for one, and templates to put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gallery import NewTemplate

DIMENSION = 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "faces.db"


@pytest.fixture
def template() -> Callable[..., NewTemplate]:
    """Makes the template of a seed; the same seed gives the same template, digest included."""

    def make(seed: int, with_crop: bool = False) -> NewTemplate:
        random = np.random.default_rng(seed)
        embedding = random.normal(size=DIMENSION).astype(np.float32)
        crop = random.integers(0, 256, (112, 112, 3), np.uint8) if with_crop else None
        return NewTemplate(embedding, crop, 0.5, f"picture-{seed:08}.jpg", f"digest-{seed:08}")

    return make
