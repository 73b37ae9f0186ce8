"""One run over one source: recognise, draw, write, tell, sum up. `recog run` and `recog demo` are both this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import build
from pipeline.commands.shared import progress
from pipeline.config import Settings
from pipeline.draw import draw
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
    complaint: str | None = None  # what could not be read of the source
    interrupted: bool = False  # by Ctrl-C


def recognise(
    spec: str, outputs: Outputs, gallery: Path | None, settings: Settings, quiet: bool = False
) -> Ended:
    """Run over a source until it ends, its window is closed, or Ctrl-C; what was written stays playable.

    Args:
        spec: what `--source` takes.
        gallery: the gallery file; None for the user's own. A missing one counts as empty.
        quiet: print nothing.

    Raises:
        PipelineError, SiameseError, GalleryError: what the user can mend, before any output is touched.
    """
    for path in (outputs.video, outputs.events):
        if path is not None and not path.parent.is_dir():
            from pipeline.errors import SinkError

            raise SinkError(f"{path}: there is no folder {path.parent}; make it first")
    if outputs.video is not None:
        check_output(outputs.video, spec)
    if outputs.window and not can_show():
        from pipeline.errors import SinkError

        raise SinkError("--show: there is no screen here; leave it out, or write a video with --out")
    embedder = build.embedder(settings)
    people = build.people(gallery, embedder)
    try:
        detector = build.detector(settings)
        if not people.people_count and not quiet:
            print(
                "nobody is enrolled, so everybody is unknown; enroll with: recog enroll --name NAME --images DIR"
            )
        elif people.people_count:
            people.search(
                np.zeros((1, embedder.dimension), np.float32), 1
            )  # build the index before the first frame
        with open_source(spec, report=None if quiet else print) as source:
            stills = isinstance(source, Photo | Photos)
            recogniser = Recogniser(detector, embedder, people, for_stills(settings) if stills else settings)
            return _run(source, recogniser, outputs, quiet)
    finally:
        people.close()


def for_stills(settings: Settings) -> Settings:
    """Photographs are judged one by one: a single sighting counts, and nothing carries over to the next."""
    return settings.model_copy(
        update={
            "track": settings.track.model_copy(update={"confirm": 1, "patience": 0.5}),
            "evidence": settings.evidence.model_copy(update={"min_looks": 1}),
        }
    )


def _run(source: Source, recogniser: Recogniser, outputs: Outputs, quiet: bool) -> Ended:
    summary, told = Summary(), Events()
    wanted = outputs.window if outputs.window is not None else source.live

    def annotate(result: Result) -> tuple[Result, Image | None]:
        drawn = outputs.video is not None or wanted
        return result, draw(result.frame.image, result.faces) if drawn else None

    interrupted = False
    stages = [recogniser.detect, recogniser.identify, annotate]
    with (
        EventLog(outputs.events) as log,
        open_sink(outputs.video, source.fps) as sink,
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
        log.write(told.finish())
    return Ended(summary, runner.dropped, source.complaint, interrupted)
