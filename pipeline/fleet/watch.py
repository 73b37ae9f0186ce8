"""A camera that is watched on some machine, and tells what was seen: results without their pictures.

The frames stay where they are decoded. What is told waits until it is fetched; of a driver that does not
come, the oldest is dropped.
"""

from __future__ import annotations

import platform
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.api import ERRORS, Following, Recog
from pipeline.config import Settings
from pipeline.types import Image, Result

MOST = 5000  # results that wait: about three minutes of a camera
_NO_PICTURE: Image = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of a source once it is open."""

    name: str  # without login and query
    live: bool
    fps: float | None
    size: tuple[int, int] | None
    fingerprint: str  # of model and alignment


@dataclass(frozen=True, slots=True)
class News:
    """What there is to tell since it was asked last."""

    state: str  # starting, running, lost, ended, failed
    detail: str  # in words for people
    host: str
    begun: Begun | None
    results: tuple[Result, ...]  # their frames have no pictures
    fps: float | None  # frames a second that are looked at
    dropped: int  # frames that were not
    untold: int  # results that were dropped because nobody fetched them
    trace: str = ""  # of a bug


class Watch:
    """Follows one source in a thread of its own until it ends or `close` is called."""

    def __init__(self, source: str, gallery: Path | None, settings: Settings) -> None:
        self._source, self._gallery, self._settings = source, gallery, settings
        self._results: deque[Result] = deque()
        self._changed = threading.Condition()
        self._times: deque[float] = deque(maxlen=60)
        self._begun: Begun | None = None
        self._frames: Following | None = None
        self._state, self._detail, self._trace = "starting", "", ""
        self._untold, self._leave = 0, threading.Event()
        self._thread = threading.Thread(target=self._work, name="recog camera", daemon=True)
        self._thread.start()

    def news(self, seconds: float) -> News:
        """What is new, after waiting so long for something at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._results or self._over, seconds)
            results = tuple(self._results)
            self._results.clear()
            state, detail, frames = self._state, self._detail, self._frames
        condition = None if frames is None else frames.condition
        if state == "running" and condition is not None and not condition.up:
            state, detail = "lost", condition.why
        times = list(self._times)
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else None
        return News(
            state,
            detail,
            platform.node(),
            self._begun,
            results,
            None if rate is None or state != "running" else round(rate, 1),
            0 if frames is None else frames.dropped,
            self._untold,
            self._trace,
        )

    def close(self) -> None:
        """End it, and wait for its thread."""
        self._leave.set()
        if (frames := self._frames) is not None:
            frames.stop()
        self._thread.join()

    @property
    def _over(self) -> bool:
        return self._state in ("ended", "failed")

    def _work(self) -> None:
        state, detail = "ended", ""
        try:
            detail = self._follow() or ""
        except ERRORS as error:
            state, detail = "failed", str(error)
        except Exception as error:
            state, detail, self._trace = "failed", f"{type(error).__name__}: {error}", traceback.format_exc()
        with self._changed:
            self._state, self._detail = state, detail
            self._changed.notify_all()

    def _follow(self) -> str | None:
        with (
            Recog.open(self._gallery, self._settings) as recog,
            recog.follow(self._source, delay=0, looks=True, waiting=True) as frames,
        ):
            self._begun = Begun(frames.name, frames.live, frames.fps, frames.size, recog.model)
            self._frames, self._state = frames, "running"
            clock: float | None = None  # at which second 0 of a film was shown
            for result in frames:
                if self._leave.is_set():
                    return None
                if not frames.live:
                    clock = time.monotonic() - result.frame.seconds if clock is None else clock
                    if self._leave.wait(max(0.0, clock + result.frame.seconds - time.monotonic())):
                        return None
                self._put(result)
            return frames.complaint

    def _put(self, result: Result) -> None:
        self._times.append(time.monotonic())
        with self._changed:
            if len(self._results) >= MOST:
                self._results.popleft()
                self._untold += 1
            self._results.append(replace(result, frame=replace(result.frame, image=_NO_PICTURE)))
            self._changed.notify_all()
