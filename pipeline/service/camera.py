"""One source of the service: a thread that follows it, for as long as it is wanted.

A camera or stream is opened, lost and opened again without end. A film is played at its own speed, and stands
still while it is paused.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from gallery.errors import GalleryError
from pipeline.api import ERRORS, Following, Reach, Recog, Result
from pipeline.errors import UnreachableError
from pipeline.service.ids import now, utc

_log = logging.getLogger(__name__)
State = Literal["starting", "running", "paused", "lost", "ended", "failed"]
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a source that failed is tried again
BEHIND = 1.0  # seconds that a film may be late before its clock is set back


@dataclass(frozen=True, slots=True)
class Status:
    """How a source is."""

    state: State
    since: str  # UTC
    detail: str = ""  # in words for people
    live: bool | None = None  # None while nobody knows
    fps: float | None = None  # frames a second that are looked at
    size: tuple[int, int] | None = None  # width and height, pixels
    dropped: int = 0  # frames of this run that were not looked at


class Follower(Protocol):
    """What is done with the results of a run of a source; in the source's thread."""

    def take(self, result: Result) -> None:
        """One more result."""
        ...

    def close(self) -> None:
        """The run has ended; called once."""
        ...


class Camera:
    """A source that is followed by a thread of its own while it is wanted. Any thread may call any method."""

    def __init__(
        self,
        recog: Recog,
        url: str,
        reach: Reach | None,
        follower: Callable[[Following], Follower],
        changed: Callable[[Status], None],
        reconnected: Callable[[], None],
        rests: Literal["paused", "ended"] = "paused",
    ) -> None:
        """
        Args:
            url: what `--source` takes.
            reach: where streams may be; None for anywhere.
            follower: makes what takes the results of a run, once the source is open.
            changed: is told, from any thread, how the source is now.
            reconnected: is called when a lost source came back.
            rests: its state until it is run.
        """
        self._recog, self._url, self._reach = recog, url, reach
        self._follower, self._changed, self._reconnected = follower, changed, reconnected
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None
        self._frames: Following | None = None
        self._wanted = False
        self._leave = threading.Event()  # of the present thread: it is not wanted any more
        self._go = threading.Event()  # a film that is paused stands still until this is set
        self._was_up = True
        self._times: deque[float] = deque(maxlen=60)  # when the latest results came
        self._status = Status(rests, now())

    @property
    def status(self) -> Status:
        """How it is at this moment."""
        status, frames = self._status, self._frames
        if frames is None or status.state not in ("running", "starting"):
            return status
        times = list(self._times)
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else None
        status = replace(status, fps=None if rate is None else round(rate, 1), dropped=frames.dropped)
        condition = frames.condition
        if condition is None or condition.up:
            return status
        detail = condition.why
        if condition.next_try is not None:
            wait = (condition.next_try - datetime.now(UTC)).total_seconds()
            tried = "once" if condition.tries == 1 else f"{condition.tries} times"
            detail += f"; tried {tried}, again in {max(1, wait):.0f} s"
        return replace(status, state="lost", since=utc(condition.since), detail=detail, fps=None)

    def run(self) -> None:
        """Follow it, or go on with a film that was paused."""
        with self._guard:
            self._wanted = True
            self._go.set()
            if self._thread is not None and self._thread.is_alive() and not self._leave.is_set():
                if self._frames is not None:
                    self._set("running")
                return
            self._leave = threading.Event()
            self._thread = threading.Thread(
                target=self._work, args=(self._leave,), name="recog source", daemon=True
            )
            self._set("starting")
            self._thread.start()

    def pause(self) -> None:
        """Look no further: a camera is let go, a film stands still."""
        with self._guard:
            self._wanted = False
            self._go.clear()
            frames = self._frames
            if frames is None or frames.live:
                self._end()
            self._set("paused")

    def halt(self) -> None:
        """Have it end soon, without waiting for that."""
        with self._guard:
            self._wanted = False
            self._end()

    def join(self, seconds: float) -> bool:
        """Wait for its thread after `halt`; whether that has ended."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _end(self) -> None:
        self._leave.set()
        self._go.set()
        if self._frames is not None:
            self._frames.stop()

    def _set(self, state: State, detail: str = "", **more: object) -> None:
        with self._guard:
            before = self._status
            since = before.since if before.state == state else now()
            self._status = replace(before, state=state, since=since, detail=detail, fps=None, **more)  # type: ignore[arg-type]
        self._changed(self.status)

    def _work(self, leave: threading.Event) -> None:
        """The thread."""
        pause = FIRST_PAUSE
        while not leave.is_set():
            begun = time.monotonic()
            try:
                complaint = self._follow(leave)
            except (UnreachableError, GalleryError) as error:  # may be there later
                if leave.is_set():
                    return
                pause = FIRST_PAUSE if time.monotonic() - begun > LONGEST_PAUSE else pause
                self._set("failed", f"{error}; it is tried again in {pause:.0f} s")
                if leave.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            except ERRORS as error:
                self._stand("failed", str(error), leave)
            except Exception:
                _log.exception("a source has failed")
                self._stand("failed", "an error of recog itself; the log says more", leave)
            else:
                self._stand("ended", complaint or "", leave)
            return

    def _stand(self, state: State, detail: str, leave: threading.Event) -> None:
        """The thread ends by itself, if nobody has asked for that meanwhile."""
        with self._guard:
            if leave.is_set():
                return
            leave.set()
            self._wanted = False
            self._set(state, detail)

    def _follow(self, leave: threading.Event) -> str | None:
        """From the first frame to the last; what could not be read."""
        with ExitStack() as stack:
            self._times.clear()
            following = self._recog.follow(
                self._url, delay=0, looks=True, waiting=True, report=self._heard, reach=self._reach
            )
            frames = stack.enter_context(following)
            follower = stack.enter_context(closing(self._follower(frames)))
            with self._guard:
                if leave.is_set():
                    return None
                self._frames, self._was_up = frames, frames.condition is None or frames.condition.up
                stack.callback(self._let_go, frames)
                self._set("running" if self._wanted else "paused", live=frames.live, size=frames.size)
            play = None if frames.live else _Play(leave, self._go)
            for result in frames:
                if play is not None and not play.wait_for(result.frame.seconds):
                    return None
                if leave.is_set():
                    return None
                self._note(result)
                follower.take(result)
            return frames.complaint

    def _let_go(self, frames: Following) -> None:
        with self._guard:
            if self._frames is frames:
                self._frames = None

    def _note(self, result: Result) -> None:
        self._times.append(time.monotonic())
        if self._status.size is None and result.frame.image.size:
            height, width = result.frame.image.shape[:2]
            with self._guard:
                self._status = replace(self._status, size=(width, height))

    def _heard(self, line: str) -> None:
        """Something was reported: most often that the source is lost, or back."""
        _log.info("%s", line)
        frames = self._frames
        if frames is None or frames.condition is None:
            return
        up = frames.condition.up
        if up and not self._was_up:
            self._reconnected()
        self._was_up = up
        self._changed(self.status)


class _Play:
    """The speed at which a film is shown."""

    def __init__(self, leave: threading.Event, go: threading.Event) -> None:
        self._leave, self._go = leave, go
        self._begun: float | None = None  # when second 0 was shown

    def wait_for(self, seconds: float) -> bool:
        """Wait until a frame of this time is to be shown; False if the film is not wanted any more."""
        if not self._go.is_set():
            self._go.wait()
            self._begun = None
        now = time.monotonic()
        if self._begun is None or now - self._begun - seconds > BEHIND:  # a slow machine plays slowly
            self._begun = now - seconds
        return not self._leave.wait(max(0.0, self._begun + seconds - now))


def kind_of(url: str) -> Literal["camera", "file", "stream"]:
    """What kind of source this is, by how it is written."""
    if url.strip().isdigit() or url.startswith("/dev/video"):
        return "camera"
    return "stream" if "://" in url and not url.lower().startswith("file://") else "file"


def name_for(url: str, shown: str) -> str:
    """What to call a source that nobody has named.

    Args:
        shown: the source as it may be told.
    """
    kind = kind_of(url)
    if kind == "camera":
        return f"camera {url.removeprefix('/dev/video').strip()}"
    return Path(url).stem if kind == "file" else shown.partition("://")[2].partition("?")[0]
