"""Behind a reverse proxy: who is calling is what that proxy says, and nothing that callers say of themselves.

A proxy appends the address of its caller to `X-Forwarded-For`, or replaces what was there. Only the last
address is its own word: those before it came with the request. And only a machine nearby is taken for the
proxy: who calls from the internet, past the proxy, is who they are.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_SCHEMES = {"http", "https", "ws", "wss"}


class Forwarded:
    """Middleware: the caller's address and scheme are those that the one proxy in front tells."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _nearby(scope.get("client")):
            headers = Headers(scope=scope)
            address = _address(_last(headers, "x-forwarded-for"))
            if address is not None:
                scope["client"] = (address, 0)
            scheme = _last(headers, "x-forwarded-proto")
            if scheme in _SCHEMES:
                plain = scheme.replace("ws", "http")
                scope["scheme"] = plain.replace("http", "ws") if scope["type"] == "websocket" else plain
        await self._app(scope, receive, send)


def _nearby(client: tuple[str, int] | None) -> bool:
    """Whether a peer may be the proxy: this machine, a container beside it, the same local network."""
    address = None if client is None else _address(client[0])
    return address is None or not ipaddress.ip_address(address).is_global  # None: a local socket


def _last(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()


def _address(text: str) -> str | None:
    """An address without its port; None for what is none."""
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    for candidate in (host, host.partition(":")[0]):
        try:
            return str(ipaddress.ip_address(candidate.partition("%")[0]))
        except ValueError:
            continue
    return None
