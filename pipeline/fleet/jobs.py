"""What there is to do for an archive, and what comes of it: values that travel between driver and workers.

None of them holds a frame, an embedding, or anybody's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config import Settings
from pipeline.sources.part import Part

WHOLE = "whole"  # what a film that is not cut is called among parts
STATE = ".recog-archive"  # folder below the output that holds what is not finished, and the list of what is


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is the same for all films."""

    films: Path  # the folder
    out: Path
    gallery: Path | None
    settings: Settings
    longest: float  # seconds from which a film is cut into parts; 0 for never
    secrets: Mapping[str, str] = field(repr=False)  # of the gallery's server
    made_with: str  # models and settings, as `worker.made_with` says; a worker that has others is refused

    def work_of(self, key: str) -> Path:
        """Where the parts of a film are until it is whole."""
        return self.out / STATE / key


@dataclass(frozen=True, slots=True)
class Look:
    """Find out which film it is, and where it can be cut."""

    film: str  # its path below the folder


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found out of a film."""

    digest: str  # of its content
    size: int
    modified: int  # nanoseconds
    seconds: float  # its length, as far as it is known
    parts: tuple[Part, ...]  # none: it is only read as a whole
    times: tuple[float, ...] = ()  # of each frame; where there are several parts


@dataclass(frozen=True, slots=True)
class Recognise:
    """Recognise a film, or a part of it."""

    film: str
    key: str  # of film, models and settings
    attempt: str  # in the names of what it writes
    part: Part | None = None

    @property
    def name(self) -> str:
        """Of what is written of it."""
        return WHOLE if self.part is None else f"{self.part.first}-{self.part.end}"


@dataclass(frozen=True, slots=True)
class Recognised:
    """What came of it."""

    tape: str  # names in the film's work folder
    events: str
    frames: int
    seconds: float  # of the film
    spent: float  # seconds of the clock on the wall
    complaint: str | None = None  # what of the film could not be read


@dataclass(frozen=True, slots=True)
class Join:
    """Put what was recognised of a film in its place."""

    film: str
    key: str
    parts: tuple[Recognised, ...]
    times: tuple[float, ...]  # of the film's frames, where there are several


@dataclass(frozen=True, slots=True)
class Joined:
    """It is in its place."""

    tape: Path
    events: Path


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing came of it."""

    why: str  # in one line
    trace: str = ""  # of a bug
    other_frames: bool = False  # a part was not what the film's index says; the whole may do


Task = Look | Recognise | Join
Outcome = Looked | Recognised | Joined | Failed
