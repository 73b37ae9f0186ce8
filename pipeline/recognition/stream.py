"""The way of one source from frames to results with pictures: recognised, painted back, covered, drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from pipeline import build
from pipeline.config import Settings
from pipeline.detection.wary import WaryDetector
from pipeline.drawing.cover import Style, cover
from pipeline.drawing.draw import draw
from pipeline.faces.upright import UprightDetector
from pipeline.identity.covered import rule_of
from pipeline.outputs.outputs import About
from pipeline.progress import Report, unheard
from pipeline.protocols import Detector, Embedder, People
from pipeline.recognition.covering import Covering
from pipeline.recognition.held import given_out
from pipeline.recognition.paint import ROOM, SETTLE, WHOLE, Painter, with_pictures
from pipeline.recognition.recognise import Recogniser
from pipeline.recognition.runner import Runner
from pipeline.recognition.sparing import Sparing, once_in
from pipeline.recognition.suited import for_a_moment, for_covering, for_stills
from pipeline.sources.base import Source
from pipeline.sources.open import open_source
from pipeline.sources.stills import Photo, Photos
from pipeline.tracking.shots import marked
from pipeline.types import Frame, Image, Result

# Seconds between two close looks at a film: what they see is covered for longer around them.
CLOSELY = 1 / 3
NEARLY = 1 / 2  # the same where frames are hardly larger than what they are looked at with anyway
SELDOM = 2  # times as far apart they are where what only they see is covered for as much longer
AHEAD = 1 / 3  # seconds for which pictures are held for what is found after them to be covered in them
PIPED = 3.0  # seconds for which the pictures of a pipe are held at most; a second of 1080p takes 190 MB


class Models(NamedTuple):
    """What every source of a run shares."""

    detector: Detector
    embedder: Embedder
    people: People


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
        self.about = About(source, self.fps, fingerprint, dimension, once)
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
            times = once_in(apart, source.fps, settings.det.every)
            sparing = Sparing(made.detector, times, apart, instead=near and self._again)
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
        # As it is by now: whoever was forgotten while results were held back is named nowhere.
        result = replace(result, blur=self.recogniser.blur)
        if self._covers and result.frame.image.size:
            # A picture that was read again is nobody else's.
            result = _covered(result, self._settings.blur.style, in_place=self._again)
            spent["cover"] = time.perf_counter() - started
        if not self._drawn:
            return replace(result, seconds=spent), None
        started = time.perf_counter()
        image = draw(result.frame.image, result.faces)
        spent["draw"] = time.perf_counter() - started
        return replace(result, seconds=spent), image


def _covered(result: Result, style: Style, in_place: bool) -> Result:
    """The result with a picture in which what is to be covered is.

    Raises:
        ValueError: nobody said what that is, a bug: such a picture must not be shown.
    """
    if result.covers is None:
        raise ValueError("a picture that should have been covered was not")
    image = cover(result.frame.image, result.covers, style, in_place)
    return replace(result, frame=replace(result.frame, image=image))
