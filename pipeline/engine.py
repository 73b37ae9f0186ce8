"""One run over one source: recognise, draw, write, tell, sum up. What `recog run` and `recog demo` do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gallery.errors import GalleryError
from pipeline import build
from pipeline.commands.shared import progress
from pipeline.config import Settings
from pipeline.draw import draw
from pipeline.errors import SinkError
from pipeline.events import EventLog, Events
from pipeline.recognise import Recogniser
from pipeline.runner import Runner
from pipeline.sinks import check_output, open_sink
from pipeline.sources import Photo, Photos, Source, open_source
from pipeline.summary import Summary
from pipeline.types import Image, Result
from pipeline.window import Window, can_show


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go."""

    video: Path | None = None
    events: Path | None = None
    window: bool | None = None  # None: for live sources, where there is a screen


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    summary: Summary
    dropped: int = 0  # frames of a live source that were not looked at
    complaint: str | None = None  # what could not be read of the source, or of the gallery
    interrupted: bool = False  # by Ctrl-C
    enrolled: int = 0  # people in the gallery at the end


def recognise(
    spec: str, outputs: Outputs, gallery: Path | None, settings: Settings, quiet: bool = False
) -> Ended:
    """Run over a source until it ends, its window is closed, or Ctrl-C; what was written stays playable.

    Args:
        spec: what `--source` takes.
        gallery: the gallery file; None for the user's own, which counts as empty while it is missing.
        quiet: print nothing.

    Raises:
        PipelineError, SiameseError, GalleryError: what the user can mend, before any output is touched.
    """
    if outputs.video is not None:
        check_output(outputs.video, spec)
    if outputs.events is not None:
        check_events(outputs.events, outputs.video)
    if outputs.window and not can_show():
        raise SinkError("--show: there is no screen here; leave it out, or write a video with --out")
    embedder = build.embedder(settings)
    people = build.people(gallery, embedder)
    try:
        detector = build.finder(settings, build.detector(settings))
        if not people.people_count and not quiet:
            how = "recog enroll --name NAME --images DIR"
            print(f"nobody is enrolled, so everybody is unknown; enroll with: {how}")
        elif people.people_count:  # build the index before the first frame
            people.search(np.zeros((1, embedder.dimension), np.float32), 1)
        with open_source(spec, report=None if quiet else print) as source:
            stills = isinstance(source, Photo | Photos)
            recogniser = Recogniser(detector, embedder, people, for_stills(settings) if stills else settings)
            ended = _run(source, recogniser, outputs, quiet)
            return replace(ended, enrolled=recogniser.enrolled)
    finally:
        people.close()


def check_events(path: Path, video: Path | None) -> None:
    """Refuse, before any work, a file that events cannot be appended to, or that would be spoiled by them.

    Raises:
        SinkError: in one line, what is wrong.
    """
    try:
        if not path.parent.is_dir():
            raise SinkError(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
        if video is not None and path.resolve() == video.resolve():
            raise SinkError(f"{path}: the video goes there; choose another file for the events")
        if path.is_file():  # pipes and devices are as welcome
            with path.open("rb") as file:
                if file.read(1) not in (b"", b"{"):
                    raise SinkError(f"{path} exists and holds no events; choose another file")
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}") from error


def for_stills(settings: Settings) -> Settings:
    """Photographs are judged one by one: one sighting, one look at every face, and nothing carries over."""
    return settings.model_copy(
        update={
            "track": settings.track.model_copy(update={"confirm": 1, "patience": 0.5}),
            "attention": settings.attention.model_copy(update={"budget": settings.det.max_faces}),
            "evidence": settings.evidence.model_copy(update={"min_looks": 1}),
        }
    )


def _run(source: Source, recogniser: Recogniser, outputs: Outputs, quiet: bool) -> Ended:
    summary, told = Summary(), Events()
    wanted = outputs.window if outputs.window is not None else source.live and can_show()
    rate = 1.0 if isinstance(source, Photos) else source.fps  # pictures are a second apart

    def annotate(result: Result) -> tuple[Result, Image | None]:
        drawn = outputs.video is not None or wanted
        return result, draw(result.frame.image, result.faces) if drawn else None

    interrupted, lost = False, None
    stages: list[Callable[[Any], Any]] = [recogniser.detect, recogniser.identify, annotate]
    with (
        EventLog(outputs.events) as log,
        open_sink(outputs.video, rate) as sink,
        Window("recog", enabled=wanted) as window,
        progress() as display,
        Runner(source, stages, live=source.live) as runner,
    ):
        task = display.add_task(source.name, total=source.frame_count, visible=not quiet)
        try:
            for result, image in runner:
                summary.update(result)
                log.write(told.update(result))
                if image is not None:
                    sink.write(image)
                    window.show(image)
                display.advance(task)
                if window.closed:
                    break
        except KeyboardInterrupt:
            interrupted = True  # what has been written so far is finished below, and stays playable
        except GalleryError as error:
            lost = f"{error}; ended after {summary.frames} frames"
        log.write(told.finish())
    return Ended(summary, runner.dropped, lost or source.complaint, interrupted)
