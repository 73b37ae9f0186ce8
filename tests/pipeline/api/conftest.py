"""A `Recog` on fake models, with nobody enrolled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Recog


@pytest.fixture
def recognition(tmp_path: Path, detector: Any, embedder: Any) -> Recog:
    """With nobody enrolled, on fake models, which find squares and know them by their colour."""
    return Recog.open(tmp_path / "people.db")
