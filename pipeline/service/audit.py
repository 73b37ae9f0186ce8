"""Who changed what: every call that changes something and succeeds is written down, by ids, not names."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import ServiceError
from pipeline.service.access import Role
from pipeline.service.access.guard import SAFE
from pipeline.service.deps import needs_of
from pipeline.service.ids import new_id, now
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
MOST = 100_000  # entries that are kept
_ALSO = frozenset({"log_in", "log_out"})  # which change something, though whoever comes may call them


@dataclass(frozen=True, slots=True)
class Entry:
    """A change."""

    id: str
    at: str
    caller: str
    kind: str
    action: str
    details: dict[str, Any]


def record(store: Store, caller: str, kind: str, action: str, details: Mapping[str, Any]) -> None:
    """Write a change down.

    Args:
        caller: what the token is called.
        kind: session, token, command.
        details: ids, never names of people.
    """
    with store.writing() as db:
        db.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)",
            (new_id(), now(), caller, kind, action, json.dumps(details)),
        )
        db.execute(
            """DELETE FROM audit WHERE id <
            (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?)""",
            (MOST,),
        )


def newest(store: Store, most: int, before: str | None) -> list[Entry]:
    """The newest changes, or those before one with an id."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT * FROM audit WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2", (before, most)
        ).fetchall()
    return [_entry(row) for row in rows]


def audited(app: FastAPI) -> dict[Callable[..., Any], str]:
    """The routes that change something, by what answers them: what each is called."""
    found: dict[Callable[..., Any], str] = {}
    for route in iter_route_contexts(app.routes):
        name, methods = getattr(route, "operation_id", None), route.methods or set()
        roles = {each.role for each in needs_of(route)}
        changes = Role.ADMIN in roles and not methods <= SAFE
        if name is not None and route.endpoint is not None and (changes or name in _ALSO):
            found[route.endpoint] = name
    return found


class Audit:
    """Middleware: writes down what succeeded, before the caller hears of it."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await self._write(scope, message)
            await send(message)

        await self._app(scope, receive, sending)

    async def _write(self, scope: Scope, message: Message) -> None:
        names: dict[Any, str] = scope["app"].state.audited
        action = names.get(scope.get("endpoint"))
        if action is None:
            return
        caller = scope["state"]["caller"]
        details = {**scope.get("path_params", {}), **scope["state"].get("audit", {})}
        for name, value in message["headers"]:
            if name == b"location" and value.startswith(b"/api/"):
                details["made"] = value.decode("latin-1")
        told = ("somebody new", "key") if caller is None else (caller.name, caller.kind)
        try:
            await run_in_threadpool(record, self._store, told[0], told[1], action, details)
        except ServiceError as error:  # it is done already: better told in the log than not at all
            _log.error("%s by %s is missing in the audit log: %s", action, told[0], error)


def _entry(row: sqlite3.Row) -> Entry:
    number, at, caller, kind, action, details = tuple(row)
    return Entry(number, at, caller, kind, action, json.loads(details))
