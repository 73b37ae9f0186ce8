"""One run over one source: recognise, draw, write, tell, sum up. What `recog run` and `recog demo` do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gallery.errors import GalleryError
from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.errors import SinkError
from pipeline.identity.guarantee import Guarantee
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.outputs import Opened, Outputs
from pipeline.outputs.summary import Summary
from pipeline.outputs.window import Window, can_show
from pipeline.progress import Progress, Report, silent, unheard
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.open import open_source
from pipeline.words import counted
from siamese.interrupt import stop_requested

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    summary: Summary
    dropped: int = 0  # frames of a live source that were not looked at
    complaint: str | None = None  # what could not be read of the source, or of the gallery
    interrupted: bool = False  # by a signal
    exit_code: int = 0  # by convention, of that signal
    enrolled: int = 0  # people in the gallery at the end
    notes: tuple[str, ...] = ()  # what was lost on the way out
    guarantee: Guarantee | None = None  # what the gallery was calibrated for
    written: frozenset[Path] = frozenset()  # of the video and the events that were asked for


def recognise(
    spec: str,
    outputs: Outputs,
    gallery: Path | None,
    settings: Settings,
    delay: float | None = None,
    report: Report = unheard,
    warn: Report = _log.warning,
    progress: Progress = silent,
) -> Ended:
    """Run over a source until it ends, its window is closed, or a signal; what was written stays playable.

    Ctrl-C, SIGTERM and SIGHUP end the source; what was read is still written. A second one ends at once.

    Args:
        spec: what `--source` takes.
        gallery: the gallery file; None for the user's own, which counts as empty while it is missing.
        delay: seconds by which frames are held back for names to reach them; by default none for live
            sources, and for files as long as their tracks need.
        report: is told in lines what is worth knowing of gallery, source and outputs.
        warn: is told in a line what nobody should miss: the gallery cannot be followed any more.
        progress: is told of the frames.

    Raises:
        PipelineError, SiameseError, GalleryError: what the user can mend, before any output is touched.
    """
    outputs.check(spec, [] if gallery is None else [gallery])
    if outputs.window and not can_show():
        raise SinkError("--show: there is no screen here; leave it out, or write a video with --out")
    with (
        models(gallery, settings, report, warn) as made,
        open_source(
            spec,
            stream=settings.stream,
            hardware=settings.runtime.decoder,
            report=report,
        ) as source,
        stop_requested(source.halt) as asked,
    ):
        wanted = outputs.window if outputs.window is not None else source.live and can_show()
        stop = threading.Event()
        drawn = wanted or outputs.needs_pictures
        stopped = lambda: stop.is_set() or asked.is_set()  # noqa: E731
        stream = Stream(spec, source, made, settings, delay, drawn, stopped, outputs.tape is not None, report)
        ledger = Ledger(build.gallery_path(gallery))
        interrupted, lost = False, None
        with (
            Opened(outputs, stream.about, ledger, report) as opened,
            Window("recog", enabled=wanted) as window,
            stream.run() as runner,
        ):
            try:
                for result, image in runner:
                    opened.take(result, image)
                    if image is not None:
                        window.show(image)
                    progress(source.name, opened.summary.frames, source.frame_count)
                    if window.closed:
                        stop.set()
                        source.halt()
            except KeyboardInterrupt:
                interrupted = True  # what has been written so far is finished below, and stays playable
            except GalleryError as error:
                lost = f"{error}; ended after {counted(opened.summary.frames, 'frame')}"
            opened.finish()
        interrupted = interrupted or asked.is_set()
        code = asked.exit_code or (130 if interrupted else 0)
        complaint = lost or source.complaint
        enrolled = stream.recogniser.enrolled
        notes = (*opened.notes, *stream.notes, *([source.remark] if source.remark else []))
        claim, written = stream.recogniser.guarantee, opened.written
        return Ended(
            opened.summary, stream.dropped, complaint, interrupted, code, enrolled, notes, claim, written
        )


@contextmanager
def models(
    gallery: Path | None, settings: Settings, report: Report = unheard, warn: Report = _log.warning
) -> Iterator[Models]:
    """The models and the gallery, ready for the first frame; closes the gallery at the end.

    Args:
        report, warn: as for `recognise`.
    """
    embedder = build.embedder(settings)
    people = build.people(gallery, embedder, warn)
    try:
        detector = detectors.tracking_detector(settings)
        judge = build.judge(people, embedder, settings)
        if people.people_count:
            judge.ratios_now(np.zeros((1, embedder.dimension), np.float32))  # builds the index
        else:
            how = "recog enroll --name NAME --images DIR"
            report(f"nobody is enrolled, so everybody is unknown; enroll with: {how}")
        for line in (judge.claimed(), judge.nobody_why()):
            if line is not None:
                report(line)
        yield Models(detector, embedder, people)
    finally:
        people.close()
