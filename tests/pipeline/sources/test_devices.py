"""A camera on a bus is one; what a program plays is none; what the system does not tell is not known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.sources.devices import device


def camera(root: Path, number: int, place: str, name: str) -> None:
    entry = root / place / "video4linux" / f"video{number}"
    entry.mkdir(parents=True)
    (entry / "name").write_text(f"{name}\n")
    links = root / "class"
    links.mkdir(exist_ok=True)
    (links / f"video{number}").symlink_to(entry)


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "platform", "linux")
    camera(tmp_path, 0, "devices/pci0000:00/usb1/1-4", "HD Webcam")
    camera(tmp_path, 1, "devices/virtual", "HD Webcam")  # it may call itself what it likes
    camera(tmp_path, 2, "devices/platform/x", "OBS Virtual Camera")
    return tmp_path / "class"


@pytest.mark.parametrize("spec", ["0", "/dev/video0", " 0 "])
def test_a_camera_on_a_bus_is_one(linux: Path, spec: str) -> None:
    found = device(spec, linux)
    assert found.real is True
    assert found.name == "HD Webcam"


@pytest.mark.parametrize("spec", ["1", "/dev/video2"])
def test_a_virtual_camera_is_none(linux: Path, spec: str) -> None:
    found = device(spec, linux)
    assert found.real is False
    assert "a program that plays a camera" in found.why


@pytest.mark.parametrize("spec", ["film.mp4", "rtsp://x/y", "-", "./0", "photos"])
def test_recordings_and_streams_are_none(linux: Path, spec: str) -> None:
    assert device(spec, linux).real is False


def test_what_the_system_does_not_tell_is_not_known(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert device("7", linux).real is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert device("0", linux).real is None
