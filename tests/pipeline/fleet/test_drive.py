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

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 2.0, "memory": 2.0**31}}]

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
    seen: list[tuple[str, str]] = []

    def stopped() -> bool:
        seen.append((told.states["door"].state, told.states["door"].detail))
        return bool(ray.killed) or next(rounds) == 9

    with Drive(fleet, Settings(), "auto") as drive, Told(fleet, Settings(), lines.append) as told:
        drive.run(told, stopped, lines.append)
        state = told.states["door"]
    assert seen[-1] == ("failed", "box has other models than this machine; it is begun again")
    assert (state.state, state.restarts, len(ray.killed)) == ("ended", 1, 1)
    assert lines == [
        "door: waiting (for a machine with room for it)",
        "door: failed on box (box has other models than this machine)",
        "door: ended on box (recog fleet run has ended)",
    ]


def test_a_camera_that_no_machine_has_room_for_is_said_at_once(
    tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = OneCamera(News("starting", "", "box", None, (), None, 0, 0))
    monkeypatch.setattr("pipeline.fleet.drive.connect", lambda address: ray)
    monkeypatch.setattr(ray, "wait", lambda waiting, num_returns, timeout: ([], waiting))
    cameras = tuple(
        CameraPlan(name=name, source="0", processors=processors, megabytes=megabytes)
        for name, processors, megabytes in (("door", 4, 100), ("yard", 1, 4000))
    )
    fleet, lines, rounds = Fleet(out=tmp_path / "seen", camera=cameras), list[str](), iter([False, True])
    with Drive(fleet, Settings(), "auto") as drive, Told(fleet, Settings(), lines.append) as told:
        drive.run(told, lambda: next(rounds), lines.append)
    assert lines[:2] == [
        "door: waiting (no machine has 4 processors and 100 MB in all)",
        "yard: waiting (no machine has 1 processors and 4000 MB in all)",
    ]
