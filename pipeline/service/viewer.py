"""One page that watches: the newest pictures of the sources it asks for, and what happens, over a WebSocket.

A picture of a source is sent once the one before was shown, so that a slow page or network skips pictures.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import WebSocket
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from pipeline.service.board import Board, Reader, Shown

CHECKED = 15.0  # seconds between two looks whether this caller may still watch
MOST_SOURCES = 64  # that a page may watch at once
GOING_AWAY, NOT_UNDERSTOOD, NOT_ALLOWED, TOO_SLOW = 1001, 1007, 1008, 1013  # codes of RFC 6455


class Watch(BaseModel):
    """Which sources to send pictures of from now on."""

    type: Literal["watch"]
    sources: list[str] = Field(max_length=MOST_SOURCES)
    size: Literal["grid", "large"] = "grid"


class WasShown(BaseModel):
    """A picture was shown: send the next one of that source."""

    type: Literal["shown"]
    source: str
    frame: int


Said = Annotated[Watch | WasShown, Field(discriminator="type")]
_SAID: TypeAdapter[Watch | WasShown] = TypeAdapter(Said)


class Viewer:
    """Serves one connection. Used in the event loop."""

    def __init__(
        self, socket: WebSocket, board: Board, first: dict[str, object], allowed: Callable[[], bool]
    ) -> None:
        """
        Args:
            first: is sent at once.
            allowed: whether this caller may still watch; may block.
        """
        self._socket, self._board, self._allowed = socket, board, allowed
        self._first = json.dumps(first, ensure_ascii=False)
        self._watched: list[str] = []
        self._size: Literal["grid", "large"] = "grid"
        self._sent: dict[str, Shown] = {}  # the latest of each source
        self._unshown: dict[str, int] = {}  # frames that were sent and not shown yet, by source

    async def run(self) -> None:
        """Serve it until it goes away, or the service ends."""
        await self._socket.accept()
        reader = self._board.reader()
        tasks = [
            asyncio.create_task(each) for each in (self._hear(reader), self._send(reader), self._check())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._board.leave(reader)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        gone = (asyncio.CancelledError, WebSocketDisconnect, ConnectionError)
        for each in ended:
            if isinstance(each, BaseException) and not isinstance(each, gone):
                raise each

    async def _hear(self, reader: Reader) -> None:
        while True:
            try:
                said = _SAID.validate_json(await self._socket.receive_text())
            except (ValidationError, KeyError):  # KeyError: a binary message
                await self._socket.close(NOT_UNDERSTOOD, "not understood")
                return
            if isinstance(said, Watch):
                self._watched, self._size = list(dict.fromkeys(said.sources)), said.size
                self._unshown.clear()
            elif self._unshown.get(said.source) == said.frame:
                del self._unshown[said.source]
            reader.wake()

    async def _send(self, reader: Reader) -> None:
        await self._socket.send_text(self._first)
        while not self._board.closed:
            while reader.messages:
                await self._socket.send_text(reader.messages.popleft())
            if reader.overrun:
                await self._socket.close(TOO_SLOW, "too slow; connect again")
                return
            for source in self._watched:
                shown = self._board.newest(source)
                if shown is None or source in self._unshown or self._sent.get(source) is shown:
                    continue
                self._sent[source], self._unshown[source] = shown, shown.number
                await self._socket.send_bytes(await self._board.message(shown, self._size))
            await reader.wait()
        await self._socket.close(GOING_AWAY, "the service ends")

    async def _check(self) -> None:
        while await asyncio.to_thread(self._allowed):
            await asyncio.sleep(CHECKED)
        await self._socket.close(NOT_ALLOWED, "log in again")
