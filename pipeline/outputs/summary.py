"""What a run amounted to: how many frames, how fast, and who was seen when."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
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


class Summary:
    """Collects results.

    A track counts as what it was found to be last: frames from before a verdict, or under a verdict that was
    revised, belong to the person whom the track turned out to be.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.frames = 0
        self._clock = clock
        self._started = self._ended = clock()
        self._tracks: dict[int, _Track] = {}
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
            track = self._tracks.setdefault(face.track, _Track(face.identity, now, now))
            track.last_seconds = now
            track.frames += 1
            if face.identity.state is not State.UNDECIDED or track.identity.state is State.UNDECIDED:
                track.identity = face.identity

    @property
    def people(self) -> list[Person]:
        """Everybody recognised, in the order in which they were first seen."""
        people: dict[str, Person] = {}
        for track in self._tracks.values():
            name = track.identity.name
            if track.identity.state is not State.NAMED or name is None:
                continue
            person = people.get(name)
            if person is None:
                person = people[name] = Person(name, track.first_seconds, track.last_seconds, 0, 0, 0.0)
            person.first_seconds = min(person.first_seconds, track.first_seconds)
            person.last_seconds = max(person.last_seconds, track.last_seconds)
            person.frames += track.frames
            person.tracks += 1
            person.confidence = max(person.confidence, track.identity.confidence)
        return sorted(people.values(), key=lambda person: (person.first_seconds, person.name))

    def count(self, state: State) -> int:
        """How many tracks ended in `state`."""
        return sum(track.identity.state is state for track in self._tracks.values())

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
