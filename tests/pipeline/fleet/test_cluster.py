"""What the driver does when machines of a cluster are lost, without a cluster; test_ray.py has a real one."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import RuntimeSettings, Settings
from pipeline.errors import PipelineError
from pipeline.fleet.cluster import Actors, connect
from siamese import libraries

TRIES = "RAY_gcs_server_port_wait_time_s"


class LostError(Exception):
    """As Ray's own errors, of an actor whose machine does not answer."""


class LostRay:
    """A cluster of one machine that is lost, unless it stays, as soon as it has been given a worker."""

    exceptions = SimpleNamespace(RayError=LostError, RayTaskError=type("Raised", (LostError,), {}))

    def __init__(self, stays: bool = False) -> None:
        self._stays = stays
        self.killed: list[Any] = []
        self._actor = SimpleNamespace(begin=SimpleNamespace(remote=lambda asking: "begun"))
        self._machines = [{"Alive": True, "Resources": {"CPU": 1.0}}]

    def remote(self, **options: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=self._begin)

    def _begin(self, recipe: Any) -> Any:
        if not self._stays:
            self._machines.clear()
        return self._actor

    def put(self, value: Any) -> Any:
        return value

    def nodes(self) -> list[dict[str, Any]]:
        return self._machines

    def wait(self, waiting: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        if num_returns < 1:
            raise ValueError("Invalid number of objects to return 0.")
        return waiting, []

    def get(self, asked: Any) -> Any:
        raise LostError

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def shutdown(self) -> None:
        pass


def test_with_all_machines_lost_it_waits_for_others_and_keeps_no_worker_that_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = LostRay()
    monkeypatch.setattr("pipeline.fleet.cluster.connect", lambda address: ray)
    recipe: Any = SimpleNamespace(settings=Settings(runtime=RuntimeSettings(threads=1)))
    with Actors(recipe, "auto", None) as crew:
        assert crew.wait(0.0) == []
        assert len(ray.killed) == 1
        assert crew.wait(0.0) == []
        assert crew.free() == 0


class ReadyRay(LostRay):
    """A cluster whose worker cannot begin, and says why with Ray's own errors."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self.exceptions: Any = importlib.import_module("ray.exceptions")

    def get(self, asked: Any) -> Any:
        raise self.exceptions.RayTaskError("begin", "Traceback", self._error).as_instanceof_cause()


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (PipelineError("this worker has other models"), PipelineError, "^a worker cannot begin: this worker"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "Traceback"),
    ],
)
def test_why_a_worker_cannot_begin_is_one_line_and_a_bug_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception], words: str
) -> None:
    libraries.restrain()  # Ray reads it as it is imported, for all tests of this process
    pytest.importorskip("ray", reason="needs Ray: install recog[ray]")
    ray = ReadyRay(error)
    monkeypatch.setattr("pipeline.fleet.cluster.connect", lambda address: ray)
    recipe: Any = SimpleNamespace(settings=Settings(runtime=RuntimeSettings(threads=1)))
    with Actors(recipe, "auto", None) as crew, pytest.raises(raised, match=words):
        crew.wait(0.0)


def test_workers_that_always_end_while_they_are_starting_are_not_begun_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = LostRay(stays=True)
    monkeypatch.setattr("pipeline.fleet.cluster.connect", lambda address: ray)
    recipe: Any = SimpleNamespace(settings=Settings(runtime=RuntimeSettings(threads=1)))
    with Actors(recipe, "auto", None) as crew:
        assert crew.wait(0.0) == crew.wait(0.0) == []
        with pytest.raises(PipelineError, match="workers end while they are starting"):
            crew.wait(0.0)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ray, as it is imported, which is not asked to connect."""
    found = SimpleNamespace(init=lambda *given, **more: None)
    monkeypatch.setitem(sys.modules, "ray", found)
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", TRIES):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "[::1]:{}", "auto"])
def test_where_nobody_listens_it_is_said_before_ray_tries_for_minutes(
    ray: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")  # of use to auto alone
    with pytest.raises(PipelineError, match=rf"^--ray \S+{port}: no cluster answers there \("):
        connect(address.format(port))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.1"),
            "Ray: 2.1; have the same",
        ),
        (
            ConnectionError("Could not find any running Ray instance. Please"),
            "no cluster runs on this machine",
        ),
        (ConnectionError("ray client connection timeout"), "or it asks for a token"),
    ],
)
def test_why_a_cluster_cannot_be_used_is_one_line(ray: Any, error: Exception, words: str) -> None:
    def init(*given: Any, **more: Any) -> None:
        raise error

    ray.init = init
    with pytest.raises(PipelineError, match=words) as raised:
        connect("auto")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("address", "tries"), [("auto", "1"), ("local", None)])
def test_a_cluster_that_is_long_gone_is_tried_once_and_one_that_is_begun_here_has_its_time(
    ray: Any, address: str, tries: str | None
) -> None:
    seen: list[str | None] = []
    ray.init = lambda *given, **more: seen.append(os.environ.get(TRIES))
    connect(address)
    assert seen == [tries]
    assert TRIES not in os.environ


def test_ray_does_not_change_what_is_done_when_the_process_is_asked_to_end(ray: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ray.init = lambda *given, **more: signal.signal(signal.SIGTERM, lambda *_: None)
    connect("auto")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_token_that_is_there_is_shown_to_a_cluster_that_is_reached_as_a_client(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    monkeypatch.delenv("RAY_AUTH_MODE")  # so that it is taken back in the end
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        connect(address)
        assert "RAY_AUTH_MODE" not in os.environ
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("token")
        connect(address)
    assert os.environ["RAY_AUTH_MODE"] == "token"
