"""Letting one person in: what is charged, when the camera goes on, and what a rehearsal may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gallery.errors import GalleryError
from pipeline import api
from pipeline.api import Recog
from pipeline.authentication import place
from pipeline.authentication.policy import Verdict as Decided
from pipeline.errors import SourceError
from pipeline.sources import devices
from pipeline.sources.rehearsal import Rehearsal


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: Any) -> list[str]:
    """Camera 0, a device on a bus before a red face, at this machine; and what of it was opened."""
    film = world.film(tmp_path / "camera.avi", world.RED, count=60)
    found, asked = devices.Device("Webcam", True, "on a bus"), list[str]()

    def opened(spec: str, **_: Any) -> Rehearsal:
        asked.append(spec)
        return Rehearsal(film, 200, rate=30.0)

    monkeypatch.setattr(devices, "device", lambda spec: found)
    monkeypatch.setattr("pipeline.sources.open.open_source", opened)
    monkeypatch.setattr(place, "remote", lambda: None)
    return asked


def test_a_face_that_answers_nothing_is_not_let_in_and_the_try_counts(
    recognition: Recog, world: Any, tmp_path: Path, camera: list[str]
) -> None:
    recognition.enroll("alice", [world.picture(tmp_path / "alice.png", world.RED)])
    told: list[api.Prompt] = []

    def show(frame: api.Frame, prompt: api.Prompt) -> bool:
        told.append(prompt)
        return True

    found = recognition.authenticate("alice", intended=lambda frames: bool(next(frames)), show=show)
    assert (found.accepted, found.verdict.accepted, found.charged) == (False, False, True)
    assert told[-1].words == "thank you"
    assert (told[0].done, told[0].of) == (0, 3)


def test_the_camera_stays_off_while_nobody_has_asked_for_it(
    recognition: Recog, world: Any, tmp_path: Path, camera: list[str]
) -> None:
    recognition.enroll("alice", [world.picture(tmp_path / "alice.png", world.RED)])
    with pytest.raises(SourceError, match="nobody asked for it"):
        recognition.authenticate("alice", intended=False)
    with pytest.raises(GalleryError, match="bob"):
        recognition.authenticate("bob", intended=True)
    assert camera == []


def test_a_rehearsal_accepts_nobody_even_where_a_camera_would(
    recognition: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognition.enroll("alice", [world.picture(tmp_path / "alice.png", world.RED)])
    monkeypatch.setattr("pipeline.authentication.session.decide", lambda findings: Decided(True, "fine"))
    film = world.film(tmp_path / "film.avi", world.RED, count=8)
    found = recognition.authenticate("alice", str(film), intended=True, rehearsal=True)
    assert (found.verdict.accepted, found.accepted, found.as_dict()["accepted"]) == (True, False, False)
    assert not (tmp_path / "people.db.tries").exists()
