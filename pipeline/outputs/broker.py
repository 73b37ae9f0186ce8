"""An MQTT broker: where it is, who logs in there, and messages that reach it although it comes and goes.

Speaks MQTT 5, whose acknowledgement also says when nobody listens. Two kinds of message:

- Events are delivered in order, once somebody has heard them: while the broker is away, or nobody listens
  (Home Assistant restarts), they wait in a queue that holds `CAPACITY`, of which the oldest are dropped and
  counted.
- Of a state, only the newest counts. One that the broker keeps (`retain`) is told again once it is back.

An event may arrive twice when the connection was lost in between (its `id` tells). Nothing is lost in
silence.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import SinkError
from pipeline.sources.streams import shown_address
from pipeline.words import counted

CAPACITY = 1024  # events that wait at most
PASSWORD = "RECOG_MQTT_PASSWORD"  # noqa: S105 (the name of the variable)
PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEP_ALIVE = 30  # seconds; after one and a half times that, the broker takes us for gone
FIRST_PAUSE, LONGEST_PAUSE = 1, 30  # seconds between attempts to connect; doubled each time
UNHEARD_PAUSE = 2.0  # seconds after which an event that nobody heard is sent again
TIMEOUT = 5.0  # seconds to connect
BRIEF, OFTEN = 5.0, 3  # connections in a row of so few seconds: somebody else uses the same name
LINGER = 5.0  # seconds after the run in which what still waits may be delivered
LAST = 2.0  # seconds after those, to say goodbye
_UNHEARD, _FAILURE, _TAKEN_OVER = 0x10, 0x80, 0x8E  # reason codes of MQTT 5


@dataclass(frozen=True, slots=True)
class Address:
    """A broker, and how to log in there."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None = field(repr=False)
    shown: str  # without the login


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish."""

    topic: str
    payload: bytes
    retain: bool = False


def address_of(url: str, password_file: Path | None = None) -> Address:
    """The broker at `mqtt://user@host:port` or `mqtts://...` (TLS).

    The password is the one in the address, else in the file, else in the variable `RECOG_MQTT_PASSWORD`.

    Raises:
        SinkError: it is no such address, or the file cannot be read. The text holds no secret.
    """
    shown = shown_address(url) if "://" in url else url.rpartition("@")[2]
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urllib.parse.urlsplit(""), None, None
    blank = any(each.isspace() or not each.isprintable() for each in url)
    if (
        parts.scheme not in PORTS
        or not host
        or port == 0
        or blank
        or parts.path not in ("", "/")
        or parts.query
    ):
        raise SinkError(f"--mqtt {shown}: give an address such as mqtt://user@host or mqtts://user@host:8883")
    user, password = parts.username, parts.password
    if password is not None:
        password = urllib.parse.unquote(password)
    elif password_file is not None:
        password = _read(password_file)
    else:
        password = os.environ.get(PASSWORD) or None
    if password is not None and not user:
        if parts.password is not None or password_file is not None:
            raise SinkError(f"--mqtt {shown}: there is a password and no user; write mqtt://user@{host}")
        password = None  # the variable may be there for something else
    return Address(
        host,
        port or PORTS[parts.scheme],
        parts.scheme == "mqtts",
        urllib.parse.unquote(user) if user else None,
        password,
        shown,
    )


def _read(file: Path) -> str:
    try:
        return file.expanduser().read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise SinkError(f"mqtt.password_file {file}: cannot be read ({why})") from error


class Broker:
    """Delivers messages from threads of its own; whoever sends never waits.

    Attributes:
        delivered, dropped, rejected: how many events somebody has heard; were never heard; were refused for
            good by the broker.
    """

    def __init__(
        self,
        address: Address,
        client: str,
        will: Message,
        report: Callable[[str], None],
        *,
        capacity: int = CAPACITY,
        linger: float = LINGER,
        unheard_pause: float = UNHEARD_PAUSE,
    ) -> None:
        """Begin to connect.

        Args:
            client: a name that no other client of the broker has.
            will: what the broker publishes when this client is lost.
            report: called, from any thread, with one line when deliveries begin to fail and work again.
        """
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.delivered = self.dropped = self.rejected = 0
        self._report, self._name = report, address.shown
        self._capacity, self._linger, self._unheard_pause = capacity, linger, unheard_pause
        self._waiting: deque[Message] = deque()
        self._states: dict[str, Message] = {}
        self._told: dict[str, Message] = {}  # what the broker has of them
        self._answers: dict[int, int] = {}  # reason codes by number of the message
        self._last: list[Message] = []  # what is said when all else is
        self._changed = threading.Condition()
        self._connected = self._broken = False
        self._deadline: float | None = None  # set by `close`
        self._since, self._brief = 0.0, 0  # when it was connected, and how often that was soon over
        self._hold = 0.0  # before that, no event is sent: nobody listens
        self._trouble = ""  # what does not work, as far as the user knows
        self._told_of = 0  # how many dropped events the user knows of
        self._client = Client(CallbackAPIVersion.VERSION2, client, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.username_pw_set(address.user, address.password)
        self._client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._client.connect_timeout = TIMEOUT
        self._client.reconnect_delay_set(FIRST_PAUSE, LONGEST_PAUSE)
        if address.tls:
            self._client.tls_set()
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.connect_async(address.host, address.port, KEEP_ALIVE)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._work, name="recog mqtt", daemon=True)
        self._thread.start()

    def send(self, event: Message) -> None:
        """Queue an event. Returns at once."""
        with self._changed:
            if self._broken or self._deadline is not None:
                self.dropped += 1
                return
            begins = len(self._waiting) >= self._capacity and self.dropped == self._told_of
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(event)
            self._changed.notify_all()
        if begins:
            self._report(f"{self._name}: {self._capacity} events wait, the oldest are dropped from now on")

    def state(self, message: Message) -> None:
        """Have the newest of a topic told. Returns at once."""
        with self._changed:
            if self._states.get(message.topic) != message:
                self._states[message.topic] = message
                self._changed.notify_all()

    def close(self, last: Sequence[Message] = ()) -> str | None:
        """Deliver what still waits, for some seconds, and hang up; the rest is dropped. May be called again.

        Args:
            last: states to end with.

        Returns:
            what was lost, in one line, if anything was.
        """
        with self._changed:
            if self._deadline is None:
                self._deadline = time.monotonic() + self._linger
                self._last = list(last)
            self._changed.notify_all()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        if not self.dropped and not self.rejected:
            return None
        counts = f"{self.delivered} delivered, {self.dropped} dropped, {self.rejected} rejected"
        return f"{self._name}: of the sightings, {counts}"

    def _work(self) -> None:
        try:
            while (message := self._next()) is not None:
                self._deliver(*message)
        except BaseException:
            with self._changed:  # a defect of ours: nothing more will be sent, and that is said
                self._broken = True
                self.dropped += len(self._waiting)
                self._waiting.clear()
            self._report(f"{self._name}: stopped by an error in recog; no more events are sent")
            raise

    def _next(self) -> tuple[Message, bool] | None:
        """What to publish now, and whether it is an event; None when there will be nothing more."""
        with self._changed:
            while True:
                now = time.monotonic()
                ending = self._deadline is not None
                late = self._deadline is not None and now >= self._deadline
                if self._connected and (news := self._news()) is not None:
                    return news, False
                if self._connected and self._waiting and not late and now >= self._hold:
                    return self._waiting.popleft(), True
                if ending and (late or not self._waiting):
                    if not self._last or not self._connected:
                        return None
                    self._states |= {each.topic: each for each in self._last}
                    self._last = []
                    continue
                wakes = [self._hold - now] if self._connected and self._waiting else []
                wakes += [self._deadline - now] if self._deadline is not None else []
                self._changed.wait(max(0.0, min(wakes)) if wakes else None)

    def _news(self) -> Message | None:
        """A state that the broker does not have yet."""
        return next((each for topic, each in self._states.items() if self._told.get(topic) != each), None)

    def _deliver(self, message: Message, is_event: bool) -> None:
        """Publish, and wait for the answer for as long as it takes; the connection may be lost meanwhile."""
        number = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain).mid
        with self._changed:
            while number not in self._answers:
                end = None if self._deadline is None else self._deadline + LAST
                if end is not None and time.monotonic() >= end:
                    self.dropped += is_event  # it may have arrived all the same; nobody knows
                    return
                self._changed.wait(None if end is None else end - time.monotonic())
            answer = self._answers.pop(number)
            if not is_event:
                self._told[message.topic] = message
                if answer < _FAILURE:
                    return
            elif answer == _UNHEARD:
                self._waiting.appendleft(message)
                self._hold = time.monotonic() + self._unheard_pause
            elif answer >= _FAILURE:
                self.rejected += 1
            else:
                self.delivered += 1
        if answer >= _FAILURE:
            self._tell(
                f"rejects what is sent to {message.topic} (reason {answer:#x}); may this user write there?"
            )
        elif answer == _UNHEARD:
            self._tell(f"nobody listens to {message.topic} yet; events wait")
        else:
            self._works()

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._tell(f"refuses recog ({reason}); check the user and the password ({PASSWORD})")
            return
        with self._changed:
            self._connected, self._since = True, time.monotonic()
            self._hold = 0.0
            # A broker that was restarted may have forgotten what it was to keep.
            self._told = {topic: each for topic, each in self._told.items() if not each.retain}
            self._changed.notify_all()
        self._works()

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        error = sys.exception()  # paho calls this while it handles one
        why = getattr(error, "strerror", None) or str(error or "no answer")
        self._tell(f"cannot be reached ({why}); trying again")

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            brief = self._connected and time.monotonic() - self._since < BRIEF
            self._brief = self._brief + 1 if brief else 0
            self._connected = False
            ending = self._deadline is not None
            self._changed.notify_all()
        # A broker hangs up on whoever had the name before. Not every one says that this is why.
        rival = reason.value == _TAKEN_OVER or self._brief >= OFTEN
        client.reconnect_delay_set(LONGEST_PAUSE if rival else FIRST_PAUSE, LONGEST_PAUSE)
        if rival:  # at once, the two would take turns
            self._tell(
                "hangs up: does another recog tell of this camera? Give each machine its own mqtt.node"
            )
        elif not ending:
            self._tell(f"is lost ({reason}); trying again")

    def _on_publish(self, client: Any, data: Any, number: int, reason: Any, properties: Any) -> None:
        with self._changed:
            self._answers[number] = reason.value
            self._changed.notify_all()

    def _tell(self, trouble: str) -> None:
        if not self._trouble:
            self._trouble = trouble
            self._report(
                f"{self._name} {trouble}" if not trouble.startswith("nobody") else f"{self._name}: {trouble}"
            )

    def _works(self) -> None:
        with self._changed:
            trouble, self._trouble = self._trouble, ""
            lost, self._told_of = self.dropped - self._told_of, self.dropped
        if trouble:
            dropped = f"{counted(lost, 'event')} {'was' if lost == 1 else 'were'} dropped"
            meanwhile = f"; {dropped} meanwhile" if lost else ""
            self._report(f"{self._name} takes events again{meanwhile}")
