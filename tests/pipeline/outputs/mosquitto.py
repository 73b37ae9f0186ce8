"""A real MQTT broker for tests, and a client that listens at it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.pipeline.ports import free_port


def wait_until(condition: Callable[[], object], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


class Mosquitto:
    """Debian's broker. It keeps nothing on disk: after `kill` it has forgotten everything."""

    def __init__(self, folder: Path, *logins: tuple[str, str], settings: Sequence[str] = ()) -> None:
        """
        Args:
            logins: names and passwords; anybody is let in if there are none.
            settings: further lines of its configuration.
        """
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if found is None:
            pytest.skip("needs mosquitto: apt-get install mosquitto")
        self._program, self._config = found, folder / "mosquitto.conf"
        self.port, self._said = free_port(), folder / "mosquitto.log"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root"]
        lines.append("allow_anonymous false" if logins else "allow_anonymous true")
        if logins:
            passwords = folder / "passwords"
            passwords.write_text("".join(f"{name}:{password}\n" for name, password in logins))
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
            lines.append(f"password_file {passwords}")
        self._config.write_text("\n".join([*lines, *settings]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        with self._said.open("wb") as said:
            process = subprocess.Popen([self._program, "-c", self._config], stdout=said, stderr=said)
        self._process = process
        wait_until(lambda: process.poll() is not None or self._answers())
        assert process.poll() is None, f"the broker ended: {self._said.read_text()}"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with contextlib.closing(socket.socket()) as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """What Home Assistant is to a broker: it hears everything below some topics, and comes back by itself.

    Attributes:
        heard: topics and payloads, in order; `retained` those that the broker had kept.
    """

    def __init__(self, broker: Mosquitto, *topics: str, login: tuple[str, str] | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self._topics, self._ready = topics, False
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe([(topic, 1) for topic in self._topics])
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", broker.port, 30)
        self._client.loop_start()
        wait_until(lambda: self._ready)

    def _subscribed(self, *_: Any) -> None:
        self._ready = True

    def _hear(self, client: Any, data: Any, message: Any) -> None:
        if message.retain:
            self.retained[message.topic] = message.payload
        else:
            self.heard.append((message.topic, message.payload))

    def of(self, end: str) -> list[bytes]:
        """Payloads of the topics that end so."""
        return [payload for topic, payload in self.heard if topic.endswith(end)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
