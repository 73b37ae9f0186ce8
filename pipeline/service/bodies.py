"""How much of what callers send is held at once, and for how long a request may keep others waiting.

Pictures of faces are kept in memory and in no temporary folder, so what is on its way in is limited over all
callers. It is counted as it comes, for a request need not say how long it is.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from starlette.datastructures import Headers
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service.problems import Problem
from pipeline.service.uploads import MOST_TOTAL

MOST = 3 * MOST_TOTAL  # bytes that are held of all requests together
MOST_OF_ONE = 2 * MOST_TOTAL  # of one caller, or of all who are not logged in: room is left for others
SMALL = 64 << 10  # not counted: the server itself holds as much of every connection
PATIENCE = 30.0  # seconds that are waited for a request to come
SLOWEST = 32 << 10  # bytes that earn a second more
_LATER = 5  # seconds after which there may be room again


class Bodies:
    """Middleware: takes no more of requests than there is room for, and waits for none without end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held: Counter[str] = Counter()  # by caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not has_body(scope):
            await self._app(scope, receive, send)
            return
        caller = scope["state"]["caller"]
        body = _Body(self._held, "" if caller is None else caller.id, scope, receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            body.release()
        if body.refused is not None:
            await body.refused.answer(scope["state"]["request_id"])(scope, receive, send)


class _Body:
    """One request's."""

    def __init__(self, held: Counter[str], caller: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._held, self._caller, self._scope = held, caller, scope
        self._receive, self._send = receive, send
        self._size = self._room = 0
        self._waited = 0.0
        self._whole = False
        self.refused: Problem | None = None

    async def receive(self) -> Message:
        """What comes next. When it is refused, the application is told that the caller has hung up."""
        if self._whole:
            return await self._receive()
        if self.refused is None and self._size == 0:
            self.refused = self._take(self._said())  # before anything is sent in vain
        if self.refused is not None:
            return {"type": "http.disconnect"}
        begun = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE + self._size / SLOWEST - self._waited):
                message = await self._receive()
        except TimeoutError:
            self.refused = Problem(
                408, "too_slow", "the request did not come in time; send it again, or fewer pictures at once"
            )
            return {"type": "http.disconnect"}
        self._waited += time.monotonic() - begun
        if message["type"] != "http.request":
            return message
        self._size += len(message.get("body", b""))
        self.refused = self._take(self._size)
        if self.refused is not None:
            return {"type": "http.disconnect"}
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """The application's answer, but for one to a request that was refused meanwhile."""
        if self.refused is None:
            await self._send(message)

    def release(self) -> None:
        """Nothing of it is held any more."""
        self._held[self._caller] -= self._room
        if not self._held[self._caller]:
            del self._held[self._caller]
        self._room = 0

    def _said(self) -> int:
        """How long it says that it is; 0 where that is more than its route takes, which is refused anyway."""
        said = int(Headers(scope=self._scope).get("content-length", "0"))
        return said if said <= self._scope.get(MAX_BODY_SIZE_SCOPE_KEY, MOST_TOTAL) else 0

    def _take(self, size: int) -> Problem | None:
        """Have room for so many bytes in all; why not, where there is none."""
        more = size - self._room
        if size <= SMALL or more <= 0:
            return None
        if self._held.total() + more > MOST or self._held[self._caller] + more > MOST_OF_ONE:
            return Problem(
                503,
                "busy",
                f"too many pictures are being sent; try again in {_LATER} s",
                headers={"retry-after": str(_LATER)},
            )
        self._room += more
        self._held[self._caller] += more
        return None


def has_body(scope: Scope) -> bool:
    """Whether more comes of a request than its headers."""
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""
