"""Behind a proxy, callers are who the proxy says; nobody becomes somebody else by a header of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.service.access import Bind
from pipeline.service.access.forwarded import Forwarded
from pipeline.service.access.patience import FREE_TRIES


def seen(peer: tuple[str, int] | None, kind: str = "http", **headers: str) -> tuple[Any, str]:
    """The caller and the scheme that the application is told."""
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append((scope["client"] and scope["client"][0], scope["scheme"]))

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scheme = "ws" if kind == "websocket" else "http"
    scope = {"type": kind, "client": peer, "scheme": scheme, "headers": raw}
    asyncio.run(Forwarded(app)(scope, Any, Any))  # type: ignore[arg-type]
    (found,) = told
    return found[0], found[1]


NGINX = ("172.18.0.3", 4711)


@pytest.mark.parametrize(
    ("told", "caller"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("1.1.1.1,192.168.1.9", "192.168.1.9"),
        ("203.0.113.7:5000", "203.0.113.7"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("1.1.1.1, nobody", "172.18.0.3"),
        ("", "172.18.0.3"),
    ],
)
def test_the_last_address_is_the_proxys_own_word(told: str, caller: str) -> None:
    assert seen(NGINX, x_forwarded_for=told)[0] == caller


def test_the_scheme_is_that_between_browser_and_proxy() -> None:
    assert seen(NGINX, x_forwarded_proto="https")[1] == "https"
    assert seen(NGINX, "websocket", x_forwarded_proto="https")[1] == "wss"
    assert seen(NGINX, x_forwarded_proto="gopher")[1] == "http"
    assert seen(None, x_forwarded_for="203.0.113.7", x_forwarded_proto="https") == ("203.0.113.7", "https")


def test_who_calls_past_the_proxy_from_the_internet_is_who_they_are() -> None:
    forged = {"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "https"}
    assert seen(("8.8.8.8", 5000), **forged) == ("8.8.8.8", "http")


def test_wrong_tokens_wait_whatever_their_sender_writes_before_the_proxys_word(
    serve: Callable[..., Any],
) -> None:
    def statuses(running: Any) -> list[int]:
        found = []
        for number in range(FREE_TRIES + 1):
            own = {"authorization": "Bearer wrong", "x-forwarded-for": f"198.51.100.{number}, 203.0.113.7"}
            found.append(running.stranger.get("api/v1/me", headers=own).status_code)
        return found

    behind = serve(bind=Bind(behind_proxy=True))
    assert statuses(behind) == [401] * (FREE_TRIES - 1) + [429, 429]
    other = behind.stranger.get(
        "api/v1/me", headers={"authorization": "Bearer wrong", "x-forwarded-for": "203.0.113.8"}
    )
    assert other.status_code == 401
