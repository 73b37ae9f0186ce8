"""Which tracks deserve an embedding now. Most frames of most tracks need none."""

from __future__ import annotations

from pipeline.config import AttentionSettings
from pipeline.types import Bools, Floats, Ints, State


class Attention:
    """Remembers when each track was last looked at."""

    def __init__(self, settings: AttentionSettings) -> None:
        self._settings = settings
        self._looked: dict[int, float] = {}

    def due(
        self,
        tracks: Ints,
        states: list[State],
        sizes: Floats,
        seconds: float,
        changed: Bools | None = None,
        everybody: bool = False,
    ) -> list[int]:
        """Rows that deserve a look at this time, most urgent first, within the budget.

        Args:
            tracks: (n,) ids, -1 for faces that no track holds yet.
            states: what is known of each.
            sizes: (n,) side of each face in pixels; larger faces come first among equals.
            seconds: time of the frame.
            changed: (n,) whether the picture of the face is another one than before: looked at at once.
            everybody: they may be others than before, or this may be all that is seen of them: no pause and
                no budget.
        """
        waiting: list[tuple[bool, float, int]] = []
        for row, (track, state) in enumerate(zip(tracks.tolist(), states, strict=True)):
            if track < 0:
                continue
            if everybody or (changed is not None and changed[row]):
                waiting.append((False, -float(sizes[row]), row))
                continue
            pause = self._settings.interval if state is State.UNDECIDED else self._settings.recheck
            since = seconds - self._looked.get(track, float("-inf"))
            if since >= pause:
                waiting.append((state is not State.UNDECIDED, -float(sizes[row]), row))
        return [row for _, _, row in sorted(waiting)[: None if everybody else self._settings.budget]]

    def looked(self, track: int, seconds: float) -> None:
        """Note that a track was looked at, usefully or not."""
        self._looked[track] = seconds

    def again(self, track: int) -> None:
        """Look at a track at the next opportunity."""
        self._looked.pop(track, None)

    def forget(self, alive: frozenset[int]) -> None:
        """Drop what is remembered of tracks that ended."""
        self._looked = {track: time for track, time in self._looked.items() if track in alive}
