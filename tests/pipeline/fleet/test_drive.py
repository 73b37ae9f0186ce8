"""What the driver of a fleet does with what cameras tell, without a cluster; test_ray.py has a real one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.fleet.drive import Drive
from pipeline.fleet.plan import CameraPlan, Fleet
from pipeline.fleet.told import Told
from pipeline.fleet.watch import Begun, News


class OneCamera:
    """A cluster on which a camera always tells the same."""

    exceptions = SimpleNamespace(RayError=type("LostError", (Exception,), {}))

    def __init__(self, news: News) -> None:
        self._news, self.killed = news, list[Any]()
        self._actor = SimpleNamespace(news=SimpleNamespace(remote=lambda seconds: "news"))

    def remote(self, **options: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=lambda *given: self._actor)

    def wait(self, waiting: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        return waiting[:num_returns], waiting[num_returns:]

    def get(self, asked: Any) -> News:
        return self._news

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def shutdown(self) -> None:
        pass


def test_a_camera_on_a_machine_with_other_models_is_ended_there_and_begun_again(
    tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Begun("live", True, 25.0, (640, 360), "other")
    ray = OneCamera(News("running", "", "box", begun, (), 25.0, 0, 0))
    monkeypatch.setattr("pipeline.fleet.drive.connect", lambda address: ray)
    camera, rounds = CameraPlan(name="door", source="rtsp://host/live"), iter(range(10))
    fleet = Fleet(gallery=str(tmp_path / "people.db"), out=tmp_path / "seen", camera=(camera,))
    lines: list[str] = []
    with Told(fleet, Settings(), lines.append) as told:
        stopped = lambda: bool(ray.killed) or next(rounds) == 9  # noqa: E731
        Drive(fleet, Settings(), "auto").run(told, lines.append, stopped, lines.append)
        state = told.states["door"]
    assert (state.state, state.restarts, len(ray.killed)) == ("failed", 1, 1)
    assert state.detail == "box has other models than this machine; it is begun again"
