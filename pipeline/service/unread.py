"""A request that is answered before it has come whole: its caller still hears the answer, and then has to go.

Were the connection closed at once, the system would throw away what the caller is sending, and with it often
the answer; were it left open, whoever was refused could send for ever.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service.bodies import SMALL, has_body

LINGER = 10.0  # seconds in which somebody may finish sending what nobody reads


class Unread:
    """Around a whole application: reads on for a while behind an answer, keeps nothing of it, and closes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _large(scope):
            await self._app(scope, receive, send)
            return
        asked, come, leaving = False, False, False

        async def receiving() -> Message:
            nonlocal asked, come
            asked = True
            message = await receive()
            come = come or message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            nonlocal leaving
            if message["type"] == "http.response.start" and not come:
                leaving = True
                MutableHeaders(scope=message)["connection"] = "close"
            if not leaving or message["type"] != "http.response.body" or message.get("more_body", False):
                await send(message)
                return
            await send({**message, "more_body": True})
            # Who has asked whether to send (curl, of more than a megabyte) is told not to, and sends nothing.
            if asked or "expect" not in Headers(scope=scope):
                try:
                    async with asyncio.timeout(LINGER):
                        while not come:
                            await receiving()
                except TimeoutError:
                    pass
            await send({"type": "http.response.body"})

        await self._app(scope, receiving, sending)


def _large(scope: Scope) -> bool:
    """Whether more may come than the server reads along with the headers anyway."""
    said = Headers(scope=scope).get("content-length")
    return has_body(scope) and (said is None or int(said) > SMALL)
