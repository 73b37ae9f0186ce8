"""The looks of one run of a source, on the service's tape; a full disk costs looks, never the source."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.api import Recog, Result, TapeWriter
from pipeline.config import KeepSettings
from pipeline.errors import SinkError

_log = logging.getLogger(__name__)
AGAIN = 5.0  # seconds after which a tape that could not be written is tried again


class Taping:
    """Writes one run to the tape, as long as looks are to be kept. For one thread.

    Attributes:
        trouble: why nothing can be written at present, in one line.
    """

    def __init__(
        self,
        recog: Recog,
        tape: Path,
        run: str,
        source: str,
        live: bool,
        days: Callable[[], int],
        erased: Callable[[int], bool],
    ) -> None:
        """
        Args:
            source: as it may be told.
            days: for how many days looks are kept; 0 for not at all.
            erased: whether a track is not to be kept any more.
        """
        self._recog, self._tape, self._run, self._source, self._live = recog, tape, run, source, live
        self._days, self._erased = days, erased
        self.trouble: str | None = None
        self._writer: TapeWriter | None = None
        self._kept = 0  # days, as the writer knows
        self._again = 0.0

    def take(self, result: Result) -> None:
        """Append the looks of a frame."""
        if self._writer is None and time.monotonic() < self._again:
            return
        try:
            if (days := self._days()) != self._kept:
                self.close()
                self._kept = days
            if not days:
                return
            if self._writer is None:
                keep = KeepSettings(days=days)
                self._writer = self._recog.record(
                    self._tape, self._run, self._source, live=self._live, keep=keep, erased=self._erased
                )
            self._writer.take(result)
        except SinkError as error:
            self._fail(error)
        else:
            if self.trouble is not None:
                _log.warning("looks are kept again")
                self.trouble = None

    def close(self) -> None:
        """Write what is left. May be called again."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except SinkError as error:
                self._fail(error)

    def _fail(self, error: SinkError) -> None:
        if self.trouble is None:
            _log.error("looks cannot be kept: %s", error)
        self.trouble = str(error)
        self._again = time.monotonic() + AGAIN
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except SinkError:
                _log.debug("looks of a second are lost")
