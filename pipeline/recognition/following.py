"""A source that somebody follows frame by frame: what `pipeline.api` gives out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from pipeline.config import Settings
from pipeline.progress import Report
from pipeline.protocols import Detector
from pipeline.recognition.shared_people import SharedPeople
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.open import open_source
from pipeline.sources.reach import Reach
from pipeline.sources.watchdog import Condition
from pipeline.types import Image, Result
from siamese.runtime import Embedder

_log = logging.getLogger(__name__)


class Following:
    """One source being followed: an iterator of results. Made by `Recog.follow`; close it or use `with`.

    Attributes:
        picture: with `draw`, the frame of the newest result with boxes and names, (height, width, 3) BGR.
    """

    def __init__(
        self,
        source: str,
        detector: Detector,
        embedder: Embedder,
        gallery: SharedPeople,
        settings: Settings,
        delay: float | None,
        draw: bool,
        looks: bool = False,
        waiting: bool = False,
        report: Report = _log.warning,
        reach: Reach | None = None,
    ) -> None:
        """
        Args:
            source: what `--source` takes.
            gallery: who is enrolled.
            delay, draw, looks, waiting, report, reach: as for `pipeline.api.Recog.follow`.

        Raises:
            SourceError: the source cannot be opened.
            GalleryError: the gallery cannot be used.
            ConfigError: whose faces are to be covered cannot be told.
        """
        self.picture: Image | None = None
        self._stop = threading.Event()
        with ExitStack() as stack:  # closed here only if something below fails
            people = gallery.view(report)
            stack.callback(people.close)
            self._source = stack.enter_context(
                open_source(
                    source,
                    stream=settings.stream,
                    hardware=settings.runtime.decoder,
                    report=report,
                    waiting=waiting,
                    reach=reach,
                )
            )
            made = Models(detector, embedder, people)
            self._stream = Stream(
                source, self._source, made, settings, delay, draw, self._stop.is_set, looks, report
            )
            self._going = True
            stack.callback(self._ended)
            self._stack = stack.pop_all()
        self._results = self._read()

    @property
    def going(self) -> bool:
        """Whether it is not closed yet."""
        return self._going

    @property
    def name(self) -> str:
        """What people call the source; a password in an address is no part of it."""
        return self._source.name

    @property
    def fps(self) -> float | None:
        """Nominal frames a second, where the source has such a rate."""
        return self._source.fps

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of its first frame, pixels; None while there was none, and for folders."""
        return self._source.size

    @property
    def condition(self) -> Condition | None:
        """Whether a live source is up, and since when; None for all others. Any thread may ask."""
        return self._source.condition

    @property
    def live(self) -> bool:
        """Whether frames come whether or not anybody takes them."""
        return self._source.live

    @property
    def dropped(self) -> int:
        """How many frames of a live source were not looked at so far."""
        return self._stream.dropped

    @property
    def complaint(self) -> str | None:
        """After the end, what could not be read of the source, in one line; None if all is well."""
        return self._source.complaint

    def stop(self) -> None:
        """End the source; what was read of it still comes. Any thread may call this."""
        self._stop.set()
        self._source.halt()  # it may be waiting for a camera that is lost

    def close(self) -> None:
        """End at once, and let go of the source. May be called again."""
        self.stop()
        self._results.close()
        self._stack.close()  # also where no result was ever asked for

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        return next(self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ended(self) -> None:
        self._going = False

    def _read(self) -> Generator[Result]:
        with self._stack, self._stream.run() as runner:
            for result, image in runner:
                self.picture = image
                yield result
