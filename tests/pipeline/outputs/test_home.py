"""A home hears each verdict once, and who is there now; nothing of who is covered or in doubt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from pipeline.config import MqttSettings
from pipeline.errors import SinkError
from pipeline.outputs.events import Events
from pipeline.outputs.home import SIGHTINGS, Home, announcement, camera_ids, check_home, node_of
from pipeline.types import UNDECIDED, Frame, Identity, Image, Look, Result, State, TrackedFace

from .mosquitto import Listener, Mosquitto, wait_until

ADA = Identity(State.NAMED, "Ada", 0.994, 5)
BOB = Identity(State.NAMED, "Bob", 0.991, 5)
NOBODY = Identity(State.UNKNOWN, None, 0.97, 5)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    yield made
    made.kill()


def face(track: int, identity: Identity, covered: bool = False) -> TrackedFace:
    box = np.array([20, 20, 84, 84], np.float32)
    return TrackedFace(track, box, np.zeros((5, 2), np.float32), 0.9, identity, covered=covered)


class Camera:
    """A source of which a home is told."""

    def __init__(self, mosquitto: Mosquitto, **settings: Any) -> None:
        self.lines: list[str] = []
        self.up = True
        self._events, self._frame = Events(run="run"), 0
        self._home = Home(
            MqttSettings(url=mosquitto.url, node="Box", **settings),
            "door",
            "run",
            self.lines.append,
            lambda: self.up,
            linger=5.0,
        )

    def sees(
        self,
        *faces: TrackedFace,
        image: Image | None = None,
        frames: int = 1,
        taken: datetime | None = None,
    ) -> None:
        for _ in range(frames):
            shown = np.full((120, 160, 3), 90, np.uint8) if image is None else image
            frame = Frame(shown, self._frame, self._frame / 10, "rtsp://***@door", taken)
            looks = tuple(
                Look(each.track, each.box, each.landmarks, np.zeros(4, np.float32), 0.5 + self._frame / 1000)
                for each in faces
            )
            result = Result(frame, faces, looks=looks)
            self._home.take(result, self._events.update(result))
            self._frame += 1

    def ends(self) -> str | None:
        self._home.finish(self._events.finish())
        return self._home.close()


def sightings(listener: Listener) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in listener.of("/sighting")]


def people(listener: Listener) -> dict[str, Any]:
    """Who is there, as told last."""
    heard = [json.loads(payload) for payload in listener.of("/people")]
    kept = [json.loads(value) for topic, value in listener.retained.items() if topic.endswith("/people")]
    return dict([*kept, *heard][-1]) if heard or kept else {}


def test_a_verdict_is_told_once_and_not_with_every_frame(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        camera.sees(face(1, UNDECIDED), face(2, UNDECIDED), frames=5)
        camera.sees(face(1, ADA), face(2, NOBODY), face(3, UNDECIDED), frames=50)
        assert camera.ends() is None
        wait_until(lambda: len(sightings(listener)) == 4)
    told = [(each["event_type"], each.get("name")) for each in sightings(listener)]
    assert told == [("recognised", "Ada"), ("unknown", None), ("left", "Ada"), ("left", None)]
    first = sightings(listener)[0]
    assert (first["camera"], first["track"], first["id"], first["confidence"]) == ("door", 1, "run-3", 0.994)
    assert "box" not in first


def test_a_face_that_was_never_decided_is_not_told_of_at_all(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        camera.sees(face(1, Identity(State.UNDECIDED, None, 0.94, 3)), frames=5)
        camera.sees(frames=30)
        assert camera.ends() is None
        assert people(listener) in ({}, {"state": "nobody", "names": [], "covered": 0, "unknown": 0})
        assert sightings(listener) == []


def test_the_sensor_says_who_is_there(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        wait_until(lambda: people(listener).get("state") == "nobody")
        camera.sees(face(1, BOB), face(2, ADA), face(3, NOBODY), face(4, NOBODY), face(5, UNDECIDED))
        wait_until(lambda: people(listener).get("state") == "Ada, Bob, 2 unknown")
        assert people(listener) == {
            "state": "Ada, Bob, 2 unknown",
            "names": ["Ada", "Bob"],
            "covered": 0,
            "unknown": 2,
        }
        camera.sees(face(1, BOB), face(2, Identity(State.UNDECIDED, None, 0.4)), frames=20)
        wait_until(lambda: people(listener).get("state") == "Bob")
        camera.sees(*(face(i, replace(ADA, name=f"Somebody with a long name {i}")) for i in range(10, 25)))
        wait_until(lambda: people(listener).get("state") == "16 people")
        camera.ends()
        wait_until(lambda: people(listener).get("state") == "nobody")


def test_a_name_that_is_taken_back_is_told_with_what_it_replaces(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        camera.sees(face(1, ADA))
        camera.sees(face(1, UNDECIDED))
        camera.sees(face(1, BOB))
        camera.ends()
        wait_until(lambda: len(sightings(listener)) == 3)
    told = [(each["event_type"], each["name"], each.get("previous")) for each in sightings(listener)]
    assert told == [("recognised", "Ada", None), ("recognised", "Bob", "Ada"), ("left", "Bob", None)]


def test_no_name_is_told_of_a_face_that_is_covered(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "#") as listener:
        camera = Camera(mosquitto, images=True)
        camera.sees(face(1, ADA, covered=True), face(2, BOB), face(3, NOBODY, covered=True))
        wait_until(lambda: people(listener).get("state") == "Bob, 1 covered, 1 unknown")
        camera.ends()
        wait_until(lambda: len(sightings(listener)) == 6)
        assert "Ada" not in str(listener.heard) + str(listener.retained)
    told = [(each["event_type"], each.get("name"), each.get("covered")) for each in sightings(listener)]
    assert told[:3] == [("recognised", None, True), ("recognised", "Bob", None), ("unknown", None, None)]


def test_a_picture_is_sent_only_where_it_was_asked_for(mosquitto: Mosquitto) -> None:
    red = np.zeros((120, 160, 3), np.uint8)
    red[...] = (0, 0, 200)
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        camera.sees(face(1, ADA), image=red)
        camera.ends()
        wait_until(lambda: len(sightings(listener)) == 2)
        assert listener.of("/face") == []
        camera = Camera(mosquitto, images=True)
        camera.sees(face(1, UNDECIDED), image=red)
        camera.sees(face(1, ADA), image=red, frames=10)
        wait_until(lambda: listener.of("/face"))
        camera.ends()
        (picture,) = listener.of("/face")
        seen = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        assert seen is not None
        assert abs(int(seen[40, 40, 2]) - 200) < 10
    with Listener(mosquitto, "recog/#") as listener:
        wait_until(lambda: people(listener))
        assert not any(topic.endswith("/face") for topic in listener.retained)  # no face stays at the broker


def test_a_picture_goes_when_its_face_is_to_be_covered_after_all(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto, images=True)
        camera.sees(face(1, NOBODY), image=np.full((120, 160, 3), 200, np.uint8))
        wait_until(lambda: len(listener.of("/face")) == 1)
        camera.sees(face(1, UNDECIDED, covered=True), image=np.full((120, 160, 3), 200, np.uint8), frames=5)
        wait_until(lambda: len(listener.of("/face")) == 2)
        camera.ends()
        seen = cv2.imdecode(np.frombuffer(listener.of("/face")[-1], np.uint8), cv2.IMREAD_COLOR)
        assert seen is not None
        assert seen.max() == 0


def test_availability_follows_the_camera_and_ends_with_the_run(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        wait_until(lambda: b"online" in listener.of("/availability"))
        camera.up = False
        wait_until(lambda: listener.of("/availability")[-1] == b"offline")
        camera.up = True
        wait_until(lambda: listener.of("/availability")[-1] == b"online")
        camera.ends()
        wait_until(lambda: listener.of("/availability")[-1] == b"offline")


def test_one_retained_message_announces_the_device(mosquitto: Mosquitto) -> None:
    camera = Camera(mosquitto)
    with Listener(mosquitto, "#") as listener:
        wait_until(lambda: len(listener.retained | dict(listener.heard)) == 3)
        topics = sorted(listener.retained | dict(listener.heard))
        assert topics == [
            "homeassistant/device/recog-box-door/config",
            "recog/box/door/availability",
            "recog/box/door/people",
        ]
        told = json.loads((listener.retained | dict(listener.heard))[topics[0]])
        assert told == announcement("recog-box-door", "door", "recog/box/door", images=False)
        camera.ends()


def test_events_are_not_lost_while_the_broker_is_away(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        wait_until(lambda: people(listener))
        mosquitto.kill()
        wait_until(lambda: camera.lines)
        for track in range(20):
            camera.sees(face(track, ADA if track % 2 else NOBODY))
        mosquitto.start()
        camera.sees(frames=20)
        assert camera.ends() is None
        wait_until(lambda: len({each["id"] for each in sightings(listener)}) == 40)
    came = {each["track"] for each in sightings(listener) if each["event_type"] != "left"}
    assert came == set(range(20))


@pytest.mark.parametrize(
    ("sources", "ids"),
    [
        (["0", "1"], ["camera-0", "camera-1"]),
        (["rtsp://ann:se/cret@door/live"], ["source"]),
        (["rtsp://ann:secret@door/live?key=secret", "rtsp://door/live?c=2"], ["door-live", "door-live-2"]),
        (["films/street.mp4", "other/street.mp4", "street-2.mp4"], ["street", "street-2", "street-2-2"]),
        (["Tür.mp4", "日本"], ["tur", "source"]),
    ],
)
def test_cameras_are_called_by_what_may_be_shown(sources: list[str], ids: list[str]) -> None:
    assert camera_ids(sources) == ids


def test_without_an_address_nothing_is_begun() -> None:
    home = Home(MqttSettings(), "door", "run", print)
    home.take(Result(Frame(np.zeros((0, 0, 3), np.uint8), 0, 0.0, "x"), ()), [])
    home.finish([])
    assert home.close() is None
    check_home(MqttSettings())


def test_a_machine_needs_a_name_that_fits_into_a_topic() -> None:
    assert node_of(MqttSettings(node="Küche 1")) == "kuche-1"
    with pytest.raises(SinkError, match=r"mqtt\.node"):
        node_of(MqttSettings(node="日本"))
    with pytest.raises(SinkError, match="--mqtt"):
        check_home(MqttSettings(url="http://host"))


class _Blueprints(yaml.SafeLoader):
    """Reads `!input NAME` as what it is."""


_Blueprints.add_constructor("!input", lambda loader, node: {"!input": node.value})
BLUEPRINTS = sorted((Path(__file__).parents[3] / "deploy" / "home-assistant").glob("*.yaml"))


def inside(value: Any) -> Iterator[Any]:
    """A value of a document, and all below it."""
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(each)


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.stem)
def test_blueprints_use_what_they_ask_for_and_what_is_told(blueprint: Path, mosquitto: Mosquitto) -> None:
    read = yaml.load(blueprint.read_text(), _Blueprints)
    used = {each["!input"] for each in inside(read) if isinstance(each, dict) and "!input" in each}
    assert used == set(read["blueprint"]["input"])
    text = blueprint.read_text()
    wanted = set(re.findall(r"event_type == '([a-z]+)'", text))
    assert wanted
    assert wanted <= set(SIGHTINGS)
    with Listener(mosquitto, "recog/#") as listener:
        camera = Camera(mosquitto)
        camera.sees(face(1, ADA), taken=datetime(2026, 11, 28, 22, 0, tzinfo=UTC))
        camera.ends()
        wait_until(lambda: sightings(listener))
    assert set(re.findall(r"attributes\.([a-z_]+)", text)) <= set(sightings(listener)[0])


def test_a_run_tells_the_home_and_never_shows_the_password(
    mosquitto: Mosquitto, tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "Red", "--images", photo).code == 0
    film = world.film(tmp_path / "street.avi", world.RED, world.BLUE, count=60)
    url = mosquitto.url.replace("//", "//ann:secret@")
    with Listener(mosquitto, "recog/#") as listener:
        ended = recog("run", "--source", film, "--mqtt", url, "--set", "mqtt.node=box")
        wait_until(lambda: len(sightings(listener)) == 4)
    assert ended.code == 0, ended.err
    assert "secret" not in ended.out + ended.err
    assert listener.heard[0][0].startswith("recog/box/street/")
    told = {(each["event_type"], each.get("name")) for each in sightings(listener)}
    assert told == {("recognised", "Red"), ("unknown", None), ("left", "Red"), ("left", None)}
    recog("run", "--source", film, "--mqtt", "mqtt://ann:secret@").refused(
        "--mqtt mqtt://***@: give an address"
    )
