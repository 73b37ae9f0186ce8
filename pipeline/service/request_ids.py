"""Every request has an id: in the answer, in problems, in the log. A caller's own plain one is kept."""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{8,64}")  # what may be repeated in headers and logs

_log = logging.getLogger(__name__)


class RequestIds:
    """Middleware: gives ids, and logs one line a request: no query, no names, no credentials."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(HEADER.encode(), b"")
        request_id = given.decode() if _PLAIN.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            took = 1000 * (time.perf_counter() - began)
            _log.info(
                "%s %s %s %s %.0f ms", request_id, scope.get("method", "WS"), _shape(scope), status, took
            )


def _shape(scope: Scope) -> str:
    """The route that was taken, not the path: paths may hold names."""
    route = scope.get("route")
    return str(getattr(route, "path", None) or "-")
