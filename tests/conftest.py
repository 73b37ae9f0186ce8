"""What tests of every package use."""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.postgres import Server


def pytest_configure() -> None:
    """What tests start and interrupt must not inherit ignored signals, as it would below nohup or `&`.

    And matplotlib's list of fonts, which takes seconds to make, is not made again for every home of a test.
    How long one example of Hypothesis takes says more of a busy machine than of what is tested.
    """
    hypothesis.settings.register_profile("recog", deadline=None)
    hypothesis.settings.load_profile("recog")
    os.environ.setdefault("MPLCONFIGDIR", os.path.expanduser("~/.cache/recog/matplotlib"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Files for one process: they import what takes seconds to import, or share what takes as long to start.
TOGETHER = {
    "networks": ("siamese/training/", "siamese/protocols/", "siamese/frozen/"),
    "trainings": (
        "pipeline/training/",
        "pipeline/commands/test_network.py",
        "pipeline/commands/test_models_adopt.py",
    ),
    "detectors": (
        "pipeline/detection/training/",
        "pipeline/detection/test_yolo.py",
        "pipeline/detection/test_person.py",
        "pipeline/commands/test_detector.py",
    ),
    "browser": ("pipeline/service/browser/",),
}
# What is begun with: those groups, and files whose tests train, start programs or watch a film to its end.
# Each process is given two at first, so that the fifth waits for the first.
LONG = (
    "trainings",
    "detectors",
    "browser",
    "networks",
    "pipeline/recognition/test_ending.py",
    "pipeline/sources/test_streams.py",
    "pipeline/outputs/test_broker.py",
    "pipeline/fleet/test_ray.py",
    "test_calls_home.py",
    "pipeline/service/test_stability.py",
    "pipeline/service/test_lineage.py",
    "pipeline/service/test_sources.py",
    "pipeline/recognition/test_engine.py",
    "pipeline/identity/test_pooled.py",
    "pipeline/service/test_live.py",
    "pipeline/service/test_events.py",
    "gallery/test_calibration.py",
    "pipeline/recognition/test_blur.py",
)


def together(file: str) -> str:
    """What one process is given as a whole: a group, or the file itself, whose path begins in this folder."""
    return next((group for group, files in TOGETHER.items() if file.startswith(files)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """As `--dist=loadfile` does it, but with some files in one process."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(super()._split_scope(nodeid).removeprefix(f"{Path(__file__).parent.name}/"))

    return Together(config, log)


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
    place = {part: number for number, part in enumerate(LONG)}
    tests = Counter(item.path for item in items)

    def turn(item: pytest.Item) -> tuple[int, int]:
        return place.get(together(item.path.relative_to(folder).as_posix()), len(LONG)), -tests[item.path]

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """What has been imported by now stays: who looks for garbage from here on need not look at all of it."""
    gc.collect()
    gc.freeze()


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
