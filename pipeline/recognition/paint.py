"""Names painted back: a frame is given out only when enough of its tracks' future is known.

What is held back are results without their pictures, so that memory does not grow with a film; where pictures
are wanted, the film is read a second time (`with_pictures`). A live source keeps its pictures, for as many
seconds as it is delayed.

A frame that is given out carries the verdicts of now, not of then, and boxes between two sightings of a face
are interpolated. A face that was to be covered by the verdict of then stays so, whatever is known by now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.types import UNDECIDED, Frame, Identity, Image, Result, State, TrackedFace

WHOLE = 10.0  # seconds that a film's undecided track is followed before its first frame is given out
SETTLE = 2.0  # seconds for which a verdict has to stand before frames are given out on it
_BRIDGE = 0.5  # seconds without a sighting over which boxes are interpolated
_SOON = 1.0  # seconds in which a track that goes over to somebody else may not have been noticed to

ROOM = 1 << 30  # bytes; 6 s of 1920 x 1080 at 30 frames a second
_RESULT, _FACE = 2048, 1024  # bytes that a result and a face in it take, about

_NO_PICTURE: Image = np.zeros((0, 0, 3), np.uint8)


@dataclass(slots=True)
class _Stretch:
    """A part of a track that belongs to one person; where the name changes, another one begins."""

    begin: int  # index of the first frame
    track: int
    identity: Identity
    since: float  # seconds at which this verdict was first reached


@dataclass(slots=True)
class _Track:
    last_seen: float
    last_index: int
    stretches: list[_Stretch]
    sightings: deque[tuple[float, TrackedFace]] = field(default_factory=deque)  # not yet passed, and one

    def take(self, face: TrackedFace, index: int, seconds: float) -> None:
        """Take in what the newest frame says of it."""
        last, now = self.stretches[-1], face.identity
        changed = (now.state, now.name) != (last.identity.state, last.identity.name)
        if now.state is State.NAMED and last.identity.name not in (None, now.name):
            # From one name to another: the track has gone over to somebody else, and what was said of the
            # frames before stays said.
            self.stretches.append(_Stretch(self.last_index + 1, face.track, now, seconds))
        else:
            last.track, last.identity = face.track, now
            last.since = seconds if changed else last.since
        self.last_seen, self.last_index = seconds, index
        if face.found:
            self.sightings.append((seconds, face))

    def at(self, index: int) -> _Stretch:
        """The stretch that a frame belongs to."""
        later = (each for each in reversed(self.stretches[1:]) if each.begin <= index)
        return next(later, self.stretches[0])

    def verdicts(self, index: int, seconds: float) -> list[Identity]:
        """Of a frame, and of what follows so soon that it may have been true already."""
        stretch = self.at(index)
        later = (each for each in self.stretches if each.begin > index and each.since - seconds <= _SOON)
        return [each.identity if each.track >= 0 else UNDECIDED for each in (stretch, *later)]

    def place(self, seconds: float, guess: TrackedFace | None) -> TrackedFace | None:
        """Where the face is at a time, between the sightings before and after; else the tracker's guess."""
        while len(self.sightings) > 1 and self.sightings[1][0] <= seconds:
            self.sightings.popleft()
        if not self.sightings or self.sightings[0][0] > seconds:
            return guess
        then, before = self.sightings[0]
        if then == seconds:
            return before
        if len(self.sightings) == 1 or self.sightings[1][0] - then > _BRIDGE:
            return guess
        later, after = self.sightings[1]
        share = np.float32((seconds - then) / (later - then))
        box = before.box + share * (after.box - before.box)
        landmarks = before.landmarks + share * (after.landmarks - before.landmarks)
        head = before.face
        if head is not None and after.face is not None:
            head = head + share * (after.face - head)
        return replace(before, box=box, landmarks=landmarks, face=head, found=False)


