"""From results to visits: a track that was looked at, from when it came to when it left, as one event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from pipeline.api import Frame, Image, Result, State, TrackedFace, cutout
from pipeline.service.ids import utc

SIDE = 160  # longer side of a thumbnail, pixels
BETTER = 1.1  # how much better a look must be for another thumbnail
RENEWED = 2.0  # seconds after which a visit that goes on is told to the store again
_BLANK = np.zeros((SIDE, SIDE, 3), np.uint8), np.array([0, 0, SIDE, SIDE], np.float32)


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a track, as far as it is known. Times are UTC, as the service tells them."""

    id: str  # run-track
    source: str
    run: str  # of the tape
    track: int
    at: str
    until: str
    seconds: float  # on the source's clock, when it began
    present: bool
    state: str
    name: str | None
    person: str | None  # the gallery's id
    confidence: float
    why: str
    looks: int
    box: tuple[int, int, int, int]  # of the best look, pixels
    thumbnail: bytes | None  # JPEG, where there is a better one than the last time


@dataclass(slots=True)
class _Track:
    visit: Visit
    seen: float  # seconds on the source's clock
    told: float
    quality: float  # of the look in the thumbnail
    covered: bool  # the face in it


class Visits:
    """The visits of one run of a source. Give `take` every result in order, then `finish`."""

    def __init__(self, source: str, run: str, id_of: Callable[[str], str | None], patience: float) -> None:
        """
        Args:
            id_of: the id of the person enrolled under a name.
            patience: seconds after which a track that is not seen has left.
        """
        self._source, self._run, self._id_of, self._patience = source, run, id_of, patience
        self._tracks: dict[int, _Track] = {}

    def take(self, result: Result) -> Iterator[tuple[Visit, bool]]:
        """Visits that have to be kept, and whether something about them is news for people."""
        frame = result.frame
        now = self._time(frame)
        qualities: dict[int, float] = {}
        for look in result.looks:
            qualities[look.track] = max(look.quality, qualities.get(look.track, 0.0))
        for number in [n for n, each in self._tracks.items() if frame.seconds - each.seen > self._patience]:
            yield self._left(number), True
        for face in result.faces:
            if face.track >= 0 and (face.track in self._tracks or face.track in qualities):
                yield from self._see(face, qualities.get(face.track), frame, now)

    def finish(self) -> Iterator[tuple[Visit, bool]]:
        """The visits that were still going on have ended."""
        for number in list(self._tracks):
            yield self._left(number), True

    def event_of(self, track: int) -> str | None:
        """The id of the event of a track that is in view, once it has one."""
        return self._tracks[track].visit.id if track in self._tracks else None

    def _see(
        self, face: TrackedFace, quality: float | None, frame: Frame, now: str
    ) -> Iterator[tuple[Visit, bool]]:
        before = self._tracks.get(face.track)
        # A face that is covered by now must not be seen in an earlier picture; one that is not any more is
        # better seen in a later one.
        turned = before is not None and before.covered != face.covered
        better = quality is not None and (before is None or quality > BETTER * before.quality)
        picture = self._picture(face, frame.image) if better or turned else None
        if picture is None and turned and face.covered:
            picture = cutout(*_BLANK, SIDE)
        if before is None:
            begun = self._begun(face, frame.seconds, now)
            visit = self._judged(begun, face, now, picture)
            self._tracks[face.track] = _Track(
                visit, frame.seconds, frame.seconds, quality or 0.0, face.covered
            )
            yield visit, True
            return
        old = before.visit
        visit = self._judged(old, face, now, picture)
        if picture is not None:
            visit, before.quality = replace(visit, box=_whole(face)), quality or 0.0
            before.covered = face.covered
        before.seen, before.visit = frame.seconds, replace(visit, thumbnail=None)
        news = (old.state, old.name) != (visit.state, visit.name)
        if news or picture is not None or frame.seconds - before.told >= RENEWED:
            before.told = frame.seconds
            yield visit, news

    def _begun(self, face: TrackedFace, seconds: float, now: str) -> Visit:
        """A visit of which nothing is known yet."""
        return Visit(
            f"{self._run}-{face.track}",
            self._source,
            self._run,
            face.track,
            at=now,
            until=now,
            seconds=seconds,
            present=True,
            state=State.UNDECIDED.value,
            name=None,
            person=None,
            confidence=0.0,
            why="",
            looks=0,
            box=_whole(face),
            thumbnail=None,
        )

    def _judged(self, visit: Visit, face: TrackedFace, now: str, picture: bytes | None) -> Visit:
        """A visit with what is known now. Who is not enrolled any more by now is not named."""
        identity = face.identity
        person = None if identity.name is None else self._id_of(identity.name)
        if identity.name is not None and person is None:
            identity = replace(identity, state=State.UNDECIDED, name=None, why="")
        return replace(
            visit,
            until=now,
            state=identity.state.value,
            name=identity.name,
            person=person,
            confidence=round(float(identity.confidence), 4),
            why=identity.why,
            looks=identity.looks,
            thumbnail=picture,
        )

    def _left(self, number: int) -> Visit:
        return replace(self._tracks.pop(number).visit, present=False, thumbnail=None)

    def _picture(self, face: TrackedFace, image: Image) -> bytes | None:
        box = face.box if face.face is None else face.face
        return cutout(image, np.asarray(box, np.float32), SIDE) if image.size else None

    def _time(self, frame: Frame) -> str:
        """When a frame was taken or, of a film, when it is shown."""
        if frame.taken is not None:
            return utc(frame.taken)
        return utc(datetime.now(UTC))


def _whole(face: TrackedFace) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(float(value)) for value in face.box)
    return left, top, right, bottom


def decided(visit: Visit) -> bool:
    """Whether there is a verdict."""
    return visit.state != State.UNDECIDED.value
