"""The clock of a film: seconds that begin at 0 and always advance, whatever its container claims."""

from __future__ import annotations

import math

GAP, BROADCAST_GAP = 600.0, 10.0  # seconds from one frame to the next; longer ones are jumps of the clock


class MediaClock:
    """Turns the times that a container claims into seconds of the film.

    A clock that falls back, jumps ahead or wraps around goes on from where it was, a frame's length later.
    One wrong time among right ones costs nothing: the frame after it is timed as if it had not been.
    """

    def __init__(self, step: float, longest: float = GAP) -> None:
        """
        Args:
            step: seconds from one frame to the next, where nothing better is known.
            longest: seconds that one frame may stay on show; more is a jump.
        """
        self._step, self._longest = step, max(longest, 3 * step)
        self._now = -math.inf
        self._zero = math.nan  # what the container's clock shows at second 0
        self._other = math.nan  # the same, if the clock has jumped at the latest frame that did not fit

    def go_on(self, zero: float, seconds: float) -> None:
        """Begin in the middle of a film, where the latest frame was at `seconds`.

        Args:
            zero: what the container's clock shows at second 0.
        """
        self._zero, self._now = zero, seconds

    @property
    def zero(self) -> float:
        """What the container's clock shows at second 0, as it is now; NaN if it showed nothing yet."""
        return self._zero

    def read(self, claimed: float | None) -> float:
        """Seconds of the next frame, given what the container claims (None: nothing)."""
        claimed = math.nan if claimed is None or not math.isfinite(claimed) else claimed
        if self._now == -math.inf:
            self._now, self._zero = 0.0, claimed
            return 0.0
        for zero in (self._zero, self._other):
            seconds = claimed - zero
            if self._now < seconds <= self._now + self._longest:
                self._now, self._zero = seconds, zero
                return seconds
        # A frame with the time of the one before it may be followed by one that is right: leave room.
        near = self._now - 1 < claimed - self._zero <= self._now
        self._now += self._step / 2 if near else self._step
        self._other = claimed - self._now
        return self._now
