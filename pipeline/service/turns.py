"""Whose turn it is to have pictures looked at: one request at a time, in order, and few may wait.

The models have the cores for one look at a time, and the sources come first. Whatever would have to wait for
long is refused at once, so that callers learn that the service is busy instead of waiting for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
    async def one(self, room: int) -> AsyncIterator[None]:
        """A turn, once it has come.

        Args:
            room: of so many that wait, none more may come.

        Raises:
            Problem: 503 `busy`: too many wait, or it has waited for too long.
        """
        if self._free.value == 0 and self.waiting >= room:
            raise self._busy()
        self.waiting += 1
        try:
            with anyio.move_on_after(PATIENCE) as waited:
                await self._free.acquire()
        finally:
            self.waiting -= 1
        if waited.cancelled_caught:
            raise self._busy()
        begun = time.monotonic()
        try:
            yield
        finally:
            self._free.release()
            self._took += _LATEST * (time.monotonic() - begun - self._took)

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
    async with turns.one(ASKING):
        yield


async def _changing(request: Request) -> AsyncIterator[None]:
    turns: Turns = request.app.state.turns
    async with turns.one(CHANGING):
        yield


AskingTurn, ChangingTurn = Depends(_asking), Depends(_changing)
