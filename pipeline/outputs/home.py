"""Who is seen, told to a home: Home Assistant, or whatever else listens at an MQTT broker.

Each camera is a device with an availability and some entities; one retained message announces all of it. Told
are verdicts, once each, and never what is below their threshold. Of a face that is covered (`--blur`), no
name is told.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from pipeline.config import MqttSettings
from pipeline.errors import SinkError
from pipeline.outputs.broker import LINGER, Broker, Message, address_of
from pipeline.outputs.events import Event, Events
from pipeline.outputs.snapshots import Snapshots, encoded
from pipeline.sources.streams import shown_address
from pipeline.types import Result, State

SIGHTINGS = ("recognised", "unknown", "left")
SIDE = 320  # longest side of a picture that is sent, pixels
LONGEST_STATE = 255  # characters that Home Assistant takes for a state
PACE = 1.0  # seconds between looks whether the camera is there
_TOLD = ("confidence", "seconds", "first_seconds", "last_seconds", "track", "time", "id", "blur")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is known of a track that is present."""

    unknown: bool
    name: str | None  # None where it is unknown, or covered


class Home:
    """Tells of one camera. Give `take` every result in order with its events, then `finish`, then `close`.

    With `settings.url` empty every method does nothing.
    """

    def __init__(
        self,
        settings: MqttSettings,
        camera: str,
        run: str,
        report: Callable[[str], None],
        up: Callable[[], bool] = lambda: True,
        linger: float = LINGER,
    ) -> None:
        """Begin to connect.

        Args:
            camera: as `camera_ids` calls it.
            run: what the ids of the events begin with.
            report: called, from any thread, with one line when deliveries begin to fail and work again.
            up: whether the camera is there; asked from another thread.

        Raises:
            SinkError: the address or the password cannot be used.
        """
        self._broker: Broker | None = None
        if not settings.url:
            return
        self._camera, self._up = camera, up
        node = node_of(settings)
        self._base = f"{settings.topic}/{node}/{camera}"
        self._there: dict[int, _Verdict] = {}  # by track
        self._told: dict[
            int, _Verdict
        ] = {}  # of tracks that are present; the verdict may be taken back by now
        self._pictures = Snapshots(None, settings.images, run, SIDE)
        self._pictured: tuple[int, bool] | None = (
            None  # whose picture was sent last, and whether it was covered
        )
        client = f"{settings.topic}-{node}-{camera}".replace("/", "-")
        address = address_of(settings.url, settings.password_file)
        self._broker = Broker(address, client, self._availability(False), report, linger=linger)
        if settings.discovery:
            device = announcement(client, camera, self._base, settings.images)
            self._broker.state(_message(f"{settings.discovery}/device/{client}/config", device, retain=True))
        self._tell_presence()
        self._broker.state(self._availability(up()))
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._follow, name="recog home", daemon=True)
        self._watch.start()

    def take(self, result: Result, events: Iterable[Event]) -> None:
        """Tell what is new. Returns at once.

        Args:
            events: those of this very result.
        """
        if self._broker is None:
            return
        covered = {}
        for face in result.faces:
            state, name = face.identity.state, face.identity.name
            covered[face.track] = face.covered
            if face.track < 0 or state is State.UNDECIDED:
                self._there.pop(face.track, None)  # a verdict that was taken back
            else:
                named = state is State.NAMED
                self._there[face.track] = _Verdict(not named, name if named and not face.covered else None)
        for event in self._pictures.attach(result, events):
            self._tell(self._broker, event, covered.get(event.track, False))
        if self._pictured is not None and covered.get(self._pictured[0], False) and not self._pictured[1]:
            self._send_picture(
                self._broker, self._pictured[0], encoded(np.zeros((8, 8, 3), np.uint8), 8), True
            )
        self._tell_presence()

    def finish(self, events: Iterable[Event]) -> None:
        """The source has ended: tell who left with it."""
        if self._broker is None:
            return
        for event in events:
            self._tell(self._broker, event, False)
        self._tell_presence()

    def close(self) -> str | None:
        """Deliver what waits, for some seconds, and say goodbye. May be called again.

        Returns:
            what was lost, in one line, if anything was.
        """
        if self._broker is None:
            return None
        self._ending.set()
        self._watch.join()
        self._there.clear()
        return self._broker.close([self._presence(), self._availability(False)])

    def _tell(self, broker: Broker, event: Event, covered: bool) -> None:
        if event.event not in SIGHTINGS:
            return
        before = self._told.pop(event.track, None)
        if event.event == "left":
            self._there.pop(event.track, None)
            now = before
        else:
            now = self._told[event.track] = self._there[event.track]
        if now is None:
            return  # it left, and nothing was ever told of it
        values = event.as_dict()
        told: dict[str, Any] = {"event_type": event.event, "camera": self._camera}
        told |= {"name": now.name} if now.name is not None else {}
        told |= {"covered": True} if not now.unknown and now.name is None else {}
        told |= {"previous": before.name} if event.previous and before is not None and before.name else {}
        told |= {key: values[key] for key in _TOLD if key in values}
        if event.thumbnail is not None:
            self._send_picture(broker, event.track, base64.b64decode(event.thumbnail), covered)
        broker.send(_message(f"{self._base}/sighting", told))

    def _send_picture(self, broker: Broker, track: int, picture: bytes, covered: bool) -> None:
        # Not retained: no face is to stay at the broker.
        broker.state(Message(f"{self._base}/face", picture))
        self._pictured = track, covered

    def _tell_presence(self) -> None:
        if self._broker is not None:
            self._broker.state(self._presence())

    def _presence(self) -> Message:
        people = self._there.values()
        names = sorted({each.name for each in people if each.name is not None})
        unknown = sum(each.unknown for each in people)
        covered = sum(not each.unknown and each.name is None for each in people)
        parts = [
            *names,
            *([f"{covered} covered"] if covered else []),
            *([f"{unknown} unknown"] if unknown else []),
        ]
        state = ", ".join(parts) or "nobody"
        if len(state) > LONGEST_STATE:
            state = f"{len(names) + covered + unknown} people"
        told = {"state": state, "names": names, "covered": covered, "unknown": unknown}
        return _message(f"{self._base}/people", told, retain=True)

    def _availability(self, up: bool) -> Message:
        return Message(f"{self._base}/availability", b"online" if up else b"offline", retain=True)

    def _follow(self) -> None:
        assert self._broker is not None
        while not self._ending.wait(PACE):
            self._broker.state(self._availability(self._up()))


