"""An archive of films made into tapes and events, by whatever workers there are.

What is done is known by content: a film, the models and the settings make a key, and a key that is on the
list is done. A film on its way has a folder of that key, with what is finished of its parts: the next run
goes on from there after a crash.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import SinkError
from pipeline.fleet.crew import Crew, Died
from pipeline.fleet.jobs import (
    WHOLE,
    Failed,
    Join,
    Joined,
    Look,
    Looked,
    Outcome,
    Recipe,
    Recognise,
    Recognised,
    Task,
)
from pipeline.fleet.records import Record, Records
from pipeline.fleet.worker import PLACING, done_before, places_of
from pipeline.outputs.file import check_place
from pipeline.progress import Progress, Report, silent, unheard

TRIES = 3  # workers that a task may take with it before it is given up
_WAIT = 0.5  # seconds between two looks at whether to stop


@dataclass(slots=True)
class Archived:
    """What an archive amounted to."""

    films: int
    done: list[str] = field(default_factory=list)  # by this run
    before: list[str] = field(default_factory=list)  # by one before
    same: dict[str, str] = field(default_factory=dict)  # has the content of the other, which is done
    failed: dict[str, str] = field(default_factory=dict)  # and why
    complaints: dict[str, str] = field(default_factory=dict)  # what of a film could not be read
    traces: dict[str, str] = field(default_factory=dict)  # of bugs
    frames: int = 0
    film_seconds: float = 0.0  # of what this run has recognised
    seconds: float = 0.0  # that it took
    died: int = 0  # workers that were lost
    interrupted: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        speed = self.film_seconds / self.seconds if self.seconds else 0.0
        return {
            "films": self.films,
            "done": len(self.done),
            "done_before": len(self.before),
            "same_content": self.same,
            "failed": self.failed,
            "complaints": self.complaints,
            "frames": self.frames,
            "film_seconds": round(self.film_seconds, 3),
            "seconds": round(self.seconds, 3),
            "times_real_time": round(speed, 2),
            "workers_lost": self.died,
            "interrupted": self.interrupted,
        }


@dataclass(slots=True)
class _Film:
    """A film on its way."""

    looked: Looked
    key: str
    names: list[str]  # of its parts, in order
    found: dict[str, Recognised] = field(default_factory=dict)


class Archive:
    """Drives the work on one archive."""

    def __init__(
        self,
        recipe: Recipe,
        films: Sequence[str],
        records: Records,
        overwrite: bool = False,
        report: Report = unheard,
        progress: Progress = silent,
    ) -> None:
        """
        Args:
            films: paths below `recipe.films`.
            overwrite: what stands in a film's place and is not of this archive may be replaced.
            report: is told in a line of each film that failed, and of each worker that was lost.
            progress: is told how many seconds of film are recognised, of how many.
        """
        self._recipe, self._records, self._overwrite = recipe, records, overwrite
        self._report, self._progress = report, progress
        self._todo: deque[Task] = deque()
        self._films: dict[str, _Film] = {}
        self._keys: dict[str, str] = {}  # of the films on their way
        self._twins: dict[str, str] = {}  # films that wait for another of the same content
        self._tries: dict[tuple[type, str, str], int] = {}
        self._running = 0
        self._unlooked = set[str]()  # films whose length is not known yet
        self._known, self._recognised = 0.0, 0.0  # seconds of film
        self.archived = Archived(len(films))
        for film in films:
            self._begin(film)

    def run(self, crew: Crew, stopped: Callable[[], bool] = lambda: False) -> Archived:
        """Do all of it, or what is done until somebody says to stop.

        Raises:
            PipelineError: no worker can begin.
            SinkError: the list of what is done cannot be written.
        """
        started, archived = time.monotonic(), self.archived
        self._tell()
        while (self._todo or self._running) and not stopped():
            while self._todo and crew.free():
                crew.give(self._todo.popleft())
                self._running += 1
            for task, outcome in crew.wait(_WAIT):
                self._running -= 1
                self._take(task, outcome)
                self._tell()
        archived.interrupted = bool(self._todo or self._running)
        archived.seconds = time.monotonic() - started
        return archived

    def _begin(self, film: str) -> None:
        """Look at a film, unless it is the file that is on the list."""
        record, path = self._records.of(film), self._recipe.films / film
        if (
            record is not None and self._placed(film) and path.exists()
        ):  # else looking at it says what is wrong
            about = path.stat()
            unchanged = (record.size, record.modified) == (about.st_size, about.st_mtime_ns)
            if unchanged and record.key == self._key(record.digest):
                self.archived.before.append(film)
                return
        self._unlooked.add(film)
        self._todo.append(Look(film))

    def _take(self, task: Task, outcome: Outcome | Died) -> None:
        """Go on with a film after what came of a task."""
        match outcome:
            case Died():
                self._again(task, outcome)
            case Failed() if outcome.other_frames:
                self._whole(task.film)
            case Failed():
                self._fail(task.film, outcome.why, outcome.trace)
            case Looked():
                self._looked(task.film, outcome)
            case Recognised():
                self._part(task, outcome)
            case Joined():
                self._done(task.film)

    def _again(self, task: Task, died: Died) -> None:
        name = task.name if isinstance(task, Recognise) else ""
        tries = self._tries[type(task), task.film, name] = (
            self._tries.get((type(task), task.film, name), 0) + 1
        )
        self.archived.died += 1
        if tries >= TRIES:
            self._fail(task.film, f"it took {tries} workers with it ({died.why}); try it with `recog run`")
            return
        self._report(f"{task.film}: a worker was lost ({died.why}); the others go on with what it had")
        if isinstance(task, Recognise):
            task = self._attempt(task.film, task.key, task.part)
        self._todo.appendleft(task)

    def _looked(self, film: str, looked: Looked) -> None:
        self._unlooked.discard(film)
        key = self._key(looked.digest)
        record = self._records.by_key(key)
        if record is not None and self._placed(record.film):
            if record.film == film:  # it was touched, not changed
                self.archived.before.append(film)
            else:
                self.archived.same[film] = record.film
            return
        if key in self._keys:
            self._twins[film] = self._keys[key]
            return
        try:
            self._check_places(film, key)
        except SinkError as error:
            self._fail(film, str(error))
            return
        self._keys[key] = film
        self._known += looked.seconds
        parts = looked.parts if len(looked.parts) > 1 else ()
        made = [self._attempt(film, key, part) for part in parts] or [self._attempt(film, key, None)]
        known = done_before(self._recipe.work_of(key))
        one = self._films[film] = _Film(looked, key, [each.name for each in made])
        one.found = {name: known[name] for name in one.names if name in known}
        self._recognised += sum(each.seconds for each in one.found.values())
        if len(one.found) == len(one.names):
            self._join(film)
        else:
            self._todo.extendleft(each for each in reversed(made) if each.name not in one.found)

    def _part(self, task: Task, found: Recognised) -> None:
        assert isinstance(task, Recognise)
        self.archived.frames += found.frames
        self.archived.film_seconds += found.seconds
        self._recognised += found.seconds
        one = self._films.get(task.film)
        if one is None or task.name not in one.names:
            return  # the film has failed, or is recognised as a whole by now
        one.found[task.name] = found
        if len(one.found) == len(one.names):
            self._join(task.film)

    def _whole(self, film: str) -> None:
        """A film whose parts are not what they should be is recognised as one."""
        one = self._films.get(film)
        if one is None or one.names == [WHOLE]:
            return
        self._todo = deque(each for each in self._todo if each.film != film)
        one.names, one.found = [WHOLE], {}
        self._todo.appendleft(self._attempt(film, one.key, None))

    def _join(self, film: str) -> None:
        one = self._films[film]
        parts = tuple(one.found[name] for name in one.names)
        self._todo.appendleft(Join(film, one.key, parts, one.looked.times if len(parts) > 1 else ()))

    def _done(self, film: str) -> None:
        one, recipe = self._films.pop(film), self._recipe
        parts = [one.found[name] for name in one.names]
        complaint = next((each.complaint for each in parts if each.complaint), None)
        looked, now = one.looked, datetime.now(UTC).isoformat(timespec="seconds")
        frames, seconds = sum(each.frames for each in parts), sum(each.seconds for each in parts)
        about = looked.digest, looked.size, looked.modified
        self._records.add(Record(film, one.key, *about, frames, round(seconds, 3), complaint, now))
        shutil.rmtree(recipe.work_of(one.key), ignore_errors=True)
        self._keys.pop(one.key)
        self.archived.done.append(film)
        if complaint is not None:
            self.archived.complaints[film] = complaint
        self._settle_twins(film)

    def _fail(self, film: str, why: str, trace: str = "") -> None:
        if film in self.archived.failed:
            return  # by another part of it
        self._unlooked.discard(film)
        one = self._films.pop(film, None)
        if one is not None:
            self._keys.pop(one.key)
        self._todo = deque(each for each in self._todo if each.film != film)
        self.archived.failed[film] = why
        if trace:
            self.archived.traces[film] = trace
        self._report(f"{film}: {why}")
        self._settle_twins(film, why)

    def _settle_twins(self, film: str, why: str | None = None) -> None:
        for twin in [each for each, other in self._twins.items() if other == film]:
            del self._twins[twin]
            if why is None:
                self.archived.same[twin] = film
            else:
                self.archived.failed[twin] = f"it is the same film as {film}: {why}"

    def _attempt(self, film: str, key: str, part: Any) -> Recognise:
        return Recognise(film, key, secrets.token_hex(4), part)

    def _key(self, digest: str) -> str:
        return hashlib.sha256(f"{digest} {self._recipe.made_with}".encode()).hexdigest()[:32]

    def _placed(self, film: str) -> bool:
        return all(each.exists() for each in places_of(self._recipe.out, film))

    def _check_places(self, film: str, key: str) -> None:
        """Refuse to replace what is not of this archive, unless that is meant.

        Raises:
            SinkError: in one line, what is there.
        """
        if self._overwrite or (self._recipe.work_of(key) / PLACING).exists():
            return
        for place in places_of(self._recipe.out, film):
            if place.exists():
                what = "is of a run with other models or settings" if self._records.of(film) else "exists"
                raise SinkError(f"{place} {what}; choose another --out, or replace it with --overwrite")
            if place.parent.is_dir():
                check_place(place)

    def _tell(self) -> None:
        ended = self.archived
        count = len(ended.done) + len(ended.before) + len(ended.same) + len(ended.failed)
        total = None if self._unlooked else round(max(self._known, self._recognised))
        self._progress(
            f"archive: {count} of {ended.films} films, seconds of film", round(self._recognised), total
        )
