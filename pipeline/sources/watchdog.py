"""What is known of a live source that may be lost: whether it is up, since when, when it is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before an attempt to get a source back; doubled each time


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of a live source at one moment. Times are UTC."""

    up: bool
    since: datetime  # when it came up, or was lost
    why: str = ""  # it was lost, in words for people
    tries: int = 0  # to get it back, so far
    next_try: datetime | None = None  # None where it is up, or given up


class Watchdog:
    """Counts the attempts to get one source back; tells once that it is gone, and once that it is back.

    Attributes:
        condition: the latest; may be read from any thread.
    """

    def __init__(self, name: str, patience: float | None, report: Callable[[str], None]) -> None:
        """
        Args:
            patience: seconds after which the source is given up; None for never.
            report: called with one line when it is lost, and when it is back.
        """
        self._name, self._patience, self._report = name, patience, report
        self._lost = 0.0  # on the monotonic clock, which no time server sets back
        self.condition = Condition(True, datetime.now(UTC))

    def lost(self, why: str) -> None:
        """Note that the source gives nothing more. `why` continues its name: `was lost after 12 frames`."""
        self._lost = time.monotonic()
        self.condition = Condition(False, datetime.now(UTC), why)
        until = "until it is back" if self._patience is None else f"for {self._patience:g} s"
        self._report(f"{self._name} {why}; it is tried again {until}")

    def pause(self) -> float | None:
        """Seconds to wait before the next attempt, which then counts; None once patience is over."""
        before = self.condition
        pause = min(FIRST_PAUSE * 2.0 ** min(before.tries, 10), LONGEST_PAUSE)
        if self._patience is not None and time.monotonic() - self._lost + pause > self._patience:
            self.condition = Condition(False, before.since, before.why, before.tries)
            return None
        due = datetime.now(UTC) + timedelta(seconds=pause)
        self.condition = Condition(False, before.since, before.why, before.tries + 1, due)
        return pause

    def back(self) -> None:
        """Note that the source gives frames again."""
        away = time.monotonic() - self._lost
        self.condition = Condition(True, datetime.now(UTC))
        self._report(f"{self._name} is back after {away:.0f} s")
