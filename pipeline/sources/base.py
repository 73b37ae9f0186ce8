"""What a source of frames is. `sources` opens one.

A source that yields nothing at all raises SourceError. Once frames have come, what was processed is worth
keeping: iteration then simply ends (or leaves a picture out), and `complaint` says what was lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.sources.watchdog import Condition
from pipeline.types import Frame


class Source(ABC):
    """An opened source. It owns what it opened; `close` it or use it in a `with` statement.

    Attributes:
        name: what people call it; a password in an address is never part of it.
        live: frames arrive whether or not anyone takes them.
        fps: nominal frames a second, where it has such a rate.
        size: `(width, height)` of the first frame in pixels; None for a folder, whose pictures vary.
        frame_count: how many frames it promises; an estimate for videos, None for live sources.
        file: the video file behind it, which may have sound; None if there is none.
        begins: what the film's own clock shows at second 0, where it has one.
        repeatable: it can be opened a second time, and gives the same frames again. A pipe cannot.
        complaint: after iteration, what could not be read, in one line; None if all is well.
        remark: after iteration, what was lost on the way although the end was reached, in one line.
    """

    def __init__(
        self,
        name: str,
        *,
        live: bool = False,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
        frame_count: int | None = None,
    ) -> None:
        self.name = name
        self.live = live
        self.fps = fps
        self.size = size
        self.frame_count = frame_count
        self.file: Path | None = None
        self.begins: float | None = None
        self.repeatable = not live
        self.complaint: str | None = None
        self.remark: str | None = None

    @property
    def condition(self) -> Condition | None:
        """Whether a live source is up, and since when; None for all others. May be read from any thread."""
        return None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def halt(self) -> None:  # noqa: B027 (what has an end of its own need not do anything)
        """Have the iteration end soon, even while the source is lost. May be called from any thread."""

    def close(self) -> None:  # noqa: B027 (pictures hold nothing open)
        """Let go of the camera, file or connection. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
