"""What is done with the results of one run of a source: shown, kept as events, taped, counted."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pipeline.api import Following, Identity, Posting, Recog, Result, State, Telling, TrackedFace
from pipeline.service.board import Board, Shown
from pipeline.service.metrics import Metrics
from pipeline.service.names import Names
from pipeline.service.sightings import Sightings
from pipeline.service.taping import Taping
from pipeline.service.visits import Visits, decided

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Something else that is given the results of every source, each in that source's thread."""

    def take(self, run: str, result: Result) -> None:
        """One more result of a run."""
        ...

    def ended(self, run: str) -> None:
        """A run has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the results of all sources go."""

    recog: Recog
    tape: Path
    board: Board
    sightings: Sightings
    metrics: Metrics
    names: Names
    posting: Posting
    watchers: Sequence[Watcher] = ()


class Run:
    """One run of a source. In the source's thread, give `take` every result in order, then `close`."""

    def __init__(
        self,
        desk: Desk,
        source: str,
        frames: Following,
        days: Callable[[], int],
        home: Telling | None = None,
    ) -> None:
        """
        Args:
            source: its id.
            days: for how many days looks are kept.
            home: tells a home who is seen; it is closed with the run.
        """
        self._run = run = secrets.token_hex(6)
        self._desk, self._source, self._frames = desk, source, frames
        self._visits = Visits(source, run, desk.names.id_of, desk.recog.settings.track.patience)
        erased = lambda track: desk.sightings.erased(f"{run}-{track}")  # noqa: E731
        self._taping = Taping(desk.recog, desk.tape, run, frames.name, frames.live, days, erased)
        self._home, self._posted = home, desk.posting.source()
        self._dropped = 0

    @property
    def trouble(self) -> str | None:
        """Why looks cannot be kept at present, in one line."""
        return self._taping.trouble

    def take(self, result: Result) -> None:
        """One more result."""
        desk = self._desk
        visits = list(self._visits.take(result))
        desk.board.put(Shown(self._source, result, [self._told(face) for face in result.faces]))
        self._taping.take(result)
        self._posted.take(result)
        if self._home is not None:
            self._home.take(result)
        for watcher in desk.watchers:
            watcher.take(self._run, result)
        if visits:
            desk.sightings.put(visits)
        self._count(result)
        for visit, news in visits:
            if news and visit.present and decided(visit):
                desk.metrics.verdict(self._source, visit.state)

    def close(self) -> None:
        """Hand over what is left."""
        self._desk.sightings.put(self._visits.finish())
        self._taping.close()
        for watcher in self._desk.watchers:
            watcher.ended(self._run)
        self._posted.close()
        if self._home is not None and (lost := self._home.close()):
            _log.warning("%s", lost)

    def _count(self, result: Result) -> None:
        taken = result.frame.taken
        delay = None if taken is None else (datetime.now(UTC) - taken).total_seconds()
        self._desk.metrics.frame(self._source, result, delay)
        if (dropped := self._frames.dropped) > self._dropped:
            self._desk.metrics.dropped(self._source, dropped - self._dropped)
            self._dropped = dropped

    def _told(self, face: TrackedFace) -> dict[str, Any]:
        """A face as the pages are told of it; of one that is covered they are not told who it is."""
        identity = Identity(State.UNDECIDED, why="covered") if face.covered else face.identity
        return {
            "key": face.key,
            "track": face.track,
            "event": self._visits.event_of(face.track),
            "box": [round(float(value)) for value in face.box],
            "state": identity.state.value,
            "name": identity.name,
            "person": None if identity.name is None else self._desk.names.id_of(identity.name),
            "confidence": round(float(identity.confidence), 4),
            "why": identity.why,
            "looks": identity.looks,
            "covered": face.covered,
        }
