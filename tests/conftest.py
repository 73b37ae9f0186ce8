"""What tests of every package use."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.postgres import Server


def pytest_configure() -> None:
    """What tests start and interrupt must not inherit ignored signals, as it would below nohup or `&`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Files whose tests train, start programs or watch a film to its end; measured, the longest first.
LONG = (
    "pipeline/fleet/test_ray.py",
    "pipeline/service/browser/test_views.py",
    "test_calls_home.py",
    "pipeline/service/browser/test_story.py",
    "pipeline/detection/training/test_imitate.py",
    "pipeline/service/browser/test_people.py",
    "siamese/training/test_train.py",
    "pipeline/training/test_triplets.py",
    "pipeline/detection/training/test_export.py",
    "pipeline/recognition/test_ending.py",
    "pipeline/recognition/test_engine.py",
    "pipeline/detection/test_yolo.py",
    "pipeline/detection/training/test_fade.py",
    "pipeline/identity/test_pooled.py",
    "pipeline/commands/test_network.py",
    "pipeline/detection/training/test_train.py",
    "pipeline/service/test_stability.py",
    "pipeline/outputs/test_broker.py",
    "pipeline/commands/test_detector.py",
    "gallery/test_calibration.py",
    "pipeline/training/test_frozen.py",
    "pipeline/service/browser/test_access.py",
    "pipeline/sources/test_streams.py",
)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Twice as many processes as processors: while a test waits for a server or a film, another works."""
    return 2 * (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Each of several processes, and what it starts, computes on one processor: the others are taken."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes, begin with the files that take longest: one that comes last keeps all waiting.

    With `--no-loadscope-reorder` xdist hands files out as they come; without, those of most tests first.
    """
    if not hasattr(config, "workerinput"):
        return
    folder = Path(__file__).parent
    place = {folder / file: number for number, file in enumerate(LONG)}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (place.get(item.path, len(LONG)), -tests[item.path]))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data (LFW, videos, models), which is no part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RECOG_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"needs the real data: {folder} is missing; RECOG_SHARED can say where it is")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server with pgvector, started once for all tests of this process; skips without one."""
    pytest.importorskip("psycopg")
    from tests.postgres import Server

    server = Server()
    yield server
    server.close()
