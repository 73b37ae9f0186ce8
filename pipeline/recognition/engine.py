"""One run over one source: recognise, draw, write, tell, sum up. What `recog run` and `recog demo` do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gallery.errors import GalleryError
from pipeline import build
from pipeline.config import Settings
from pipeline.detection.wary import WaryDetector
from pipeline.drawing.cover import Style, cover
from pipeline.drawing.draw import draw
from pipeline.errors import SinkError
from pipeline.faces.upright import UprightDetector
from pipeline.identity.covered import rule_of
from pipeline.identity.guarantee import Guarantee
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.outputs import About, Opened, Outputs
from pipeline.outputs.summary import Summary
from pipeline.outputs.window import Window, can_show
from pipeline.progress import Progress, Report, silent, unheard
from pipeline.protocols import Detector, Embedder, People
from pipeline.recognition.covering import Covering
from pipeline.recognition.held import given_out
from pipeline.recognition.paint import ROOM, SETTLE, WHOLE, Painter, with_pictures
from pipeline.recognition.recognise import Recogniser
from pipeline.recognition.runner import Runner
from pipeline.recognition.sparing import Sparing, once_in
from pipeline.sources.base import Source
from pipeline.sources.open import open_source
from pipeline.sources.stills import Photo, Photos
from pipeline.tracking.cadence import PERIOD
from pipeline.tracking.shots import marked
from pipeline.types import Frame, Image, Result
from siamese.interrupt import stop_requested

_log = logging.getLogger(__name__)
MOMENT = 0.75  # seconds of a film in which a face is not looked at often enough to be decided
# Seconds between two close looks at a film: what they see is covered for longer around them.
CLOSELY = 1 / 3
NEARLY = 1 / 2  # the same where frames are hardly larger than what they are looked at with anyway
SELDOM = 2  # times as far apart they are where what only they see is covered for as much longer
AHEAD = 1 / 3  # seconds for which pictures are held for what is found after them to be covered in them
PIPED = 3.0  # seconds for which the pictures of a pipe are held at most; a second of 1080p takes 190 MB


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


class Models(NamedTuple):
    """What every source of a run shares."""

    detector: Detector
    embedder: Embedder
    people: People


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
                lost = f"{error}; ended after {opened.summary.frames} frames"
            opened.finish()
        interrupted = interrupted or asked.is_set()
        code = asked.exit_code or (130 if interrupted else 0)
        complaint = lost or source.complaint
        enrolled = stream.recogniser.enrolled
        notes = (*opened.notes, *stream.notes, *([source.remark] if source.remark else []))
        claim = stream.recogniser.guarantee
        return Ended(opened.summary, stream.dropped, complaint, interrupted, code, enrolled, notes, claim)


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
        detector = build.tracking_detector(settings)
        judge = build.judge(people, embedder, settings)
        if people.people_count:
            judge.matches(np.zeros((1, embedder.dimension), np.float32), 1)  # builds the index
        else:
            how = "recog enroll --name NAME --images DIR"
            report(f"nobody is enrolled, so everybody is unknown; enroll with: {how}")
        for line in (judge.claimed(), judge.nobody_why()):
            if line is not None:
                report(line)
        yield Models(detector, embedder, people)
    finally:
        people.close()


def for_stills(settings: Settings) -> Settings:
    """Photographs are judged one by one: one sighting, one look at every face, and nothing carries over."""
    return settings.model_copy(
        update={
            "det": settings.det.model_copy(update={"every": 1}),
            "track": settings.track.model_copy(update={"confirm": 1, "patience": 0.5}),
            "attention": settings.attention.model_copy(update={"budget": settings.det.max_faces}),
            "evidence": settings.evidence.model_copy(update={"min_looks": 1, "memory": 1}),
        }
    )


def for_a_moment(settings: Settings, source: Source) -> Settings:
    """Those for a film that is over before anybody could be followed: it is judged as a still is."""
    if source.live or not source.frame_count or not source.fps or source.frame_count / source.fps >= MOMENT:
        return settings
    every = max(1, source.frame_count // 10)  # however many frames it has in that time
    return settings.model_copy(
        update={
            "det": settings.det.model_copy(update={"every": every}),
            "track": settings.track.model_copy(update={"confirm": 1}),
            "attention": settings.attention.model_copy(update={"interval": 0.0}),
            "evidence": settings.evidence.model_copy(update={"min_looks": 1}),
        }
    )


def for_covering(settings: Settings, source: Source) -> Settings:
    """Those for a run that covers faces: no frame of a live source is shown that nobody looked for faces in.

    In a film, what was found before and after a frame is known when it is shown.
    """
    every = settings.det.every
    if source.live or every == 1:
        every = 1
    elif every != "auto":
        every = min(every, max(1, round(PERIOD * source.fps))) if source.fps else 1
    return settings.model_copy(update={"det": settings.det.model_copy(update={"every": every})})


class Stream:
    """The way of one source from frames to results that are painted back, and drawn if wanted.

    Where `settings.blur` says whose faces are covered, no picture leaves it in which they are not, that of
    `Result.frame` included.
    """

    def __init__(
        self,
        spec: str,
        source: Source,
        made: Models,
        settings: Settings,
        delay: float | None,
        drawn: bool,
        stopped: Callable[[], bool],
        taped: bool = False,
        report: Report = unheard,
    ) -> None:
        """
        Args:
            spec: with which `source` was opened, to open it again.
            drawn: pictures are wanted.
            stopped: asked before each frame; once it says yes, the source counts as ended.
            taped: looks are wanted even while nobody is enrolled.
            report: is told in a line when the gallery's calibration lapses, or there is one.

        Raises:
            ConfigError: whose faces are to be covered cannot be told.
        """
        rule = rule_of(settings.blur.who)
        self._covers = rule is not None
        if rule is not None:
            settings = for_covering(settings, source)
        self._spec, self._source, self._drawn, self._stopped = spec, source, drawn, stopped
        self._settings = settings
        self._stills = stills = isinstance(source, Photo | Photos)
        held = 0.0 if stills or source.live else WHOLE
        held = held if delay is None or stills else delay
        # Of a film, only results are held back, and its pictures are read again; those of a pipe are held.
        self._again = held > 0 and source.repeatable and drawn
        if held and drawn and not source.repeatable and not source.live:
            held = min(held, PIPED)
        self.fps = 1.0 if isinstance(source, Photos) else source.fps  # pictures are a second apart
        fingerprint, dimension = build.fingerprint(made.embedder), made.embedder.dimension
        own = for_stills(settings) if stills else for_a_moment(settings, source)
        once = own.evidence.min_looks < settings.evidence.min_looks
        self.about = About(source, self.fps, fingerprint, dimension, settings.blur.who, once)
        linger = 0.0 if stills else settings.blur.linger  # the next picture is another one
        ahead = 0.0 if source.live and not held else min(linger, linger if self._again else AHEAD)
        reach = linger
        sparing = None
        if stills:
            made = made._replace(detector=UprightDetector(made.detector))
        elif isinstance(made.detector, WaryDetector) and not source.live:
            near = source.size is not None and made.detector.is_near(source.size)
            apart = min(NEARLY if near else CLOSELY, ahead, linger)
            if self._again:  # no pictures are held, so that what comes much later may have a say, too
                apart, reach = SELDOM * apart, linger + min(linger, NEARLY)
                ahead = reach
            sparing = Sparing(made.detector, once_in(apart, source.fps, settings.det.every), apart)
        self.recogniser = Recogniser(
            *made,
            own,
            live=source.live,
            keep_looks=taped,
            report=report,
            rule=rule,
            sparing=sparing,
        )
        self._painter = Painter(
            held,
            settle=None if source.live else SETTLE,
            patience=settings.track.patience,
            pictures=not held or not source.repeatable,
            covers=None if rule is None else rule.covers,
        )
        self._covering = Covering(settings.blur, ahead, linger, reach)
        stages: list[Callable[[Any], Any]] = [self.recogniser.detect, self.recogniser.identify]
        self._analysis = Runner(self._frames(), stages, live=source.live)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked for and could not be done, in lines for people."""
        if self._painter.shortest is None:
            return ()
        return (
            f"--delay: what waited took more than {ROOM >> 30} GiB, so some frames were given out after "
            f"{self._painter.shortest:.1f} s, and names that came later are not on them",
        )

    @property
    def dropped(self) -> int:
        """How many frames of a live source were not looked at."""
        return self._analysis.dropped

    def run(self) -> Runner:
        """Yields each result with its picture, which is None where none is wanted."""
        depth = 1 if self._source.live else 4
        return Runner(self._results(), [self._annotate], depth=depth)

    def _frames(self) -> Iterator[Frame]:
        source: Iterable[Frame] = self._source
        if not self._source.live and not self._stills:
            source = marked(source, self._settings.track.patience)
        for frame in source:
            if self._stopped():
                return
            yield frame

    def _results(self) -> Generator[Result]:
        with self._analysis as analysis:
            results = given_out(analysis, self._painter)
            if self._covers:
                results = given_out(results, self._covering)
            if not self._again:
                yield from results
                return
            settings = self._settings
            with open_source(self._spec, stream=settings.stream, hardware=settings.runtime.decoder) as film:
                yield from with_pictures(results, film)

    def _annotate(self, result: Result) -> tuple[Result, Image | None]:
        started, spent = time.perf_counter(), dict(result.seconds)
        if self._covers and result.frame.image.size:
            result = _covered(result, self._settings.blur.style)
            spent["cover"] = time.perf_counter() - started
        if not self._drawn:
            return replace(result, seconds=spent), None
        started = time.perf_counter()
        image = draw(result.frame.image, result.faces)
        spent["draw"] = time.perf_counter() - started
        return replace(result, seconds=spent), image


def _covered(result: Result, style: Style) -> Result:
    """The result with a picture in which what is to be covered is.

    Raises:
        ValueError: nobody said what that is, a bug: such a picture must not be shown.
    """
    if result.covers is None:
        raise ValueError("a picture that should have been covered was not")
    return replace(result, frame=replace(result.frame, image=cover(result.frame.image, result.covers, style)))
