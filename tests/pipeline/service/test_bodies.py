"""What callers send: who may not call is told so before it is read, and no more is held than has room."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pipeline.service import bodies
from pipeline.service.access import Role

KB = 1 << 10


class Slow:
    """A caller who sends a request in pieces, over a connection of its own."""

    def __init__(self, url: str, path: str, token: str | None, **headers: str) -> None:
        where = httpx.URL(url)
        self._socket = socket.create_connection((where.host, where.port), timeout=10)
        lines = [f"POST {path} HTTP/1.1", f"host: {where.host}:{where.port}"]
        lines += ["content-type: multipart/form-data; boundary=x"]
        lines += [] if token is None else [f"authorization: Bearer {token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def told(self, within: float = 10) -> str:
        """An answer, which the connection may stay open after."""
        self._socket.settimeout(within)
        found = b""
        while b"\r\n\r\n" not in found:
            found += self._socket.recv(1)
        length = re.search(rb"content-length: ([0-9]+)", found)
        rest = 0 if length is None else int(length[1])
        while rest:
            found += (piece := self._socket.recv(rest))
            rest -= len(piece)
        return found.decode()

    def ended(self) -> bool:
        """Whether the service closes the connection."""
        return self._socket.recv(1) == b""

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def slow(running: Any) -> Iterator[Callable[..., Slow]]:
    """Begins a request whose body is still to be sent."""
    begun: list[Slow] = []

    def begin(path: str, role: Role | None, **headers: str) -> Slow:
        made = Slow(running.url, path, None if role is None else running.tokens[role], **headers)
        begun.append(made)
        return made

    yield begin
    for each in begun:
        each.close()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for 300 kB of requests, and for 200 kB of one caller's."""
    monkeypatch.setattr(bodies, "MOST", 300 * KB)
    monkeypatch.setattr(bodies, "MOST_OF_ONE", 200 * KB)


def identify(client: httpx.Client, size: int) -> httpx.Response:
    return client.post("api/v1/identify", files={"image": ("x.jpg", bytes(size))})


@pytest.mark.parametrize("length", [{"content_length": str(60 << 20)}, {"transfer_encoding": "chunked"}])
@pytest.mark.parametrize(
    ("path", "role", "status", "code"),
    [
        ("/api/v1/people", Role.VIEWER, 403, "forbidden"),
        ("/api/v1/people/7/photos", Role.VIEWER, 403, "forbidden"),
        ("/api/v1/people", None, 401, "login_required"),
        ("/api/v1/identify", None, 401, "login_required"),
        ("/api/v1/nothing", Role.ADMIN, 404, "not_found"),
    ],
)
def test_who_may_not_call_is_told_before_anything_is_sent(
    slow: Any, length: dict[str, str], path: str, role: Role | None, status: int, code: str
) -> None:
    answer = slow(path, role, **length).told()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert f'"code":"{code}"' in answer
    assert "connection: close" in answer


def test_who_asks_whether_to_send_is_told_not_to_and_the_connection_ends(slow: Any) -> None:
    asking = slow("/api/v1/people", Role.VIEWER, content_length=str(60 << 20), expect="100-continue")
    assert asking.told().startswith("HTTP/1.1 403 ")
    assert asking.ended()


def test_who_asks_whether_to_send_and_may_is_told_to(slow: Any) -> None:
    asking = slow("/api/v1/people", Role.ADMIN, content_length="100", expect="100-continue")
    assert asking.told().startswith("HTTP/1.1 100 ")


def test_one_caller_leaves_room_for_others(running: Any, slow: Any, room: None) -> None:
    held = slow("/api/v1/identify", Role.VIEWER, content_length=str(150 * KB))
    held.send(b"x" * 10 * KB)
    until_held(running, 150 * KB)

    refused = identify(running.viewer, 100 * KB)
    other = identify(running.admin, 100 * KB)

    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert (other.status_code, other.json()["code"]) == (422, "unusable_picture")


def test_over_all_callers_no_more_is_held_than_there_is_room_for(running: Any, slow: Any, room: None) -> None:
    for role in Role:
        slow("/api/v1/identify", role, content_length=str(140 * KB)).send(b"x")
    until_held(running, 280 * KB)

    refused = identify(running.client(**bearer(running)), 70 * KB)
    small = identify(running.viewer, 1 * KB)

    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert small.json()["code"] == "unusable_picture"


def test_there_is_room_again_once_a_request_is_answered_or_its_caller_gone(
    running: Any, slow: Any, room: None
) -> None:
    held = slow("/api/v1/identify", Role.VIEWER, content_length=str(150 * KB))
    until_held(running, 150 * KB)
    held.close()
    until_held(running, 0)
    for _ in range(3):
        assert identify(running.viewer, 150 * KB).json()["code"] == "unusable_picture"
    until_held(running, 0)


def test_a_request_that_does_not_say_how_long_it_is_is_counted_as_it_comes(
    running: Any, slow: Any, room: None
) -> None:
    held = slow("/api/v1/identify", Role.VIEWER, transfer_encoding="chunked")
    held.send_chunk(b'--x\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n')
    held.send_chunk(b"x" * 100 * KB)
    until_held(running, 100 * KB)
    held.send_chunk(b"x" * 120 * KB)
    answer = held.told()
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"code":"busy"' in answer
    assert "retry-after" in answer


def test_a_request_longer_than_its_route_takes_is_no_matter_of_room(
    running: Any, slow: Any, room: None
) -> None:
    slow("/api/v1/identify", Role.VIEWER, content_length=str(150 * KB))
    until_held(running, 150 * KB)
    assert (
        slow("/api/v1/identify", Role.VIEWER, content_length=str(1 << 40)).told().startswith("HTTP/1.1 413 ")
    )


def test_a_request_that_does_not_come_is_refused_and_keeps_no_room(
    running: Any, slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.2)
    monkeypatch.setattr(bodies, "SLOWEST", 1 << 30)
    for path in ("/api/v1/identify", "/api/v1/tokens"):
        held = slow(path, Role.ADMIN, content_length=str(150 * KB))
        held.send(b"--x\r\n")
        answer = held.told()
        assert answer.startswith("HTTP/1.1 408 ")
        assert '"code":"too_slow"' in answer
        assert "connection: close" in answer
        held.close()
    until_held(running, 0)


def test_a_request_that_comes_slowly_but_comes_is_waited_for(
    slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.2)
    monkeypatch.setattr(bodies, "SLOWEST", 1)  # each byte earns a second
    held = slow("/api/v1/identify", Role.VIEWER, content_length="10")
    held.send(b"--x")
    with pytest.raises(TimeoutError):
        held.told(within=0.5)
    held.send(b"--\r\n\r\n ")
    assert held.told().startswith("HTTP/1.1 422 ")  # a form without a picture


def bearer(running: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {running.access.create_token('a third', Role.VIEWER).text}"}


def until_held(running: Any, size: int) -> None:
    """Wait until the service holds so many bytes of requests."""
    layer = running.app.middleware_stack
    while not isinstance(layer, bodies.Bodies):
        layer = getattr(layer, "app", None) or layer._app
    until = time.monotonic() + 10
    while not size <= layer._held.total() <= size + KB:
        assert time.monotonic() < until, layer._held
        time.sleep(0.01)
