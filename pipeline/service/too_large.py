"""A request that is longer than its route takes is refused in FastAPI's outermost layer, as plain text.

Nothing inside sees that answer, so it is told as a problem out here.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service.headers import ALWAYS
from pipeline.service.problems import TOO_LARGE, problem_answer
from pipeline.service.request_ids import HEADER


class TooLarge:
    """Around a whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = False

        async def tell(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start" and _plain(message):
                told = True
                request_id = str(scope.get("state", {}).get("request_id", ""))
                headers = {**ALWAYS, HEADER: request_id}
                answer = problem_answer(413, "content_too_large", TOO_LARGE, request_id, headers=headers)
                await answer(scope, receive, send)
            elif not told:
                await send(message)

        await self._app(scope, receive, tell)


def _plain(message: Message) -> bool:
    """Whether an answer is the framework's own refusal; those of the service are JSON."""
    kind = Headers(raw=message["headers"]).get("content-type", "")
    return message["status"] == 413 and kind.startswith("text/plain")
