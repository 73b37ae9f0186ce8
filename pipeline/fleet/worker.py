"""What does the work: models and gallery open, one task after the other.

Everything is written into the film's work folder below the output, under names that no other attempt has, and
put in its place when it is whole. An attempt that is killed leaves files that the film's next one removes in
the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import traceback
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gallery.address import remember
from gallery.errors import BusyError, GalleryError
from pipeline import build
from pipeline.config import Settings
from pipeline.errors import PipelineError, SinkError, SourceError
from pipeline.faces.quality import least
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
from pipeline.fleet.joining import join_events
from pipeline.fleet.seams import parts_of
from pipeline.outputs.outputs import Opened, Outputs
from pipeline.outputs.private import private_file
from pipeline.progress import unheard
from pipeline.protocols import Detector, Embedder
from pipeline.recognition.engine import models
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.base import Source
from pipeline.sources.open import open_source
from pipeline.sources.part import index_of, open_part
from pipeline.tapes.join import join_tapes, last_track
from siamese.errors import SiameseError

_OF_RESULTS = ("det", "track", "quality", "attention", "evidence", "blur")  # settings that have a say in them
PLACING = "placing"  # a file that says: what stands in the film's place is of this archive


def made_with(embedder: Embedder, detector: Detector, settings: Settings) -> str:
    """Models and settings, as far as the results depend on them, in one text."""
    values = settings.model_dump(mode="json", include=set(_OF_RESULTS))
    for model in ("model", "person_faces"):  # a path; what counts is what is in the file
        values["det"].pop(model)
    good = least(settings.enroll)  # a look of less does not part a track (`identity.another`)
    chosen = [build.fingerprint(embedder), detector.digest, values, good]
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


class Worker:
    """Does tasks of one archive. Use it in a `with` statement, or `close` it."""

    def __init__(self, recipe: Recipe) -> None:
        """Open models and gallery.

        Raises:
            PipelineError, SiameseError, GalleryError: they cannot be used here, or are others than the
            driver's.
        """
        self._recipe = recipe
        remember(recipe.gallery, recipe.secrets)
        with ExitStack() as stack:
            self._made: Models = stack.enter_context(models(recipe.gallery, recipe.settings))
            if recipe.made_with != made_with(self._made.embedder, self._made.detector, recipe.settings):
                raise PipelineError(
                    "this worker has other models than the machine that asks for the work; install the same "
                    "recog and the same models everywhere"
                )
            self._stack = stack.pop_all()

    def do(self, task: Task) -> Outcome:
        """Do a task. What goes wrong with it, a bug included, is told as `Failed`: the next may go well."""
        try:
            match task:
                case Look():
                    return self._look(task)
                case Recognise():
                    return self._recognise(task)
                case Join():
                    return self._join(task)
        except (PipelineError, SiameseError, GalleryError) as error:
            part = isinstance(task, Recognise) and task.part is not None and isinstance(error, SourceError)
            return Failed(" ".join(str(error).split()), other_frames=part)
        except Exception as error:
            return Failed(f"{type(error).__name__}: {error}", traceback.format_exc())

    def close(self) -> None:
        """Close the gallery. May be called again."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look(self, task: Look) -> Looked:
        path = self._recipe.films / task.film
        try:
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}") from error
        known = digest, about.st_size, about.st_mtime_ns
        longest = self._recipe.longest
        index = index_of(path) if longest and not self._recipe.settings.runtime.decoder else None
        if index is None:
            with open_source(str(path), threads=1) as film:
                return Looked(*known, (film.frame_count or 0) / (film.fps or 25.0), ())
        seconds = index.seconds()
        parts = parts_of(path, index, longest)
        return Looked(*known, seconds[-1], tuple(parts), tuple(seconds) if len(parts) > 1 else ())

    def _recognise(self, task: Recognise) -> Recognised:
        recipe, path = self._recipe, self._recipe.films / task.film
        threads = recipe.settings.runtime.threads
        work = _made(recipe.work_of(task.key))
        tape, events = (f"{task.name}.{task.attempt}.{kind}" for kind in ("tape", "events"))
        done = work / f"{task.name}.json"
        source: Source
        if task.part is None:
            source = open_source(str(path), hardware=recipe.settings.runtime.decoder, threads=threads)
        else:
            source = open_part(path, task.part, threads)
        with source:
            outputs = Outputs(events=work / events, tape=work / tape, run=_run_of(task.key, task.name))
            stream = Stream(str(path), source, self._made, recipe.settings, None, False, _never, taped=True)
            with Opened(outputs, stream.about, None, unheard) as opened, stream.run() as runner:
                for result, _ in runner:
                    opened.take(result, None)
                    if not stream.recogniser.asked_all:  # the film can wait, a verdict on it is for good
                        raise BusyError(
                            "part of the gallery could not be asked, so who is in it is not known; once it "
                            "can, start the archive again"
                        )
                opened.finish()
        values = opened.summary.as_dict()
        found = Recognised(
            tape,
            events,
            values["frames"],
            values["source_seconds"],
            values["seconds"],
            source.complaint,
        )
        write_json(done, asdict(found))
        return found

    def _join(self, task: Join) -> Joined:
        recipe, work = self._recipe, self._recipe.work_of(task.key)
        tape, events = places_of(recipe.out, task.film)
        first, *others = task.parts
        ready = [(work / first.tape, tape), (work / first.events, events)]
        if others:
            joined = [(work / "joined.tape", tape), (work / "joined.events", events)]
            if not (work / PLACING).exists():
                told = [work / each.events for each in task.parts]
                last = [last_track(work / each.tape) for each in task.parts]
                run = _run_of(task.key, WHOLE)
                moved = join_events(told, last, task.times, run, joined[1][0])
                with private_file(joined[0][0]) as new, (work / first.tape).open("rb") as old:
                    shutil.copyfileobj(old, new)
                join_tapes(joined[0][0], [work / each.tape for each in others], moved[1:], run)
            ready = joined
        try:
            tape.parent.mkdir(parents=True, exist_ok=True)
            (work / PLACING).touch(mode=0o600)
            for made, place in ready:
                if made.exists():  # else an earlier attempt has put it there
                    os.replace(made, place)
        except OSError as error:
            raise SinkError(f"cannot write {tape.parent}: {error.strerror}") from error
        return Joined(tape, events)


def places_of(out: Path, film: str) -> tuple[Path, Path]:
    """Where tape and events of a film go."""
    return out / f"{film}.tape", out / f"{film}.events.jsonl"


def done_before(work: Path) -> dict[str, Recognised]:
    """What of a film was recognised already, by the name of the part."""
    found = {}
    for path in work.glob("*.json"):
        made = Recognised(**json.loads(path.read_bytes()))
        if (work / PLACING).exists() or ((work / made.tape).exists() and (work / made.events).exists()):
            found[path.stem] = made
    return found


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a file for its owner alone, whole or not at all."""
    with private_file(path) as file:
        file.write(json.dumps(values).encode())


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"cannot write {folder}: {error.strerror}") from error
    return folder


def _run_of(key: str, name: str) -> str:
    """The id of the run over a film or a part. Parts have their own: each numbers its tracks from 0."""
    return key[:12] if name == WHOLE else hashlib.sha256(f"{key} {name}".encode()).hexdigest()[:12]


def _never() -> bool:
    return False
