"""What the tests of the gallery share: a place for one, and templates to put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gallery import NewTemplate
from gallery.address import place

DIMENSION = 16


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module that says `BOTH = True` are run with a file and with a server."""
    both = getattr(metafunc.module, "BOTH", False) and metafunc.definition.get_closest_marker("file") is None
    if both and "path" in metafunc.fixturenames:
        metafunc.parametrize("path", ["file", "server"], indirect=True)


@pytest.fixture
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where there is no gallery yet: a file, or a server."""
    if getattr(request, "param", "file") == "file":
        return tmp_path / "made" / "faces.db"
    server = request.getfixturevalue("postgres")
    server.empty()
    return place(server.url)


@pytest.fixture
def template() -> Callable[..., NewTemplate]:
    """Makes the template of a seed; the same seed gives the same template, digest included."""

    def make(seed: int, with_crop: bool = False) -> NewTemplate:
        random = np.random.default_rng(seed)
        embedding = random.normal(size=DIMENSION).astype(np.float32)
        crop = random.integers(0, 256, (112, 112, 3), np.uint8) if with_crop else None
        return NewTemplate(embedding, crop, 0.5, f"picture-{seed:08}.jpg", f"digest-{seed:08}")

    return make
