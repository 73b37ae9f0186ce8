"""The newest picture of each source and what there is to tell, for any number of readers.

Sources put things up from threads of their own; readers wait in the event loop. A picture is encoded when the
first reader asks for it in a size, once, and not at all while nobody does. A slow reader finds the newest
picture, not those in between, and holds nobody up.
"""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import cv2
import numpy as np

from pipeline.api import Image, Result, drawn

Size = Literal["grid", "large", "whole", "boxes"]
SIDES = {"grid": 480, "large": 1280}  # longer side of a JPEG, pixels
QUALITY = 80  # of a JPEG
MOST_UNREAD = 500  # messages that wait for a reader, who is let go then


class Shown:
    """A picture of a source, with the faces in it."""

    def __init__(self, source: str, result: Result, faces: list[dict[str, Any]]) -> None:
        """
        Args:
            faces: as readers are told of them (JSON).
        """
        self.source, self.result, self.faces = source, result, faces
        self._made: dict[str, asyncio.Future[bytes]] = {}
        self._messages: dict[str, bytes] = {}

    @property
    def number(self) -> int:
        """The index of the frame."""
        return self.result.frame.index

    def message(self, size: str, jpeg: bytes) -> bytes:
        """A JPEG of a size as it is sent to pages; put together for the first of them."""
        made = self._messages.get(size)
        if made is None:
            made = self._messages[size] = self._header() + jpeg
        return made

    def _header(self) -> bytes:
        """What stands before the JPEG in a binary message."""
        frame = self.result.frame
        height, width = frame.image.shape[:2]
        told = {
            "source": self.source,
            "frame": frame.index,
            "seconds": round(frame.seconds, 3),
            "taken": None if frame.utc is None else frame.utc.replace("+00:00", "Z"),
            "width": width,
            "height": height,
            "faces": self.faces,
        }
        data = json.dumps(told, ensure_ascii=False).encode()
        return struct.pack(">I", len(data)) + data

    async def once(self, what: str, make: Callable[[], bytes], pool: ThreadPoolExecutor) -> bytes:
        """What `make` returns, made by the first who asks."""
        made = self._made.get(what)
        if made is None:
            made = self._made[what] = asyncio.get_running_loop().run_in_executor(pool, make)
        # Shielded: a reader that goes away must not take the picture from the others.
        return made.result() if made.done() else await asyncio.shield(made)


class Reader:
    """Somebody who waits for news. Made by `Board.reader`, used in the event loop."""

    def __init__(self) -> None:
        self.messages: deque[str] = deque()  # JSON, to be sent in order
        self.overrun = False  # more was told than this one has read
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something new, or it is over."""
        self._news.set()

    async def wait(self) -> None:
        """Return when something is new since the last return."""
        await self._news.wait()
        self._news.clear()

    def tell(self, message: str) -> None:
        """Add a message, unless too many wait."""
        if len(self.messages) >= MOST_UNREAD:
            self.overrun = True
        else:
            self.messages.append(message)
        self.wake()


class Board:
    """Where sources put up pictures, and everybody reads them.

    Attributes:
        closed: nothing more will come.
    """

    def __init__(self) -> None:
        self.closed = False
        self._newest: dict[str, Shown] = {}
        self._readers: set[Reader] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard = threading.Lock()
        self._woken = False  # a wake-up is on its way into the loop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="recog jpeg")

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say in which loop the readers are."""
        self._loop = loop

    def put(self, shown: Shown) -> None:
        """Put up the newest picture of a source; from any thread."""
        self._newest[shown.source] = shown
        with self._guard:
            if self._woken:
                return
            self._woken = True
        self._call(self._wake)

    def take_down(self, source: str) -> None:
        """Forget the picture of a source; from any thread."""
        self._newest.pop(source, None)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Tell every reader something; from any thread."""
        text = json.dumps(message, ensure_ascii=False)
        self._call(lambda: self._tell_all(text))

    def newest(self, source: str) -> Shown | None:
        """The newest picture of a source, if there was one."""
        return self._newest.get(source)

    def reader(self) -> Reader:
        """One more reader; in the event loop. Give it back with `leave`."""
        made = Reader()
        self._readers.add(made)
        return made

    def leave(self, reader: Reader) -> None:
        """Tell this one nothing any more."""
        self._readers.discard(reader)

    @property
    def readers(self) -> int:
        """How many read at present."""
        return len(self._readers)

    async def message(self, shown: Shown, size: Size) -> bytes:
        """A picture as it is sent to pages: header and JPEG."""
        return shown.message(size, await self.jpeg(shown, size))

    async def jpeg(self, shown: Shown, size: Size) -> bytes:
        """A picture as a JPEG, `boxes`: in its own size with boxes and names drawn."""
        return await shown.once(size, lambda: _encoded(shown.result, size), self._pool)

    def close(self) -> None:
        """End it for all readers; from any thread, and may be called again."""
        self.closed = True
        self._call(self._wake)

    def _wake(self) -> None:
        with self._guard:
            self._woken = False
        for reader in self._readers:
            reader.wake()

    def _tell_all(self, text: str) -> None:
        for reader in self._readers:
            reader.tell(text)

    def _call(self, what: Callable[[], object]) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # closed just now: there is nobody left to tell
            return


def _encoded(result: Result, size: Size) -> bytes:
    image: Image = drawn(result) if size == "boxes" else result.frame.image
    height, width = image.shape[:2]
    scale = SIDES.get(size, 1 << 30) / max(height, width)
    if scale < 1:
        sides = max(1, round(scale * width)), max(1, round(scale * height))
        image = np.asarray(cv2.resize(image, sides, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
