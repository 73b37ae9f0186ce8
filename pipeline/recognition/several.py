"""Several sources at once: a pipeline each; one detector, embedder, gallery and window for all of them."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from gallery.errors import GalleryError
from pipeline import build
from pipeline.config import Settings
from pipeline.errors import SinkError, SourceError, UnreachableError
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.outputs import Opened, Outputs
from pipeline.outputs.summary import Summary
from pipeline.outputs.window import Window, can_show
from pipeline.progress import Report, unheard
from pipeline.recognition.engine import Ended, models
from pipeline.recognition.mosaic import Mosaic
from pipeline.recognition.shared_people import SharedPeople
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.base import Source
from pipeline.sources.live import Live
from pipeline.sources.open import open_source
from pipeline.types import Image
from pipeline.words import counted
from siamese.interrupt import StopRequest, stop_requested

_log = logging.getLogger(__name__)
_LOOK = 0.1  # seconds between looks at the window where no source has anything new


def recognise_all(
    specs: Sequence[str],
    outputs: Sequence[Outputs],
    gallery: Path | None,
    settings: Settings,
    delay: float | None = None,
    report: Report = unheard,
    warn: Report = _log.warning,
) -> list[Ended]:
    """Run over several sources at once until all have ended, the window is closed, or a signal.

    A source that fails ends alone, and so does one whose outputs cannot be written: its `Ended.complaint`
    says why, and the others go on. A camera or stream that cannot be reached yet is waited for, unless none
    can.

    Args:
        specs, outputs: what `--source` takes, and where the results of each go.
        gallery, settings, delay, report, warn: as for `pipeline.recognition.engine.recognise`.

    Raises:
        PipelineError, SiameseError, GalleryError: what the user can mend, before any output is touched.
    """
    for spec, wanted in zip(specs, outputs, strict=True):
        wanted.check(spec, [*specs, *([] if gallery is None else [gallery])])
    if any(each.window for each in outputs) and not can_show():
        raise SinkError("--show: there is no screen here; leave it out, or write videos with --out")
    with ExitStack() as stack:
        made = stack.enter_context(models(gallery, settings, report, warn))
        sources = _opened(specs, settings, report, stack)

        def halt() -> None:
            for source in sources:
                source.halt()

        asked = stack.enter_context(stop_requested(halt))
        unasked = can_show() and any(source.live for source in sources)
        shown = any(unasked if each.window is None else each.window for each in outputs)
        ledger = Ledger(build.gallery_path(gallery))
        run = _Run(made, settings, delay, shown, asked, ledger, report)
        run.follow(specs, sources, outputs)
        return run.ended


def _opened(
    specs: Sequence[str], settings: Settings, report: Callable[[str], None], stack: ExitStack
) -> list[Source]:
    """All sources, opened at the same time; `stack` closes them.

    Raises:
        SourceError: one that cannot come later cannot be opened, or none can be reached.
    """

    def opened(spec: str) -> Source:
        return open_source(
            spec, stream=settings.stream, hardware=settings.runtime.decoder, report=report, waiting=True
        )

    with ThreadPoolExecutor(len(specs)) as threads:
        coming = [threads.submit(opened, spec) for spec in specs]
    sources = [stack.enter_context(each.result()) for each in coming if each.exception() is None]
    for each in coming:
        each.result()  # raises
    away = [each for each in sources if isinstance(each, Live) and not each.condition.up]
    if len(away) == len(sources):
        raise UnreachableError("; ".join(each.failure for each in away))
    return sources


def own_videos(folder: Path, specs: Sequence[str]) -> list[Path]:
    """A video for each source, in `folder`, named after it; the folder is made.

    Raises:
        SinkError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"{folder}: with several sources, --out is a folder, and it cannot be made ({error.strerror})"
        ) from error
    paths: list[Path] = []
    for spec in specs:
        place = re.sub(r"[?#].*", "", spec).rpartition("@")[2]  # an address may hold a password
        stem = re.sub(r"[^\w.-]+", "-", Path(place).stem).strip("-.") or "source"
        stem = f"camera-{stem}" if stem.isdigit() else stem
        same = sum(path.stem.partition("+")[0].casefold() == stem.casefold() for path in paths)
        paths.append(folder / (f"{stem}+{same + 1}.mp4" if same else f"{stem}.mp4"))
    return paths