class Telling:
    """Tells a home of one source from its results alone: give `take` every one, and `close` it at the end."""

    def __init__(
        self,
        settings: MqttSettings,
        camera: str,
        report: Callable[[str], None],
        up: Callable[[], bool],
        linger: float = LINGER,
    ) -> None:
        """As `Home`, which see."""
        run = secrets.token_hex(6)
        self._events = Events(run=run)
        self._home = Home(settings, camera, run, report, up, linger)

    def take(self, result: Result) -> None:
        """Tell what is new. Returns at once."""
        self._home.take(result, self._events.update(result))

    def close(self) -> str | None:
        """Tell who left with the source, deliver what waits, and say goodbye. May be called again.

        Returns:
            what was lost, in one line, if anything was.
        """
        self._home.finish(self._events.finish())
        return self._home.close()


def check_home(settings: MqttSettings) -> None:
    """Refuse, before any work, what could not be told.

    Raises:
        SinkError: in one line, what is wrong.
        ModuleNotFoundError: the extra `mqtt` is missing.
    """
    if settings.url:
        address_of(settings.url, settings.password_file)
        node_of(settings)
        import paho.mqtt.client  # noqa: F401


def node_of(settings: MqttSettings) -> str:
    """What this machine is called in topics.

    Raises:
        SinkError: it has no name that could be used.
    """
    node = _slug(settings.node or socket.gethostname())
    if not node:
        raise SinkError("mqtt.node: give this machine a name of letters a to z and digits")
    return node


def camera_ids(sources: Sequence[str]) -> list[str]:
    """What each source is called in topics, as `--source` takes it: `door-live` for `rtsp://user@door/live`.

    They stay what they are from run to run, as long as the sources are given in the same order.
    """
    ids: list[str] = []
    for source in sources:
        if "://" in source:
            place = shown_address(source).partition("://")[2].removeprefix("***@").partition("?")[0]
        else:
            place = re.split(r"[/\\]", source.rstrip("/\\"))[-1].rpartition(".")[0] or source
        name = _slug(place) or "source"
        name = f"camera-{name}" if name.isdigit() else name
        same = sum(
            each == name or re.fullmatch(f"{re.escape(name)}-[0-9]+", each) is not None for each in ids
        )
        while same and f"{name}-{same + 1}" in ids:
            same += 1
        ids.append(f"{name}-{same + 1}" if same else name)
    return ids


def announcement(device: str, camera: str, base: str, images: bool) -> dict[str, Any]:
    """What Home Assistant is told of a camera and its entities, once for all."""
    made = {"name": "recog", "sw_version": version("recog")}
    people = f"{base}/people"
    entities: dict[str, dict[str, Any]] = {
        "sighting": {
            "platform": "event",
            "name": "Sighting",
            "icon": "mdi:face-recognition",
            "state_topic": f"{base}/sighting",
            "event_types": list(SIGHTINGS),
        },
        "people": {
            "platform": "sensor",
            "name": "People",
            "icon": "mdi:account-group",
            "state_topic": people,
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": people,
            "json_attributes_template": "{{ {'names': value_json.names, 'covered': value_json.covered, "
            "'unknown': value_json.unknown} | tojson }}",
        },
        "unknown": {
            "platform": "sensor",
            "name": "Unknown people",
            "icon": "mdi:account-question",
            "state_topic": people,
            "value_template": "{{ value_json.unknown }}",
            "state_class": "measurement",
        },
        "face": {"platform": "image"},  # no more than that takes it away, where it was announced before
    }
    if images:
        entities["face"] |= {
            "name": "Last face",
            "image_topic": f"{base}/face",
            "content_type": "image/jpeg",
        }
    for key, entity in entities.items():
        if len(entity) > 1:
            entity["unique_id"] = f"{device}-{key}"
    return {
        "device": {"identifiers": [device], "name": camera, "manufacturer": "recog", "model": "camera"}
        | {"sw_version": made["sw_version"]},
        "origin": made,
        "availability_topic": f"{base}/availability",
        "qos": 1,
        "components": entities,
    }


def _message(topic: str, values: dict[str, Any], retain: bool = False) -> Message:
    return Message(topic, json.dumps(values, ensure_ascii=False, allow_nan=False).encode(), retain)


def _slug(text: str) -> str:
    """Letters, digits and hyphens, as Home Assistant takes them in topics."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
