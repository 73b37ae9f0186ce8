"""What happened, as lines for other programs and as a summary for people.

    with EventLog("events.jsonl") as log:
        events = Events()
        for result in results:
            log.write(events.update(result))
        log.write(events.finish())

Events tell of tracks: `entered`, `recognised`, `unknown`, `left`. A verdict that is revised is told again,
with the name it replaces as `previous`. Embeddings never appear in them, pictures only where asked for
(`snapshots`).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pipeline.errors import SinkError
from pipeline.types import Result, State, TrackedFace

SCHEMA = 1  # of the fields of an event; one more whenever a field goes or means something else
Kind = Literal["entered", "recognised", "unknown", "left"]
PATIENCE = 1.0  # seconds for which a track may be absent before it has left


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a track."""

    event: Kind
    seconds: float  # on the source's clock; of `left`, when the track was last seen
    frame: int  # index of the frame at `seconds`
    source: str
    track: int
    box: tuple[int, int, int, int]  # x1 y1 x2 y2, pixels
    name: str | None = None
    confidence: float | None = None
    previous: str | None = None  # the name that was told before and is taken back
    first_seconds: float | None = None  # of `left`
    last_seconds: float | None = None  # of `left`
    id: str | None = None  # unlike that of any other event of any run
    time: str | None = None  # UTC, ISO 8601; of live sources
    snapshot: str | None = None  # path of a JPEG
    thumbnail: str | None = None  # a small JPEG, base64
    blur: tuple[str, ...] | None = None  # whose faces were covered, as `blur.who` says it

    def as_dict(self) -> dict[str, Any]:
        """For JSON: fields without a value left out, times to the millisecond."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["box"] = list(self.box)
        values["blur"] = None if self.blur is None else list(self.blur)
        for name in ("seconds", "confidence", "first_seconds", "last_seconds"):
            if values[name] is not None:
                values[name] = round(values[name], 3)
        return {name: value for name, value in values.items() if value is not None}

    def as_message(self) -> dict[str, Any]:
        """As it is written and sent to other programs, with the version of its fields."""
        return {"schema": SCHEMA} | self.as_dict()


@dataclass(slots=True)
class _Seen:
    """What has been told of a track that is present."""

    face: TrackedFace
    source: str
    frame: int
    first_seconds: float
    last_seconds: float
    utc: str | None  # when it was last seen, by the wall clock
    told: State = State.UNDECIDED
    name: str | None = None


class Events:
    """Turns results into events; keeps what it has told of each track that is present.

    Args:
        patience: for how many seconds a track may be absent before it has `left`. A track that comes back
            later has `entered` again.
        run: what the ids of events begin with; without it they have none.
    """

    def __init__(self, patience: float = PATIENCE, run: str = "") -> None:
        self._patience = patience
        self._blur: tuple[str, ...] | None = None  # of the last result
        self._run, self._told = run, 0
        self._present: dict[int, _Seen] = {}

    def update(self, result: Result) -> list[Event]:
        """What is new in `result`. Unconfirmed faces (track -1) are no events."""
        frame, self._blur = result.frame, result.blur or None
        gone = [t for t, seen in self._present.items() if frame.seconds - seen.last_seconds > self._patience]
        events = [_left(self._present.pop(track)) for track in gone]
        for face in result.faces:
            if face.track < 0:
                continue
            seen = self._present.get(face.track)
            if seen is None:
                seen = _Seen(face, frame.source, frame.index, frame.seconds, frame.seconds, frame.utc)
                self._present[face.track] = seen
                events.append(_event("entered", seen))
            seen.face, seen.source, seen.utc = face, frame.source, frame.utc
            seen.frame, seen.last_seconds = frame.index, frame.seconds
            events += _verdict(seen)
        return self._marked(events)

    def finish(self) -> list[Event]:
        """`left` for every track that is still present; nothing is present afterwards."""
        events = [_left(seen) for seen in self._present.values()]
        self._present.clear()
        return self._marked(events)

    def _marked(self, events: list[Event]) -> list[Event]:
        """The events with their ids."""
        marked = []
        for event in events:
            self._told += 1
            event = replace(event, blur=self._blur)
            marked.append(replace(event, id=f"{self._run}-{self._told}") if self._run else event)
        return marked


class EventLog:
    """Appends events to a file as JSON lines, each of them written out at once.

    The file is made readable by its owner only, as it says who was where; one that exists is appended to and
    keeps its permissions. With `path` None nothing is written.

    Raises:
        SinkError: the file cannot be opened, or not be written to (disk full).
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = path
        self._file: int | None = None
        if path is not None:
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            except (OSError, ValueError) as error:
                raise SinkError(f"cannot write {path}: {getattr(error, 'strerror', '') or error}") from error

    def write(self, events: Iterable[Event]) -> None:
        """Append a line for each event."""
        if self._file is None:
            return
        events = list(events)
        if not events:
            return
        try:
            # Put aside by another source, or by a program such as logrotate.
            if stat.S_ISREG(os.fstat(self._file).st_mode) and not self._is_current():
                self._reopen()
        except OSError as error:
            raise SinkError(f"cannot write {self._path}: {error.strerror}") from error
        for event in events:
            # One write for a whole line: other programs may be reading along.
            text = json.dumps(event.as_message(), ensure_ascii=False, allow_nan=False)
            # File names that are not UTF-8 reach Python as lone surrogates; escaped, they are JSON again.
            line = text.encode(errors="backslashreplace") + b"\n"
            try:
                while line:
                    line = line[os.write(self._file, line) :]
            except OSError as error:
                raise SinkError(f"cannot write {self._path}: {error.strerror}") from error

    def size(self) -> int:
        """Bytes of the file, as far as it is one; 0 without."""
        return 0 if self._file is None else os.fstat(self._file).st_size

    def put_aside(self) -> None:
        """Go on in a new file; the one so far gets a name with the time: `events-20261128T120000Z.jsonl`.

        Another source, or another process, that appends to the same file goes on in the new one as well (see
        `write`). What is no ordinary file stays.

        Raises:
            SinkError: it cannot be renamed, or not be made again.
        """
        if self._file is None or not stat.S_ISREG(os.fstat(self._file).st_mode):
            return
        path = Path(self._path or "").resolve()
        try:
            if self._is_current():
                aside = _free(path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
                os.rename(path, aside)
            self._reopen()
        except OSError as error:
            raise SinkError(f"cannot put {self._path} aside: {error.strerror}") from error

    def _is_current(self) -> bool:
        """Whether the file that is open is still the one of that name."""
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path or ""))
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        assert self._file is not None
        opened = os.open(self._path or "", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.close(self._file)
        self._file = opened

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _free(path: Path, stamp: str) -> Path:
    """A name for `path` with a time in it that nothing has yet."""
    aside, number = path.with_name(f"{path.stem}-{stamp}{path.suffix}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}-{stamp}-{number}{path.suffix}")
    return aside


def _verdict(seen: _Seen) -> list[Event]:
    """The event for a verdict that differs from the one told last; falling back to undecided is none."""
    identity = seen.face.identity
    if identity.state is State.UNDECIDED or (identity.state, identity.name) == (seen.told, seen.name):
        return []
    kind: Kind = "recognised" if identity.state is State.NAMED else "unknown"
    event = _event(kind, seen, previous=seen.name)
    seen.told, seen.name = identity.state, identity.name
    return [event]


def _left(seen: _Seen) -> Event:
    return _event("left", seen, first_seconds=seen.first_seconds, last_seconds=seen.last_seconds)


def _event(
    kind: Kind,
    seen: _Seen,
    *,
    previous: str | None = None,
    first_seconds: float | None = None,
    last_seconds: float | None = None,
) -> Event:
    face, decided = seen.face, kind in ("recognised", "unknown")
    left, top, right, bottom = (round(float(value)) for value in face.box)
    return Event(
        event=kind,
        seconds=seen.last_seconds,
        frame=seen.frame,
        source=seen.source,
        track=face.track,
        box=(left, top, right, bottom),
        name=face.identity.name if kind == "recognised" else seen.name if kind == "left" else None,
        confidence=float(face.identity.confidence) if decided else None,
        previous=previous,
        first_seconds=first_seconds,
        last_seconds=last_seconds,
        time=seen.utc,
    )
