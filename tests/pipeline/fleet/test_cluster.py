"""What the driver does when machines of a cluster are lost, without a cluster; test_ray.py has a real one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import RuntimeSettings, Settings
from pipeline.fleet.cluster import Actors


class LostError(Exception):
    """As Ray's own errors, of an actor whose machine does not answer."""


class LostRay:
    """A cluster of one machine that is lost as soon as it has been given a worker."""

    exceptions = SimpleNamespace(RayError=LostError, ActorDiedError=type("Died", (LostError,), {}))

    def __init__(self) -> None:
        self.killed: list[Any] = []
        self._actor = SimpleNamespace(version=SimpleNamespace(remote=lambda: "version"))
        self._machines = [{"Alive": True, "Resources": {"CPU": 1.0}}]

    def remote(self, **options: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=self._begin)

    def _begin(self, recipe: Any) -> Any:
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
