"""`recog auth` at the command line: how it ends, and that it refuses in doubt."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.authentication import place
from pipeline.authentication.tries import FREE, Tries
from pipeline.sources import devices
from pipeline.sources.rehearsal import Rehearsal


@pytest.fixture
def gallery(tmp_path: Path, world: Any, recog: Any, detector: Any, embedder: Any) -> Path:
    file = tmp_path / "people.db"
    photo = world.picture(tmp_path / "alice.png", world.RED)
    assert recog("enroll", "--name", "alice", photo, "--gallery", file).code == 0
    return file


@pytest.fixture(autouse=True)
def at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "remote", lambda: None)


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: Any) -> Path:
    """Camera 0: a device on a bus, that shows a red face which does not move as heads do."""
    film = world.film(tmp_path / "camera.avi", world.RED, count=60)
    found = devices.Device("Webcam", True, "camera 0 (Webcam) is a device on a bus")
    monkeypatch.setattr(devices, "device", lambda spec: found)

    def opened(spec: str, **_: Any) -> Rehearsal:
        return Rehearsal(film, 200, rate=30.0)

    monkeypatch.setattr("pipeline.sources.open.open_source", opened)
    return film


def test_who_is_not_enrolled_cannot_be_tried(recog: Any, gallery: Path) -> None:
    ended = recog("auth", "--name", "bob", "--gallery", gallery, "--intent", "none")
    assert ended.code == 2
    assert ended.err.startswith("recog: not tried: ")
    assert "bob" in ended.err


def test_without_a_gallery_or_a_camera_nothing_can_be_tried(
    recog: Any, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recog("auth", "--name", "alice", "--gallery", tmp_path / "no.db", "--intent", "none").code == 2
    found = devices.Device("Webcam", True, "on a bus")
    monkeypatch.setattr(devices, "device", lambda spec: found)
    ended = recog("auth", "--name", "alice", "--gallery", gallery, "--intent", "none", "--source", "97")
    assert ended.code == 2
    assert "camera 97" in ended.err


def test_a_usage_error_accepts_nobody(recog: Any) -> None:
    for words in (["auth"], ["auth", "--name", "alice", "--intent", "maybe"], ["auth", "--fast"]):
        assert recog(*words).code == 2


def test_a_camera_that_is_not_there_cannot_be_tried(recog: Any, gallery: Path) -> None:
    words = ("auth", "--name", "alice", "--gallery", gallery, "--intent", "none")
    ended = recog(*words, "--source", "4321")
    assert ended.code == 2
    assert ended.err == (
        "recog: not tried: the system knows nothing of a camera 4321; see which there are: recog doctor\n"
    )
    assert Tries(gallery.with_name("people.db.tries"), "alice").failures() == 0


def test_a_recording_is_refused_before_a_frame_of_it_is_judged(
    recog: Any, gallery: Path, world: Any, tmp_path: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED)
    ended = recog("auth", "-n", "alice", "-g", gallery, "--source", film, "--intent", "none", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["accepted"], told["part"], told["charged"]) == (1, False, "camera", False)


def test_a_rehearsal_never_accepts_and_costs_no_try(
    recog: Any, gallery: Path, world: Any, tmp_path: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED)
    ended = recog("auth", "-n", "alice", "-g", gallery, "--source", film, "--rehearsal")
    assert ended.code == 1
    assert ended.out.startswith("refused, as this is a rehearsal; a live camera would be refused: ")
    assert not gallery.with_name("people.db.tries").exists()


def test_a_session_from_afar_is_refused_unless_it_is_allowed(
    recog: Any, gallery: Path, camera: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "remote", lambda: "this is a session from afar (SSH_TTY is set)")
    words = ["auth", "-n", "alice", "-g", gallery, "--intent", "none"]
    ended = recog(*words)
    assert (ended.code, ended.out) == (1, "refused: this is a session from afar (SSH_TTY is set)\n")
    assert "from afar" not in recog(*words, "--allow-remote").out


def test_a_session_from_afar_is_refused_where_there_is_no_camera(
    recog: Any, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "remote", lambda: "this is a session from afar (SSH_TTY is set)")
    ended = recog("auth", "-n", "alice", "-g", gallery, "--source", "4321", "--intent", "none")
    assert (ended.code, ended.out) == (1, "refused: this is a session from afar (SSH_TTY is set)\n")


def test_a_face_that_does_not_answer_is_refused_and_the_try_counts(
    recog: Any, gallery: Path, camera: Path
) -> None:
    ended = recog("auth", "-n", "alice", "-g", gallery, "--intent", "none", "--json")
    told = json.loads(ended.out)
    assert ended.code == 1
    assert told["charged"]
    assert told["parts"]["camera"]["holds"]
    assert Tries(gallery.with_name("people.db.tries"), "alice").failures() == 1


def test_five_failures_lock(recog: Any, gallery: Path, camera: Path) -> None:
    for _ in range(FREE):
        Tries(gallery.with_name("people.db.tries"), "alice").charge()
    ended = recog("auth", "-n", "alice", "-g", gallery, "--intent", "none")
    assert ended.code == 1
    assert ended.out.startswith("refused: 5 tries in a row failed; try again in ")
    assert Tries(gallery.with_name("people.db.tries"), "alice").failures() == FREE  # no further try was made


def test_without_a_key_nobody_is_tried(
    recog: Any, gallery: Path, camera: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    ended = recog("auth", "-n", "alice", "-g", gallery)
    assert ended.code == 2
    assert "--intent none" in ended.err


def test_a_file_of_failures_that_others_may_write_lets_nobody_try(
    recog: Any, gallery: Path, camera: Path
) -> None:
    file = gallery.with_name("people.db.tries")
    Tries(file, "alice").charge()
    file.chmod(0o666)
    ended = recog("auth", "-n", "alice", "-g", gallery, "--intent", "none", "--json")
    assert ended.code == 2
    assert json.loads(ended.out) == {
        "accepted": False,
        "tried": False,
        "why": json.loads(ended.out)["why"],
    }
    assert "written by others" in ended.err


def test_attacks_are_counted_and_written_down_and_let_nobody_in(
    recog: Any, gallery: Path, camera: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    words = ["auth", "test", "-n", "alice", "-g", gallery, "--species", "screen", "--tries", "2", "--no-ask"]
    ended = recog(*words, "--report", report)
    assert ended.code == 0
    assert ended.out.startswith("screen: APCER 0.000 (0 of 2; 95 % interval 0.000 to 0.842)")
    told = json.loads(report.read_text())
    assert told["worst_species"] == "screen"
    assert told["species"][0]["presentations"] == 2
    assert report.stat().st_mode & 0o777 == 0o600
    assert not gallery.with_name("people.db.tries").exists()
    recog(*words, "--report", report).refused("--overwrite")


def test_a_species_nobody_knows_is_refused(recog: Any, gallery: Path) -> None:
    ended = recog("auth", "test", "-n", "alice", "-g", gallery, "--species", "hologram")
    assert ended.code == 2
    assert "bent-print" in " ".join(ended.err.split())
