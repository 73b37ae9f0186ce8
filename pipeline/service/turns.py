"""Whose turn it is to have pictures looked at: one request at a time, in order, and few may wait.

The models have the cores for one look at a time, and the sources come first. Whatever would have to wait for
long is refused at once, so that callers learn that the service is busy instead of waiting for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
from fastapi import Depends, Request

from pipeline.service.problems import Problem

AT_ONCE = 1  # requests that look at pictures; more would only make each other slow
ASKING = 4  # that may wait who only ask
CHANGING = 16  # that may wait with those who enroll: somebody has dropped photographs and looks at the page
PATIENCE = 10.0  # seconds that one waits at most
_LATEST = 0.2  # share of the latest turn in how long one is expected to take


class Turns:
    """The order of requests that look at pictures. In the event loop; while one waits, no thread does."""

    def __init__(self) -> None:
        self._free = anyio.Semaphore(AT_ONCE)
        self._took = 0.1  # seconds that one takes, as far as is known
        self.waiting = 0
        self.refused = 0

    @asynccontextmanager
    async def one(self, room: int, request: Request) -> AsyncIterator[None]:
        """A turn, once it has come.

        Args:
            room: of so many that wait, none more may come.
            request: whose turn it is, its body read. When its caller hangs up, its place is free.

        Raises:
            Problem: 503 `busy`: too many wait, or it has waited for too long.
        """
        if self._free.value == 0 and self.waiting >= room:
            raise self._busy()
        self.waiting += 1
        try:
            ended = await self._wait(request)
        finally:
            self.waiting -= 1
        if ended == "gone":
            raise Problem(503, "busy", "the caller has hung up")  # which nobody reads
        if ended == "late":
            raise self._busy()
        begun = time.monotonic()
        try:
            yield
        finally:
            self._free.release()
            self._took += _LATEST * (time.monotonic() - begun - self._took)

    async def _wait(self, request: Request) -> Literal["had", "gone", "late"]:
        """Wait for the turn, for as long as the caller does."""
        ended: Literal["had", "gone", "late"] = "late"

        async def listen(waiting: anyio.CancelScope) -> None:
            nonlocal ended
            while (await request.receive())["type"] != "http.disconnect":
                pass
            if ended != "had":
                ended = "gone"
                waiting.cancel()

        try:
            self._free.acquire_nowait()
            return "had"
        except anyio.WouldBlock:
            pass
        try:
            with anyio.move_on_after(PATIENCE):
                async with anyio.create_task_group() as group:
                    group.start_soon(listen, group.cancel_scope)
                    await self._free.acquire()
                    ended = "had"
                    group.cancel_scope.cancel()
        except BaseException:
            if ended == "had":  # cancelled from elsewhere with the turn in hand
                self._free.release()
            raise
        return ended

    def _busy(self) -> Problem:
        self.refused += 1
        wait = max(1, math.ceil(self._took * self.waiting))
        return Problem(
            503,
            "busy",
            f"too many pictures are being looked at; try again in {wait} s",
            headers={"retry-after": str(wait)},
        )


async def _asking(request: Request) -> AsyncIterator[None]:
    turns: Turns = request.app.state.turns
    async with turns.one(ASKING, request):
        yield


async def _changing(request: Request) -> AsyncIterator[None]:
    turns: Turns = request.app.state.turns
    async with turns.one(CHANGING, request):
        yield


AskingTurn, ChangingTurn = Depends(_asking), Depends(_changing)
