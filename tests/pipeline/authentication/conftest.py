"""Heads of three dimensions for the tests here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

HEADS = Path(__file__).parents[1] / "liveness" / "heads.py"


@pytest.fixture(scope="session")
def heads() -> ModuleType:
    """The module `heads`: heads and photographs before a pinhole camera."""
    spec = importlib.util.spec_from_file_location("heads", HEADS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
