"""The check-up says what is wrong and what to do, and ends with 1 if something is to mend."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Settings, from_values, load
from pipeline.doctor import machine, media, models, people
from pipeline.doctor.finding import Finding, looked_at
from pipeline.errors import DetectorError
from siamese import devices
from siamese.devices import Finding as OnDevice


def states(found: Iterable[Finding]) -> list[str]:
    return [each.state for each in found]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "recog" / "devices.json"


def test_all_is_told_in_lines_and_as_json_and_measured_once(
    recog: Any, tmp_path: Path, world: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cameras", lambda: iter(()))
    film = world.film(tmp_path / "street.avi", world.RED)
    ended = recog("doctor", "--source", film, "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["ok"], ended.err) == (0, True, "")
    areas = {each["area"] for each in told["findings"]}
    assert areas == {"models", "devices", "gallery", "source", "codecs", "clock", "disk"}
    assert any("320 x 240, 20.0 frames a second" in each["said"] for each in told["findings"])
    measured = {(each["model"], each["device"]): each["milliseconds"] for each in told["devices"]}
    assert set(measured) >= {("face-n.onnx", "cpu"), ("recog-siamese.onnx", "cpu")}
    assert all(each > 0 for each in measured.values())
    kept = cache.read_text()
    missing = tmp_path / "missing.mp4"
    ended = recog("doctor", "--source", missing)
    assert ended.code == 1
    assert "mend  source" in ended.out
    assert ended.out.endswith("1 to mend\n")
    assert cache.read_text() == kept


def test_a_model_that_is_damaged_or_missing_is_to_mend(tmp_path: Path) -> None:
    settings = load(None, [f"emb.model={tmp_path / 'none.onnx'}"])
    (first, *rest) = looked_at("models", lambda: models.models(settings))
    assert first.state == "ok"
    assert states(rest) == ["mend"]
    assert "none.onnx" in rest[0].said
    settings = load(None, [f"det.second_stage={tmp_path / 'gone.onnx'}"])
    (*others, last) = looked_at("models", lambda: models.models(settings))
    assert states(others) == ["ok", "ok"]
    assert "gone.onnx" in last.said


def test_an_error_that_the_user_can_mend_is_a_finding_and_a_bug_is_not() -> None:
    def fails(error: Exception) -> Any:
        yield Finding("x", "ok", "begun")
        raise error

    found = list(looked_at("x", lambda: fails(DetectorError("it is\nbroken")), "mend it"))
    assert found[1] == Finding("x", "mend", "it is broken", "mend it")
    with pytest.raises(ZeroDivisionError):
        list(looked_at("x", lambda: fails(ZeroDivisionError())))


def test_a_device_that_is_not_there_or_computes_something_else_is_to_mend_if_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = list(
        looked_at("devices", lambda: models.placed(load(None, ["runtime.provider=cuda"]), False, []))
    )
    assert found[-1].state == "mend"
    assert "runtime.provider=cuda" in found[-1].said

    def judged(verdict: str, why: str = "") -> None:
        result = OnDevice("openvino", verdict, 3.0, 5.0, 10.0, 0.5, why)  # type: ignore[arg-type]
        monkeypatch.setattr(models, "finding_of", lambda *_: result)

    monkeypatch.setattr(devices, "available", lambda names: ["cpu", "openvino"])
    wanted = load(None, ["runtime.provider=openvino"])
    for verdict, asked, state in [
        ("wrong", wanted, "mend"),
        ("wrong", Settings(), "note"),
        ("close", wanted, "note"),
        ("same", wanted, "ok"),
    ]:
        judged(verdict, "it computes something else")
        told = [each for each in models.placed(asked, False, []) if "face-n.onnx on openvino" in each.said]
        assert states(told) == [state], verdict
    assert "50% of the model" in told[0].said


def test_a_gallery_is_missing_whole_open_to_others_or_damaged(
    tmp_path: Path, world: Any, recog: Any, detector: Any, embedder: Any
) -> None:
    file = tmp_path / "people.db"
    assert states(people.gallery(file, Settings())) == ["note"]
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "Red", "--images", photo, "--gallery", file).code == 0
    (whole,) = people.gallery(file, Settings())
    assert (whole.state, "with 1 person" in whole.said, "Red" in whole.said) == ("ok", True, False)
    file.chmod(0o644)
    assert states(people.gallery(file, Settings())) == ["mend", "ok"]
    file.chmod(0o640)
    assert states(people.gallery(file, Settings())) == ["note", "ok"]
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(size - 4096))
    found = list(looked_at("gallery", lambda: people.gallery(file, Settings())))
    assert states(found)[-1] == "mend"


def test_the_clock_is_wrong_kept_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    (wrong,) = machine.clock(datetime(1970, 1, 1, tzinfo=UTC))
    assert wrong.state == "mend"
    for known, state in ((True, "ok"), (False, "note"), (None, "ok")):
        monkeypatch.setattr(machine, "_synchronised", lambda known=known: known)
        assert states(machine.clock()) == [state]


def test_disks_that_are_full_low_or_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    for free, state in ((1 << 40, "ok"), (1 << 30, "note"), (1 << 20, "mend")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert states(machine.disk([tmp_path / "not" / "yet", tmp_path])) == [state]
    monkeypatch.setattr(os, "access", lambda *_: False)
    (closed,) = machine.disk([tmp_path])
    assert (closed.state, "cannot be written to" in closed.said) == ("mend", True)


def test_cameras_that_may_not_be_opened_are_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(machine.cameras(tmp_path, "linux")) == ["ok"]
    (tmp_path / "video0").write_text("")
    (found,) = machine.cameras(tmp_path, "linux")
    assert (found.state, "video0" in found.said) == ("ok", True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    (found,) = machine.cameras(tmp_path, "linux")
    assert (found.state, "usermod -aG video" in found.todo) == ("mend", True)
    assert states(machine.cameras(tmp_path, "darwin")) == ["ok"]


def test_codecs_and_hardware_that_there_are_not() -> None:
    assert states(media.codecs(Settings())) == ["ok", "ok"]
    found = list(media.codecs(load(None, ["runtime.decoder=quantum"])))
    assert states(found) == ["ok", "ok", "note"]
    assert "runtime.decoder=quantum" in found[-1].said


def test_a_home_that_cannot_be_told_is_to_mend_and_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RECOG_MQTT_PASSWORD", raising=False)

    def told(url: str) -> list[Finding]:
        settings = from_values({"mqtt": {"url": url}})
        return list(looked_at("home", lambda: people.home(settings)))

    assert told("") == []
    assert states(told("mqtt://ann:secret@host")) == ["ok"]
    assert states(told("mqtt://ann@host")) == ["note"]
    assert states(told("http://ann:secret@host")) == ["mend"]
    assert "secret" not in str(told("mqtt://ann:secret@host") + told("http://ann:secret@host"))
