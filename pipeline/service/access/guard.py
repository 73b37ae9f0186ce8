"""The gate before every route: which Host, which Origin, how often, and who is calling.

It knows callers; what they may do, each route says (`pipeline.service.deps`), and is asked here, before
anything of the request is read.
"""

from __future__ import annotations

import math
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.errors import ServiceError
from pipeline.service.access.access import Access
from pipeline.service.access.patience import address_of
from pipeline.service.access.roles import Caller
from pipeline.service.problems import Problem, from_error

COOKIE = "recog_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # these change nothing


class Guard:
    """Middleware: refuses what no route should see, and says who is calling in `scope["state"]["caller"]`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._check_host(connection)
            self._check_origin(connection)
            scope["state"]["caller"] = caller = await self._caller(connection)
            # Before anything of the request is read. Routes ask again, each for the role that it needs.
            if caller is None and scope["path"].startswith("/api/") and scope["path"] not in _open(scope):
                raise nobody()
            if scope["type"] == "http":  # nothing of a WebSocket is read before its route lets it in
                _doors(scope).check(scope)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        except ServiceError as error:  # who is calling cannot be looked up
            await refuse(from_error(error), scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, connection: HTTPConnection) -> None:
        if not self._access.bind.answers_to(_one(connection, "host")):
            raise Problem(
                421, "wrong_host",
                "the service does not answer to this name; add it with --name, or call it by its address",
                "header.host",
            )  # fmt: skip

    def _check_origin(self, connection: HTTPConnection) -> None:
        scope = connection.scope
        websocket = scope["type"] == "websocket"
        if not websocket and scope["method"] in SAFE:
            return
        origin, host = connection.headers.get("origin"), connection.headers.get("host")
        if origin is None:
            # Every browser sends it with what changes something.
            if COOKIE in connection.cookies and "authorization" not in connection.headers:
                raise Problem(
                    403, "no_origin", "a call with a cookie needs an Origin header; programs use a token",
                    "header.origin",
                )  # fmt: skip
            return
        scheme = str(scope["scheme"]).replace("ws", "http")  # of WebSockets: ws, wss
        if not self._access.bind.is_own(origin, host or "", scheme):
            raise Problem(403, "foreign_origin", "a page of another origin cannot call this", "header.origin")

    async def _caller(self, connection: HTTPConnection) -> Caller | None:
        """Who is calling; None for nobody known. Raises Problem for a wrong token, and for too many calls."""
        access, address = self._access, address_of(connection.scope.get("client"))
        token = _bearer(connection)
        if token is not None:
            _wait_for(access.strangers.wait(address) if access.failures.wait(address) else 0.0)
            caller = await run_in_threadpool(access.by_token, token)
            if caller is None:
                access.failures.failed(address)
                _wait_for(access.failures.wait(address))
                raise Problem(
                    401, "wrong_token", "the token is wrong, or was revoked", "header.authorization",
                    {"www-authenticate": "Bearer"},
                )  # fmt: skip
        else:
            cookie = connection.cookies.get(COOKIE)
            caller = None if cookie is None else await run_in_threadpool(access.by_session, cookie)
        if caller is None:
            _wait_for(access.strangers.wait(address))
        else:
            _wait_for(access.calls.wait(caller.id))
        return caller


def nobody() -> Problem:
    """Whoever is calling has to log in."""
    return Problem(
        401, "login_required", "log in first, or send a token", headers={"www-authenticate": "Bearer"}
    )


def too_many(seconds: float) -> Problem:
    """Who calls too often waits."""
    wait = math.ceil(seconds)
    return Problem(
        429, "too_many_requests", f"too many calls; try again in {wait} s", headers={"retry-after": str(wait)}
    )


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem, also to what would have become a WebSocket."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": problem.code})
        return
    await problem.answer(scope["state"]["request_id"])(scope, receive, send)


class Doors(Protocol):
    """What the routes need: `pipeline.service.deps.Doors`."""

    def check(self, scope: Scope) -> None:
        """Raises Problem where the caller may not call the route of a request."""
        ...


def _doors(scope: Scope) -> Doors:
    found: Doors = scope["app"].state.doors
    return found


def _open(scope: Scope) -> frozenset[str]:
    found: frozenset[str] = scope["app"].state.open
    return found


def _wait_for(seconds: float) -> None:
    if seconds > 0:
        raise too_many(seconds)


def _one(connection: HTTPConnection, header: str) -> str | None:
    """A header that must be there once."""
    found = connection.headers.getlist(header)
    return found[0] if len(found) == 1 else None


def _bearer(connection: HTTPConnection) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else None
