"""Cameras watched elsewhere: what they tell arrives as if they were watched here, without pictures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError
from pipeline.fleet.plan import CameraPlan, Fleet, read_fleet
from pipeline.fleet.told import EVENTS, STATE, TAPE, Told, read_state
from pipeline.fleet.watch import News, Watch
from pipeline.outputs.ledger import Ledger
from pipeline.tapes.tape import Tape

RED = (40, 40, 220)
FLEET = """
gallery = "people.db"
out = "{out}"
[[camera]]
name = "door"
source = "rtsp://ada:secret@door/live"
processors = 0.4
[[camera]]
name = "yard"
source = "film.mp4"
"""


@pytest.fixture
def heard(tmp_path: Path, cut_film: Any, gallery: Path, detector: Any) -> list[News]:
    """All that a film of Rosa, watched as a camera, tells."""
    film = cut_film(tmp_path / "film.mp4", (120, 20, (RED,)), fps=40)
    watch, news = Watch(str(film), gallery, Settings()), list[News]()
    end = time.monotonic() + 60
    while (not news or news[-1].state in ("starting", "running")) and time.monotonic() < end:
        news.append(watch.news(1.0))
    watch.close()
    assert not any(thread.name == "recog camera" for thread in threading.enumerate())
    return news


@pytest.fixture
def fleet(tmp_path: Path, gallery: Path) -> Fleet:
    cameras = tuple(CameraPlan(name=name, source="rtsp://ada:secret@host/live") for name in ("door", "yard"))
    return Fleet(gallery=str(gallery), out=tmp_path / "seen", camera=cameras)


def told_of(fleet: Fleet) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (fleet.out / EVENTS).read_text().splitlines()]


def test_what_a_camera_tells_has_no_pictures_and_comes_at_the_speed_of_the_film(heard: list[News]) -> None:
    results = [result for each in heard for result in each.results]
    assert [result.frame.index for result in results] == list(range(20))
    assert all(result.frame.image.size == 0 for result in results)
    assert any(result.looks for result in results)
    assert heard[-1].state == "ended"
    assert heard[-1].begun is not None
    assert heard[-1].begun.name == "film.mp4"


def test_a_source_that_cannot_be_had_is_told_as_failed(tmp_path: Path, gallery: Path, detector: Any) -> None:
    watch = Watch(str(tmp_path / "none.mp4"), gallery, Settings())
    news = watch.news(30.0)
    watch.close()
    assert (news.state, news.trace) == ("failed", "")
    assert "does not exist" in news.detail


def test_events_and_looks_of_all_cameras_come_to_one_place_as_those_of_a_run(
    fleet: Fleet, heard: list[News], gallery: Path, embedder: Any
) -> None:
    lines: list[str] = []
    with Told(fleet, Settings(), lines.append) as told:
        for camera in fleet.camera:
            for news in heard:
                told.take(camera, news)
    events = told_of(fleet)
    for name in ("door", "yard"):
        mine = [each for each in events if each["source"] == name]
        assert [each["event"] for each in mine] == ["entered", "recognised", "left"]
        assert mine[1]["name"] == "Rosa"
    assert len({each["id"].partition("-")[0] for each in events}) == 2
    with Tape(fleet.out / TAPE, build.fingerprint(embedder)) as tape:
        assert sorted(run.source for run in tape.runs()) == ["door", "yard"]
        assert all(len(tape.looks(run.run)) for run in tape.runs())
    assert {path.stat().st_mode & 0o777 for path in fleet.out.iterdir()} == {0o600}
    assert {each.kind for each in Ledger(gallery).entries()} == {"events", "tape"}
    state = (fleet.out / STATE).read_text()
    assert "Rosa" not in state
    assert "secret" not in state + " ".join(lines)


def test_nobody_is_forgotten_while_a_camera_elsewhere_is_followed(
    fleet: Fleet, heard: list[News], recog: Any
) -> None:
    with Told(fleet, Settings(), lambda line: None) as told:
        for each in heard:
            told.take(fleet.camera[0], replace(each, state="running"))
        recog("forget", "Rosa", "--gallery", fleet.gallery).refused("a run with the gallery")
    assert recog("forget", "Rosa", "--gallery", fleet.gallery).code == 0
    assert not any(each.get("name") == "Rosa" for each in told_of(fleet))


def test_of_a_camera_whose_machine_is_lost_everybody_has_left_and_a_new_run_begins(
    fleet: Fleet, heard: list[News]
) -> None:
    camera = fleet.camera[0]
    with Told(fleet, Settings(), lambda line: None) as told:
        for news in heard:
            told.take(camera, replace(news, state="running"))
        told.gone(camera)
        assert [each["event"] for each in told_of(fleet)][-1] == "left"
        for news in heard:
            told.take(camera, news)
    events = told_of(fleet)
    assert [each["event"] for each in events] == ["entered", "recognised", "left"] * 2
    assert len({each["id"].partition("-")[0] for each in events}) == 2


def test_at_the_end_a_camera_that_cannot_be_finished_keeps_no_other_from_it(
    fleet: Fleet, heard: list[News], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise SinkError("the disk is full")

    with ExitStack() as stack:
        told = stack.enter_context(Told(fleet, Settings(), lambda line: None))
        for camera in fleet.camera:
            for news in heard:
                told.take(camera, replace(news, state="running"))
        monkeypatch.setattr(told._runs["door"].opened, "finish", full)
        with pytest.raises(SinkError, match="full"):
            stack.close()
    assert [each["event"] for each in told_of(fleet) if each["source"] == "yard"][-1] == "left"
    assert (fleet.out / STATE).exists()


def test_a_machine_with_other_models_is_not_listened_to(fleet: Fleet, heard: list[News]) -> None:
    with Told(fleet, Settings(), lambda line: None) as told:
        (news,) = [each for each in heard if each.begun][:1]
        assert news.begun is not None
        told.take(fleet.camera[0], replace(news, begun=replace(news.begun, fingerprint="other")))
        assert told.states["door"].state == "failed"
        assert "other models" in told.states["door"].detail
    assert not (fleet.out / TAPE).exists()


def test_how_each_camera_is_can_be_asked(tmp_path: Path, recog: Any, embedder: Any) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET.format(out=tmp_path / "seen"))
    recog("fleet", "status", path).refused("no fleet has run")
    with Told(read_fleet(path), Settings(), lambda line: None) as told:
        told.change(told.fleet.camera[0], "running", machine="box")
    ended = recog("fleet", "status", path)
    assert ended.code == 0
    assert "running" in ended.out
    assert "box" in ended.out
    assert "may have ended" not in ended.out
    values = json.loads(recog("fleet", "status", path, "--json").out)
    assert values == read_state(tmp_path / "seen")
    assert [each["state"] for each in values["cameras"]] == ["running", "waiting"]
    assert values["cameras"][0]["source"] == "rtsp://***@door/live"
    state = tmp_path / "seen" / STATE
    state.write_text(json.dumps(values | {"at": "2026-11-28T12:00:00+00:00"}))
    assert "recog fleet run may have ended" in recog("fleet", "status", path).out


WRONG: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text.replace("yard", "Door"), "two cameras are called door"),
    (lambda text: text.replace("0.4", "0"), "camera.1.processors"),
    (lambda text: text.replace("processors", "procesors"), "camera.1.procesors"),
    (lambda text: text[:80] + "[", "not valid TOML"),
    (lambda text: "out = 'x'", "camera: field required"),
]


@pytest.mark.parametrize(("spoilt", "words"), WRONG)
def test_what_is_wrong_with_a_fleets_file_is_one_line_without_its_passwords(
    tmp_path: Path, spoilt: Callable[[str], str], words: str
) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(spoilt(FLEET.format(out="out")))
    with pytest.raises(ConfigError) as error:
        read_fleet(path)
    assert words in str(error.value)
    assert "secret" not in str(error.value)


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, recog: Any, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET.format(out=tmp_path / "seen"))
    recog("fleet", "run", path).refused("uv sync --inexact --extra ray")


def test_a_gallery_on_a_server_is_named_without_its_password_which_travels_apart() -> None:
    import pickle

    from gallery.address import remember, secrets

    camera = CameraPlan(name="door", source="0")
    fleet = Fleet(gallery="postgresql://ada:secret@host/people", out=Path("seen"), camera=(camera,))
    people = fleet.people()
    assert people is not None
    assert str(people) == "postgresql://ada@host/people"
    assert secrets(people) == {"password": "secret"}
    assert "secret" not in repr(fleet) + str(pickle.dumps(people))
    elsewhere = pickle.loads(pickle.dumps(people))
    assert str(elsewhere) == str(people)
    remember(elsewhere, {"password": "other"})
    assert secrets(elsewhere) == {"password": "other"}
