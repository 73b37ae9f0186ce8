"""Creating calls that are sent again, as nobody knows whether the first came through, create nothing twice.

A client gives such a call a key of its own choice (`Idempotency-Key`); with the same key it gets the same
answer for a day. Of a form with files only its length is compared: programs divide forms in another way each
time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import ServiceError
from pipeline.service.access.guard import refuse
from pipeline.service.access.roles import Caller
from pipeline.service.ids import now, utc
from pipeline.service.problems import Problem, from_error
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
HOURS = 24  # for which answers are kept
MOST_BYTES = 256 << 10  # of an answer that is kept
MOST_READ = 1 << 20  # of a request that is compared by its content
_KEY = re.compile(r"[!-~]{1,200}")
# What only asks, and what answers with a secret, which is kept nowhere.
_NEVER = frozenset({"identify", "verify", "login", "logout", "tokens", "search"})


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def takes_keys(path: str) -> bool:
    """Whether a POST there may be sent with a key."""
    return path.rpartition("/")[2] not in _NEVER


class Answers:
    """The answers that are kept. Any thread may use it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._crossed: set[tuple[str, str]] = set()  # being made while answers were forgotten

    def claim(self, caller: str, key: str, request: bytes) -> Kept | Literal["busy", "other"] | None:
        """The answer that this call got; None where it is the first, and now this one's to make."""
        old = utc(datetime.now(UTC) - timedelta(hours=HOURS))
        with self._store.writing() as db:
            db.execute("DELETE FROM idempotency WHERE at < ?", (old,))
            row = db.execute(
                "SELECT request, status, headers, body FROM idempotency WHERE caller = ? AND key = ?",
                (caller, key),
            ).fetchone()
            if row is None:
                db.execute(
                    "INSERT INTO idempotency (caller, key, at, request) VALUES (?, ?, ?, ?)",
                    (caller, key, now(), request),
                )
                return None
        if row[0] != request:
            return "other"
        return "busy" if row[1] is None else _kept(row)

    def keep(self, caller: str, key: str, answer: Kept) -> None:
        """Keep an answer."""
        headers = json.dumps(
            [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers]
        )
        with self._store.writing() as db:
            if (caller, key) in self._crossed:  # it may name somebody who was removed meanwhile
                self._drop(db, caller, key)
                return
            db.execute(
                "UPDATE idempotency SET status = ?, headers = ?, body = ? WHERE caller = ? AND key = ?",
                (answer.status, headers, answer.body, caller, key),
            )

    def let_go(self, caller: str, key: str) -> None:
        """The call came to nothing: it may be made again."""
        with self._store.writing() as db:
            self._drop(db, caller, key)

    def forget(self, unfinished: bool = False) -> None:
        """Forget all answers, which may name people; or what an earlier process has not finished."""
        with self._store.writing() as db:
            if unfinished:
                db.execute("DELETE FROM idempotency WHERE status IS NULL")
                return
            db.execute("DELETE FROM idempotency WHERE status IS NOT NULL")
            # Who sends such a call again still hears that it is being made; its answer will not be kept.
            now_made = db.execute("SELECT caller, key FROM idempotency").fetchall()
            self._crossed.update((row[0], row[1]) for row in now_made)

    def _drop(self, db: sqlite3.Connection, caller: str, key: str) -> None:
        db.execute("DELETE FROM idempotency WHERE caller = ? AND key = ? AND status IS NULL", (caller, key))
        self._crossed.discard((caller, key))


class Idempotency:
    """Middleware: answers a call that was made before as it was answered then."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app, self._answers = app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get("state", {}).get("caller")
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        key = None if headers is None else headers.get("idempotency-key")
        if (
            key is None
            or headers is None
            or caller is None
            or scope["method"] != "POST"
            or not takes_keys(scope["path"])
        ):
            await self._app(scope, receive, send)
            return
        try:
            if not _KEY.fullmatch(key):
                raise Problem(
                    422, "bad_key", "an Idempotency-Key has 1 to 200 characters of ASCII, without spaces",
                    "header.idempotency-key",
                )  # fmt: skip
            request, receive = await _digest(scope, headers, receive)
            found = await run_in_threadpool(self._answers.claim, caller.id, key, request)
            if found == "other":
                raise Problem(
                    422,
                    "key_reused",
                    "this Idempotency-Key was used for another call",
                    "header.idempotency-key",
                )
            if found == "busy":
                raise Problem(
                    409, "in_progress", "the call with this key is still being made; try again",
                    "header.idempotency-key", {"retry-after": "1"},
                )  # fmt: skip
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        except ServiceError as error:  # nothing is begun that could not be told from its repetition
            await refuse(from_error(error), scope, receive, send)
            return
        if isinstance(found, Kept):
            again = [*found.headers, (b"idempotency-replayed", b"true")]
            await send({"type": "http.response.start", "status": found.status, "headers": again})
            await send({"type": "http.response.body", "body": found.body})
            return
        await self._make(caller.id, key, scope, receive, send)

    async def _make(self, caller: str, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()
        kept = False

        async def sending(message: Message) -> None:
            nonlocal kept
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body" and start.get("status", 500) < 300:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False) and len(body) <= MOST_BYTES:
                    answer = Kept(start["status"], list(start["headers"]), bytes(body))
                    try:
                        await run_in_threadpool(self._answers.keep, caller, key, answer)
                        kept = True
                    except ServiceError as error:  # it is done: better answered than not
                        _log.error("an answer cannot be kept for its key: %s", error)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            if not kept:
                with suppress(ServiceError):
                    await run_in_threadpool(self._answers.let_go, caller, key)


async def _digest(scope: Scope, headers: Headers, receive: Receive) -> tuple[bytes, Receive]:
    """What tells a call from others, and what is left to be received."""
    found = hashlib.sha256(f"{scope['path']}?".encode() + scope["query_string"])
    kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind.startswith("multipart/"):
        length = headers.get("content-length")
        if length is None:
            raise Problem(
                411, "length_required", "a form with an Idempotency-Key has to say how long it is",
                "header.content-length",
            )  # fmt: skip
        found.update(f"{kind} {length}".encode())
        return found.digest(), receive
    taken: list[Message] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "bad_request", "the caller has hung up")  # which nobody reads
        taken.append(message)
        more = message.get("more_body", False)
        size += len(message.get("body", b""))
        if size > MOST_READ:
            raise Problem(413, "too_large", f"a call with a key has at most {MOST_READ >> 20} MB")
        found.update(message.get("body", b""))
    waiting = iter(taken)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return found.digest(), again


def _kept(row: sqlite3.Row) -> Kept:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in json.loads(row[2])]
    return Kept(row[1], headers, row[3])