class Painter:
    """Holds the results of one source back. Give it every result in order; it gives out those that are due.

    Args:
        delay: seconds that a result is held back: exactly, if `settle` is None, else at most.
        settle: give a result out earlier, once each of its tracks has ended or has had its verdict for so
            many seconds.
        patience: seconds after which a track that is not seen has ended.
        pictures: hold the frames' pictures, too.
        room: bytes that what is held may take; of more, the oldest is given out before its time.
        covers: whether a face with this verdict is covered; None where nothing is.

    Attributes:
        shortest: seconds after which a result was given out for want of room; None if none was.
    """

    def __init__(
        self,
        delay: float,
        settle: float | None,
        patience: float,
        pictures: bool,
        room: int = ROOM,
        covers: Callable[[Identity], bool] | None = None,
    ) -> None:
        self._covers = covers
        self._room, self._taken = room, 0
        self.shortest: float | None = None
        self._delay, self._settle, self._patience = delay, settle, patience
        self._pictures = pictures
        self._held: deque[Result] = deque()
        self._tracks: dict[int, _Track] = {}
        self._now = float("-inf")

    def take(self, result: Result) -> Iterator[Result]:
        """Take one result in; yields those that are due, oldest first."""
        frame = result.frame
        self._now = frame.seconds
        for face in result.faces:
            if face.key not in self._tracks:
                first = _Stretch(frame.index, face.track, face.identity, frame.seconds)
                self._tracks[face.key] = _Track(frame.seconds, frame.index, [first])
            self._tracks[face.key].take(face, frame.index, frame.seconds)
        if not self._pictures:
            result = replace(result, frame=replace(frame, image=_NO_PICTURE))
        self._held.append(result)
        self._taken += _bytes_of(result)
        while self._held and self._due(self._held[0]):
            yield self._give_out()
        while self._taken > self._room and len(self._held) > 1:
            waited = self._now - self._held[0].frame.seconds
            self.shortest = waited if self.shortest is None else min(self.shortest, waited)
            yield self._give_out()

    def rest(self) -> Iterator[Result]:
        """What is still held back, now that nothing more will come."""
        while self._held:
            yield self._give_out()

    def _due(self, result: Result) -> bool:
        if self._now - result.frame.seconds >= self._delay:
            return True
        return self._settle is not None and all(
            self._is_settled(self._tracks[face.key], result.frame.index) for face in result.faces
        )

    def _is_settled(self, track: _Track, index: int) -> bool:
        if self._now - track.last_seen > self._patience:
            return True
        stretch = track.at(index)
        settled = stretch.identity.state is not State.UNDECIDED
        return settled and self._settle is not None and self._now - stretch.since >= self._settle

    def _give_out(self) -> Result:
        result = self._held.popleft()
        self._taken -= _bytes_of(result)
        frame = result.frame
        present = {face.key: face for face in result.faces}
        faces = []
        for key, track in self._tracks.items():
            face = track.place(frame.seconds, present.get(key))
            if face is None:
                continue
            stretch, verdicts = track.at(frame.index), track.verdicts(frame.index, frame.seconds)
            covered = False
            if self._covers is not None:
                then = present.get(key)
                covered = then is None or then.covered or any(map(self._covers, verdicts))
            faces.append(replace(face, track=stretch.track, identity=verdicts[0], covered=covered))
        self._forget(frame.seconds)
        return replace(result, faces=tuple(faces))

    def _forget(self, passed: float) -> None:
        """Drop tracks that no frame to come will show."""
        gone = [
            key
            for key, track in self._tracks.items()
            if track.last_seen <= passed and self._now - track.last_seen > self._patience
        ]
        for key in gone:
            del self._tracks[key]


def _bytes_of(result: Result) -> int:
    """About how much memory a result takes."""
    looks = sum(look.embedding.nbytes for look in result.looks)
    return result.frame.image.nbytes + _RESULT + _FACE * len(result.faces) + looks


def with_pictures(results: Iterable[Result], frames: Iterable[Frame]) -> Iterator[Result]:
    """`results` with the pictures of `frames`, the same film read again; where that ends, the results end."""
    again = iter(frames)
    for result in results:
        for frame in again:
            if frame.index == result.frame.index:
                yield replace(result, frame=frame)
                break
