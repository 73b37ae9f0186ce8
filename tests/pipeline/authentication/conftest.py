"""Heads of three dimensions for the tests here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parents[1] / "liveness"


@pytest.fixture(scope="session")
def heads() -> ModuleType:
    """The module `heads`: heads and photographs before a pinhole camera."""
    return _module("heads")


@pytest.fixture(scope="session")
def surfaces() -> ModuleType:
    """The module `surfaces`: faces as surfaces, to be followed by pixels."""
    return _module("surfaces")


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
