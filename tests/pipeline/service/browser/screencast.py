"""A film of a browser's page, for people to look at: written where RECOG_SCREENCAST says, if it says.

RECOG_SCREENCAST=story.mp4 uv run --group dev pytest -n0 tests/pipeline/service/browser/test_story.py
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.outputs.video import VideoSink

RATE = 10  # frames a second
MOST = 3.0  # seconds that one picture is shown: waiting is dull
READING = 2.0  # seconds that what is to be read stays


def linger(page: Any) -> None:
    """Stay while somebody reads, where it is filmed."""
    if os.environ.get("RECOG_SCREENCAST"):
        page.wait_for_timeout(1000 * READING)


@contextmanager
def screencast(page: Any) -> Iterator[None]:
    """Film what is done in the block."""
    path = os.environ.get("RECOG_SCREENCAST")
    if not path:
        yield
        return
    frames: list[tuple[float, bytes]] = []
    session = page.context.new_cdp_session(page)

    def took(event: dict[str, Any]) -> None:
        frames.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", took)
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 85, "everyNthFrame": 1})
    try:
        yield
    finally:
        session.send("Page.stopScreencast")
        _write(Path(path), frames)


def _write(path: Path, frames: list[tuple[float, bytes]]) -> None:
    with VideoSink(path, RATE) as sink:
        told = 0.0  # seconds of the film so far
        clock = 0.0
        for i, (at, jpeg) in enumerate(frames):
            lasts = min(MOST, frames[i + 1][0] - at) if i + 1 < len(frames) else 1.0
            clock += lasts
            image = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
            even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
            while told < clock:
                sink.write(even)
                told += 1 / RATE
