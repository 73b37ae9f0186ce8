"""Where the results of one source go: what was asked for, and the open files behind it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.errors import SinkError
from pipeline.events import EventLog, Events
from pipeline.sinks import check_output, open_sink
from pipeline.summary import Summary
from pipeline.types import Image, Result


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go."""

    video: Path | None = None
    events: Path | None = None
    window: bool | None = None  # None: for live sources, where there is a screen

    def check(self, source: str) -> None:
        """Refuse, before any work, what could not be written or would spoil something.

        Raises:
            SinkError: in one line, what is wrong.
        """
        if self.video is not None:
            check_output(self.video, source)
        if self.events is not None:
            check_events(self.events, self.video)


class Opened:
    """The outputs of one source, open: give `take` every result in order, then `finish`.

    Attributes:
        summary: of what was taken so far.
    """

    def __init__(self, outputs: Outputs, fps: float | None) -> None:
        """Open what was asked for; `fps` is the rate of a video.

        Raises:
            SinkError: something cannot be written.
        """
        self.summary = Summary()
        self._told = Events()
        self._stack = ExitStack()
        with ExitStack() as stack:
            self._log = stack.enter_context(EventLog(outputs.events))
            self._sink = open_sink(outputs.video, fps)
            stack.enter_context(self._sink)
            self._stack = stack.pop_all()

    def take(self, result: Result, image: Image | None) -> None:
        """Count, tell and write one result.

        Args:
            image: the frame as it is to be shown, `(height, width, 3)` BGR; None where no picture is wanted.
        """
        self.summary.update(result)
        self._log.write(self._told.update(result))
        if image is not None:
            self._sink.write(image)

    def finish(self) -> None:
        """Tell who is gone now that the source has ended."""
        self._log.write(self._told.finish())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def check_events(path: Path, video: Path | None) -> None:
    """Refuse, before any work, a file that events cannot be appended to, or that would be spoiled by them.

    Raises:
        SinkError: in one line, what is wrong.
    """
    try:
        if not path.parent.is_dir():
            raise SinkError(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
        if video is not None and path.resolve() == video.resolve():
            raise SinkError(f"{path}: the video goes there; choose another file for the events")
        if path.is_file():  # pipes and devices are as welcome
            with path.open("rb") as file:
                if file.read(1) not in (b"", b"{"):
                    raise SinkError(f"{path} exists and holds no events; choose another file")
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}") from error
