"""Events reach whoever listens at a real broker that is killed and comes back; no password is ever shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import SinkError
from pipeline.outputs.broker import PASSWORD, Broker, Message, address_of

from .mosquitto import Listener, Mosquitto, wait_until

WILL = Message("recog/availability", b"offline", retain=True)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    yield made
    made.kill()


def event(number: int) -> Message:
    return Message("recog/sighting", str(number).encode())


def numbers(listener: Listener) -> list[int]:
    return [int(payload) for payload in listener.of("sighting")]


def test_events_arrive_in_order(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto, "recog/#") as listener:
        broker = Broker(address_of(mosquitto.url), "recog", WILL, print)
        for number in range(50):
            broker.send(event(number))
        assert broker.close() is None
        wait_until(lambda: len(numbers(listener)) == 50)
    assert numbers(listener) == list(range(50))
    assert broker.delivered == 50


def test_no_event_is_lost_while_the_broker_is_killed_and_away(mosquitto: Mosquitto) -> None:
    lines: list[str] = []
    with Listener(mosquitto, "recog/#") as listener:
        broker = Broker(address_of(mosquitto.url), "recog", WILL, lines.append, unheard_pause=0.2)
        for number in range(10):
            broker.send(event(number))
        wait_until(lambda: broker.delivered == 10)
        # The broker acknowledges before it passes on, and what it has acknowledged dies with it.
        wait_until(lambda: len(numbers(listener)) == 10)
        mosquitto.kill()
        wait_until(lambda: lines)
        for number in range(10, 30):
            broker.send(event(number))
        time.sleep(2)
        assert broker.delivered == 10
        mosquitto.start()
        wait_until(lambda: len(set(numbers(listener))) == 30)
        assert broker.close() is None
    assert list(dict.fromkeys(numbers(listener))) == list(range(30))
    assert " is lost (" in lines[0]
    assert lines[1].endswith("takes events again")


def test_what_nobody_listens_to_waits_until_somebody_does(mosquitto: Mosquitto) -> None:
    """As while Home Assistant restarts: the broker would take the event, and throw it away."""
    lines: list[str] = []
    broker = Broker(address_of(mosquitto.url), "recog", WILL, lines.append, unheard_pause=0.1)
    broker.send(event(1))
    wait_until(lambda: lines)
    broker.send(event(2))
    assert "nobody listens" in lines[0]
    with Listener(mosquitto, "recog/sighting") as listener:
        wait_until(lambda: broker.delivered == 2)
        assert broker.close() is None
        wait_until(lambda: numbers(listener) == [1, 2])


def test_a_broker_that_is_not_there_yet_gets_everything_once_it_is(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    lines: list[str] = []
    broker = Broker(address_of(mosquitto.url), "recog", WILL, lines.append, unheard_pause=0.1)
    broker.send(event(1))
    wait_until(lambda: lines)
    assert lines[0] == f"{mosquitto.url} cannot be reached (Connection refused); trying again"
    mosquitto.start()
    with Listener(mosquitto, "recog/#") as listener:
        wait_until(lambda: numbers(listener) == [1])
        broker.close()


def test_a_full_queue_drops_the_oldest_counts_them_and_never_blocks(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    lines: list[str] = []
    broker = Broker(address_of(mosquitto.url), "recog", WILL, lines.append, capacity=4, linger=30)
    for number in range(100):  # nobody takes them: who waited would wait for ever
        broker.send(event(number))
    mosquitto.start()
    with Listener(mosquitto, "recog/#") as listener:
        lost = broker.close()
        wait_until(lambda: numbers(listener) == [96, 97, 98, 99])
    assert lost == f"{mosquitto.url}: of the sightings, 4 delivered, 96 dropped, 0 rejected"
    assert any("4 events wait, the oldest are dropped" in line for line in lines)


def test_the_newest_state_is_told_again_to_a_broker_that_forgot(mosquitto: Mosquitto) -> None:
    broker = Broker(address_of(mosquitto.url), "recog", WILL, lambda line: None)
    for word in (b"nobody", b"Ada"):
        broker.state(Message("recog/people", word, retain=True))
    with Listener(mosquitto, "recog/#") as listener:
        wait_until(lambda: listener.retained | dict(listener.heard) == {"recog/people": b"Ada"})
    mosquitto.kill()
    mosquitto.start()
    with Listener(mosquitto, "recog/#") as listener:
        wait_until(lambda: listener.retained | dict(listener.heard) == {"recog/people": b"Ada"})
        broker.close([WILL])
        wait_until(lambda: ("recog/availability", b"offline") in listener.heard)


def test_the_will_is_told_when_the_process_is_gone(mosquitto: Mosquitto) -> None:
    broker = Broker(address_of(mosquitto.url), "recog", WILL, lambda line: None)
    broker.state(Message(WILL.topic, b"online", retain=True))
    with Listener(mosquitto, "recog/#") as listener:
        wait_until(lambda: listener.retained | dict(listener.heard) == {WILL.topic: b"online"})
        broker._client._sock_close()  # as the kernel does to a process that is killed
        wait_until(lambda: ("recog/availability", b"offline") in listener.heard)
        broker.close()


def test_two_of_one_name_do_not_take_turns(mosquitto: Mosquitto) -> None:
    lines: list[str] = []
    first = Broker(address_of(mosquitto.url), "recog", WILL, lines.append)
    first.state(Message("recog/people", b"first", retain=True))
    with Listener(mosquitto, "recog/#") as listener:
        wait_until(lambda: listener.retained | dict(listener.heard))
    second = Broker(address_of(mosquitto.url), "recog", WILL, lines.append)
    wait_until(lambda: any("mqtt.node" in line for line in lines))
    told = len(lines)
    time.sleep(3)
    assert len(lines) <= told + 1
    second.close()
    first.close()


def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mosquitto = Mosquitto(tmp_path, ("ada", "right-secret"))
    try:
        url = mosquitto.url.replace("//", "//ada@")
        monkeypatch.setenv(PASSWORD, "wrong-secret")
        lines: list[str] = []
        broker = Broker(address_of(url), "recog", WILL, lines.append, linger=0)
        wait_until(lambda: lines)
        broker.close()
        assert "refuses recog (Not authorized)" in lines[0]
        assert "secret" not in str(lines) + repr(address_of(url))
        monkeypatch.setenv(PASSWORD, "right-secret")
        with Listener(mosquitto, "recog/#", login=("ada", "right-secret")) as listener:
            broker = Broker(address_of(url), "recog", WILL, print)
            broker.send(event(1))
            wait_until(lambda: numbers(listener) == [1])
            broker.close()
    finally:
        mosquitto.kill()


def test_the_password_comes_from_the_address_the_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "of the environment")
    kept = tmp_path / "password"
    kept.write_text("of the file\n")
    assert address_of("mqtt://ada:p%40ss@host", kept).password == "p@ss"
    assert address_of("mqtt://ada@host", kept).password == "of the file"
    assert address_of("mqtt://ada@host").password == "of the environment"
    assert address_of("mqtt://host").password is None
    known = address_of("mqtts://a%20da@host")
    assert (known.user, known.host, known.port, known.tls) == ("a da", "host", 8883, True)


@pytest.mark.parametrize(
    "url",
    [
        "host",
        "http://host",
        "mqtt://",
        "mqtt://h:99999",
        "mqtt://h:0",
        "mqtt://h/topic",
        "mqtt://h?x=1",
        "mqtt://a b",
    ],
)
def test_what_is_no_broker_is_refused(url: str) -> None:
    with pytest.raises(SinkError, match="give an address such as mqtt://user@host"):
        address_of(url)


def test_refusals_show_no_password(tmp_path: Path) -> None:
    for url in (
        "http://ada:secret@host",
        "ada:secret@host",
        "mqtt://ada:se/cret@host",
        "mqtt://:secret@host",
    ):
        with pytest.raises(SinkError) as refused:
            address_of(url)
        assert "secret" not in str(refused.value).replace("user", "")
        assert "cret" not in str(refused.value)
    with pytest.raises(SinkError, match=r"mqtt\.password_file .* cannot be read"):
        address_of("mqtt://ada@host", tmp_path / "missing")
