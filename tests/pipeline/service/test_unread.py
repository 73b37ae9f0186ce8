"""An answer that comes before the request has: it is heard, and then the connection ends."""

from __future__ import annotations

import socket
import time
from typing import Any

import httpx
import pytest

from pipeline.service import unread


def test_who_sends_all_before_listening_hears_the_answer(running: Any) -> None:
    photos = {"photos": ("x.jpg", bytes(8 << 20))}
    for client, status in ((running.viewer, 403), (running.stranger, 401)):
        for _ in range(3):
            answer = client.post("api/v1/people", data={"name": "Rosa"}, files=photos)
            assert answer.status_code == status
            assert answer.headers["connection"] == "close"


def test_who_never_ends_sending_is_hung_up_on(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "LINGER", 0.3)

    where = httpx.URL(running.url)
    begun = time.monotonic()
    with socket.create_connection((where.host, where.port), timeout=10) as caller:
        caller.sendall(
            b"POST /api/v1/people HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        with pytest.raises(OSError, match=r"reset|pipe"):
            send_for_ever(caller)
    assert 0.3 < time.monotonic() - begun < 10


def send_for_ever(caller: socket.socket) -> None:
    while True:
        time.sleep(0.01)
        caller.sendall(b"3e8\r\n" + bytes(1000) + b"\r\n")


def test_a_small_request_that_nobody_reads_keeps_the_connection(running: Any) -> None:
    answer = running.viewer.post("api/v1/people", json={"name": "Rosa"})
    assert answer.status_code == 403
    assert "connection" not in answer.headers
