"""Events and snapshots of cameras that run for months: put aside by size, deleted where somebody said when.

Nothing is deleted unless `keep.days` or `keep.megabytes` says so, and only files whose names are ours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config import KeepSettings
from pipeline.errors import SinkError
from pipeline.outputs.events import EventLog

EVERY = 600.0  # seconds between two looks at what is there
MEGABYTE, DAY = 1_000_000, 86_400.0
_SNAPSHOT = re.compile(r"[0-9a-f]{12}-\d+\.jpg")


class Keeper:
    """Looks after the events file and the snapshots of a live source. With neither, it does nothing.

    Attributes:
        deleted: how many files it has deleted.
    """

    def __init__(
        self, keep: KeepSettings, log: EventLog, events: Path | None, snapshots: Path | None
    ) -> None:
        self._keep, self._log, self._events, self._snapshots = keep, log, events, snapshots
        self._next, self._day = 0.0, datetime.now(UTC).date()
        self.deleted = 0

    def look(self) -> None:
        """Put the events file aside where it is due, and delete what is too old or too much.

        Raises:
            SinkError: the events file cannot be put aside, or what is old cannot be deleted.
        """
        if self._events is not None and self._log.size() >= self._keep.rotate * MEGABYTE:
            self._log.put_aside()
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY
        today = datetime.now(UTC).date()
        if (
            self._events is not None
            and self._keep.days is not None
            and today != self._day
            and self._log.size()
        ):
            self._log.put_aside()  # so that what is old can be deleted apart from what is not
        self._day = today
        if self._keep.days is None and self._keep.megabytes is None:
            return
        try:
            if self._events is not None:
                self._delete(put_aside(self._events))
            if self._snapshots is not None:
                names = list(self._snapshots.iterdir())
                self._delete([each for each in names if _SNAPSHOT.fullmatch(each.name)])
        except OSError as error:
            raise SinkError(f"cannot delete what is old: {error.filename}: {error.strerror}") from error

    def _delete(self, files: Sequence[Path]) -> None:
        """Delete those that are too old, and the oldest as long as all together are too much."""
        found = []
        for each in files:
            try:
                stat = each.stat()
            except FileNotFoundError:  # another source has been here
                continue
            found.append((stat.st_mtime, stat.st_size, each))
        total = sum(size for _, size, _ in found)
        before = time.time() - (self._keep.days or float("inf")) * DAY
        most = (self._keep.megabytes or float("inf")) * MEGABYTE
        for modified, size, each in sorted(found):
            if modified >= before and total <= most:
                return
            each.unlink(missing_ok=True)
            total -= size
            self.deleted += 1


def put_aside(events: Path) -> list[Path]:
    """The files that an events file was put aside as: `events-20261128T120000Z.jsonl`."""
    events = events.resolve()
    ours = re.compile(re.escape(events.stem) + r"-\d{8}T\d{6}Z(-\d+)?" + re.escape(events.suffix))
    return [each for each in events.parent.iterdir() if ours.fullmatch(each.name)]
