"""The pages that watch a service and the programs that call it, for `service.py`: in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

TELL = 5  # pages that tell the delays of what they see


class Served(Protocol):
    """A service that may be called."""

    url: str
    token: str
    source: str  # the id of its one source


async def pictures(url: str, token: str, source: str) -> AsyncIterator[dict[str, Any]]:
    """What is said of each picture that a page is sent; of each it says at once that it is shown."""
    address = url.replace("http", "ws", 1) + "api/v1/live"
    headers = {"authorization": f"Bearer {token}"}
    async with connect(address, additional_headers=headers, proxy=None, compression=None) as socket:
        await socket.send(json.dumps({"type": "watch", "sources": [source], "size": "grid"}))
        async for data in socket:
            if isinstance(data, str):
                continue
            (length,) = struct.unpack(">I", data[:4])
            head = json.loads(data[4 : 4 + length])
            await socket.send(json.dumps({"type": "shown", "source": source, "frame": head["frame"]}))
            yield head


def load(url: str, token: str, source: str, photo: Path, viewers: int, calls: float) -> None:
    """Be the viewers and callers; prints a line of JSON about each second until it is ended."""
    delays: list[float] = []
    named: list[str] = []
    answers: list[float] = []
    refusals: list[float] = []
    counts = {"pictures": 0, "failed": 0}
    headers = {"authorization": f"Bearer {token}"}

    async def watch(number: int) -> None:
        with contextlib.suppress(OSError, ConnectionClosed):  # the service has ended
            async for head in pictures(url, token, source):
                counts["pictures"] += 1
                who = [face["name"] for face in head["faces"] if face["name"]]
                if number < TELL and who:
                    taken = datetime.fromisoformat(head["taken"])
                    delays.append((datetime.now(UTC) - taken).total_seconds())
                    named.extend(who)

    async def call(client: httpx.AsyncClient, request: httpx.Request) -> None:
        begun = time.perf_counter()
        try:
            answer = await client.post(request.url, content=request.read(), headers=request.headers)
        except httpx.HTTPError:
            counts["failed"] += 1
            return
        if answer.status_code == 200:
            answers.append(time.perf_counter() - begun)
        elif answer.status_code == 503 and answer.json()["code"] == "busy" and answer.headers["retry-after"]:
            refusals.append(time.perf_counter() - begun)
        else:
            counts["failed"] += 1

    async def everything() -> None:
        # Without a limit of its own: calls wait in the service, if anywhere.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(
            base_url=url, headers=headers, trust_env=False, timeout=60, limits=limits
        ) as client:
            files = {"image": ("photo.jpg", photo.read_bytes())}
            request = client.build_request("POST", "api/v1/identify", files=files)
            request.read()
            tasks = [asyncio.create_task(watch(number)) for number in range(viewers)]
            begun, number = time.monotonic(), 0
            while True:
                second = int(time.monotonic() - begun)
                while int(time.monotonic() - begun) == second:
                    if calls:
                        tasks = [each for each in tasks if not each.done()]
                        tasks.append(asyncio.create_task(call(client, request)))
                    number += 1
                    pause = begun + number / (calls or 10) - time.monotonic()
                    await asyncio.sleep(max(0.0, pause))
                lists = {"delays": delays, "answers": answers, "refusals": refusals}
                print(json.dumps(lists | {"named": sorted(set(named))} | counts), flush=True)
                for each in (*lists.values(), named):
                    each.clear()
                counts.update(pictures=0, failed=0)

    with contextlib.suppress(Exception):  # the service has ended
        asyncio.run(everything())


class Load:
    """A process that is the viewers and callers."""

    def __init__(self, service: Served, photo: Path, viewers: int, calls: float) -> None:
        arguments = [service.url, service.token, service.source, str(photo), str(viewers), str(calls)]
        self.process = subprocess.Popen(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
        )
        self.seconds: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seconds.append(json.loads(line))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()


class Page:
    """A page that is open: when each picture came, and who was in it."""

    def __init__(self, service: Served) -> None:
        self.came: list[tuple[float, dict[int, str | None]]] = []  # the names of tracks
        self._service = service
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look()), daemon=True)
        self._ended = False
        self._thread.start()

    async def _look(self) -> None:
        service = self._service
        async for head in pictures(service.url, service.token, service.source):
            if self._ended:
                return
            self.came.append((time.monotonic(), {face["track"]: face["name"] for face in head["faces"]}))

    def named(self, name: str, since: float) -> tuple[float, float]:
        """When a picture with this name has come, and when the first one of that track had."""
        checked, until = 0, time.monotonic() + 60
        while time.monotonic() < until:
            for at, names in self.came[checked:]:
                checked += 1
                if at > since and name in names.values():
                    track = next(number for number, each in names.items() if each == name)
                    return at, next(when for when, each in self.came if track in each)
            time.sleep(0.01)
        raise AssertionError(f"{name} was not named within a minute")

    def close(self) -> None:
        self._ended = True
        self._thread.join()


if __name__ == "__main__":
    url, token, source, photo, viewers, calls = sys.argv[1:]
    load(url, token, source, Path(photo), int(viewers), float(calls))
