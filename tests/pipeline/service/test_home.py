"""A service tells a home of every camera that it watches, and hangs up when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import from_values
from tests.pipeline.outputs.mosquitto import Listener, Mosquitto, wait_until


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    yield made
    made.kill()


def test_every_source_is_a_device_and_its_verdicts_are_told(
    mosquitto: Mosquitto, tmp_path: Path, world: Any, recog: Any, serve: Any
) -> None:
    photo = world.picture(tmp_path / "red.png", world.RED)
    gallery = tmp_path / "people.db"
    assert recog("enroll", "--name", "Red", "--images", photo, "--gallery", gallery).code == 0
    film = world.film(tmp_path / "street.avi", world.RED, world.BLUE, count=60)
    settings = from_values({"mqtt": {"url": mosquitto.url, "node": "box"}})
    with Listener(mosquitto, "#") as listener:
        serve(gallery, settings, sources=(str(film),))
        wait_until(lambda: len(listener.of("/sighting")) == 4)
        wait_until(lambda: b"offline" in listener.of("/availability"))  # the film is over
    told = {(each["event_type"], each.get("name")) for each in map(json.loads, listener.of("/sighting"))}
    assert told == {("recognised", "Red"), ("unknown", None), ("left", "Red"), ("left", None)}
    (topic,) = {topic for topic, _ in listener.heard if topic.endswith("/sighting")}
    assert topic.startswith("recog/box/street-")