class _Run:
    """The threads of the sources, and what became of each."""

    def __init__(
        self,
        made: Models,
        settings: Settings,
        delay: float | None,
        shown: bool,
        asked: StopRequest,
        ledger: Ledger,
        report: Callable[[str], None],
    ) -> None:
        self._ledger, self._report = ledger, report
        self._made, self._settings, self._delay, self._shown = made, settings, delay, shown
        self._asked, self._stop = asked, threading.Event()
        self._people = SharedPeople(made.people)
        self._errors: list[BaseException] = []
        self._ended: dict[int, Ended] = {}

    @property
    def ended(self) -> list[Ended]:
        """How each source ended, in their order."""
        return [self._ended[place] for place in sorted(self._ended)]

    def follow(self, specs: Sequence[str], sources: Sequence[Source], outputs: Sequence[Outputs]) -> None:
        """Run them all; returns when no thread is left.

        Raises:
            BaseException: what a source's thread raised, if it is no failure of the source itself.
        """
        mosaic = Mosaic([source.name for source in sources])

        def begin(place: int) -> threading.Thread:
            def work() -> None:
                try:
                    self._ended[place] = self._one(
                        specs[place],
                        sources[place],
                        outputs[place],
                        lambda image: mosaic.put(place, image),
                        self._report if place == 0 else unheard,  # of the gallery, that all share
                    )
                except BaseException as error:  # re-raised in the caller's thread
                    self._errors.append(error)
                    self._end(sources)
                finally:
                    mosaic.changed.set()

            # A daemon, so that a source that hangs in a driver cannot keep the interpreter from ending.
            thread = threading.Thread(target=work, name=f"recog {sources[place].name}", daemon=True)
            thread.start()
            return thread

        threads = [begin(place) for place in range(len(sources))]
        try:
            with Window("recog", enabled=self._shown) as window:
                while any(thread.is_alive() for thread in threads):
                    news = mosaic.changed.wait(_LOOK)
                    mosaic.changed.clear()
                    if self._shown and news:
                        window.show(mosaic.picture())
                    if window.closed:
                        self._end(sources)
        finally:
            self._end(sources)
            for thread in threads:
                thread.join()
        if self._errors:
            raise self._errors[0]

    def _one(
        self,
        spec: str,
        source: Source,
        outputs: Outputs,
        show: Callable[[Image], None],
        report: Callable[[str], None],
    ) -> Ended:
        """One source from its first frame to its last, in a thread of its own."""
        made = self._made._replace(people=self._people.view())
        drawn = self._shown or outputs.needs_pictures
        taped = outputs.tape is not None
        stream = Stream(spec, source, made, self._settings, self._delay, drawn, self._stopped, taped, report)
        lost: str | None = None
        opened: Opened | None = None
        try:
            with (
                Opened(outputs, stream.about, self._ledger, self._report) as opened,
                stream.run() as runner,
            ):
                try:
                    for result, image in runner:
                        opened.take(result, image)
                        if image is not None and self._shown:
                            show(image)
                except (SourceError, GalleryError) as error:
                    lost = f"{error}; ended after {counted(opened.summary.frames, 'frame')}"
                opened.finish()
        except SinkError as error:  # the disk of this one may be full: the others may have another disk
            lost = f"{source.name}: {error}"
        if lost is not None:
            self._report(f"{lost}; the other sources go on")
        notes = [
            *(opened.notes if opened else []),
            *stream.notes,
            *([source.remark] if source.remark else []),
        ]
        return Ended(
            opened.summary if opened else Summary(),
            dropped=stream.dropped,
            complaint=lost or source.complaint,
            interrupted=self._asked.is_set(),
            exit_code=self._asked.exit_code or 0,
            enrolled=stream.recogniser.enrolled,
            notes=tuple(notes),
            guarantee=stream.recogniser.guarantee,
            written=opened.written if opened else frozenset(),
        )

    def _end(self, sources: Sequence[Source]) -> None:
        self._stop.set()
        for source in sources:
            source.halt()  # it may be waiting for a camera to come back

    def _stopped(self) -> bool:
        return self._stop.is_set() or self._asked.is_set()
