"""What a run amounted to: how many frames, how fast, and who was seen when."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipeline.types import Identity, Result, State


@dataclass(slots=True)
class Person:
    """One enrolled person's presence in a run; times in seconds on the source's clock."""

    name: str
    first_seconds: float
    last_seconds: float
    frames: int  # in which one of the person's tracks was seen
    tracks: int
    confidence: float  # the best of the tracks'


@dataclass(slots=True)
class _Track:
    identity: Identity
    first_seconds: float
    last_seconds: float
    frames: int = 0


KEPT = 4096  # tracks that are kept apart, the newest; who was seen that long ago does not come back as one


class Summary:
    """Collects results, in memory that does not grow with the length of a run.

    A track counts as what it was found to be last: frames from before a verdict, or under a verdict that was
    revised, belong to the person whom the track turned out to be.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.frames = 0
        self._clock = clock
        self._started = self._ended = clock()
        self._tracks: dict[int, _Track] = {}  # those seen last come last
        self._people: dict[str, Person] = {}  # of tracks that are kept no more
        self._ended_as = dict.fromkeys(State, 0)  # the same
        self._media: tuple[float, float] | None = None

    def update(self, result: Result) -> None:
        """Count a frame and the confirmed faces in it."""
        now = result.frame.seconds
        self.frames += 1
        self._ended = self._clock()
        self._media = (self._media[0] if self._media else now, now)
        for face in result.faces:
            if face.track < 0:
                continue
            track = self._tracks.pop(face.track, None) or _Track(face.identity, now, now)
            self._tracks[face.track] = track
            track.last_seconds = now
            track.frames += 1
            if face.identity.state is not State.UNDECIDED or track.identity.state is State.UNDECIDED:
                track.identity = face.identity
        while len(self._tracks) > KEPT:
            oldest = self._tracks.pop(next(iter(self._tracks)))
            self._ended_as[oldest.identity.state] += 1
            _add(self._people, oldest)

    @property
    def people(self) -> list[Person]:
        """Everybody recognised, in the order in which they were first seen."""
        people = {name: replace(person) for name, person in self._people.items()}
        for track in self._tracks.values():
            _add(people, track)
        return sorted(people.values(), key=lambda person: (person.first_seconds, person.name))

    def count(self, state: State) -> int:
        """How many tracks ended in `state`."""
        kept = sum(track.identity.state is state for track in self._tracks.values())
        return self._ended_as[state] + kept

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON or a table; `fps` is frames handled per second of the wall clock."""
        elapsed = self._ended - self._started
        media = self._media or (0.0, 0.0)
        return {
            "frames": self.frames,
            "seconds": round(elapsed, 3),
            "fps": round(self.frames / elapsed, 2) if elapsed > 0 else None,
            "source_seconds": round(media[1] - media[0], 3),
            "people": [
                {
                    "name": person.name,
                    "first_seconds": round(person.first_seconds, 3),
                    "last_seconds": round(person.last_seconds, 3),
                    "frames": person.frames,
                    "tracks": person.tracks,
                    "confidence": round(float(person.confidence), 3),
                }
                for person in self.people
            ],
            "unknown_tracks": self.count(State.UNKNOWN),
            "undecided_tracks": self.count(State.UNDECIDED),
        }


def _add(people: dict[str, Person], track: _Track) -> None:
    """Count a track for the person whom it turned out to be, if anybody."""
    name = track.identity.name
    if track.identity.state is not State.NAMED or name is None:
        return
    person = people.get(name)
    if person is None:
        person = people[name] = Person(name, track.first_seconds, track.last_seconds, 0, 0, 0.0)
    person.first_seconds = min(person.first_seconds, track.first_seconds)
    person.last_seconds = max(person.last_seconds, track.last_seconds)
    person.frames += track.frames
    person.tracks += 1
    person.confidence = max(person.confidence, track.identity.confidence)
