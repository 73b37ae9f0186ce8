"""What tests of every package use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """What tests start and interrupt must not inherit ignored signals, as it would below nohup or `&`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data (LFW, videos, models), which is no part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RECOG_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"needs the real data: {folder} is missing; RECOG_SHARED can say where it is")
    return folder
