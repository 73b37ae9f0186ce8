"""How the cameras of a fleet are, from the file that `recog fleet run` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.config import Settings
from pipeline.fleet.plan import CameraPlan, Fleet
from pipeline.fleet.told import FRESH, STATE, Told
from pipeline.service.routes.fleet import FILE, STALE


def test_the_cameras_of_a_fleet_are_told_as_the_fleet_has_written_them(
    tmp_path: Path, serve: Any, embedder: Any
) -> None:
    assert FILE == STATE
    assert STALE.total_seconds() > 2 * FRESH
    out = tmp_path / "seen"
    running = serve(fleet=out)
    assert running.viewer.get("/api/v1/fleet").json() == {"at": None, "stale": False, "cameras": []}
    camera = CameraPlan(name="door", source="rtsp://ada:secret@door/live")
    fleet = Fleet(gallery=str(tmp_path / "people.db"), out=out, camera=(camera,))
    with Told(fleet, Settings(), lambda line: None) as told:
        told.change(camera, "running", machine="box-2").fps = 24.9
    answer = running.viewer.get("/api/v1/fleet")
    (found,) = answer.json()["cameras"]
    assert (found["name"], found["state"], found["machine"], found["fps"]) == (
        "door",
        "running",
        "box-2",
        24.9,
    )
    assert "secret" not in answer.text
    assert answer.json()["stale"] is False
    assert running.stranger.get("/api/v1/fleet").status_code == 401

    values = json.loads((out / STATE).read_text())
    (out / STATE).write_text(json.dumps(values | {"at": "2026-11-28T12:00:00+00:00"}))
    assert running.viewer.get("/api/v1/fleet").json()["stale"] is True
    for damaged in ("{", "{}", json.dumps(values | {"at": "today"}), json.dumps(values | {"cameras": [{}]})):
        (out / STATE).write_text(damaged)
        broken = running.viewer.get("/api/v1/fleet")
        assert (broken.status_code, "cannot be read" in broken.text) == (503, True), damaged
