"""Where the results of one source go: what was asked for, and the open files behind it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.config import KeepSettings, MqttSettings
from pipeline.errors import SinkError
from pipeline.outputs.events import Event, EventLog, Events
from pipeline.outputs.home import Home, camera_ids, check_home
from pipeline.outputs.ledger import Kind, Ledger
from pipeline.outputs.places import Output, Use, check_outputs
from pipeline.outputs.retention import Keeper
from pipeline.outputs.snapshots import Snapshots
from pipeline.outputs.summary import Summary
from pipeline.outputs.video import check_output, open_sink
from pipeline.outputs.webhook import Webhook, check_url
from pipeline.sources.base import Source
from pipeline.tapes.tape import Run
from pipeline.tapes.writer import TapeWriter, check_tape
from pipeline.types import Image, Result


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go."""

    video: Path | None = None
    events: Path | None = None
    window: bool | None = None  # None: for live sources, where there is a screen
    webhook: str | None = None  # address that events are posted to
    snapshots: Path | None = None  # folder for one picture of each decided track
    thumbnails: bool = False  # small pictures inside the events
    tape: Path | None = None
    keep: KeepSettings = field(default_factory=KeepSettings)  # how long, of live sources
    overwrite: bool = True  # the video may replace a file, unless that is an input
    mqtt: MqttSettings = field(default_factory=MqttSettings)  # the broker that a home listens at
    camera: str = ""  # what the source is called there; made of its name if empty
    run: str = ""  # the id of the run, 12 hexadecimal digits; made up if empty

    @property
    def needs_pictures(self) -> bool:
        """Whether anything but a window needs the frames' pictures."""
        faces = self.snapshots is not None or self.thumbnails or bool(self.mqtt.url and self.mqtt.images)
        return self.video is not None or faces

    def check(self, source: str, read: Sequence[str | Path] = ()) -> None:
        """Refuse, before any work, what could not be written or would spoil something.

        Args:
            source: what is recognised in.
            read: whatever else is read meanwhile, such as other sources and the gallery.

        Raises:
            SinkError: in one line, what is wrong.
        """
        if self.video is not None:
            check_output(self.video, source)
        if self.events is not None:
            check_events(self.events, self.video)
        if self.webhook is not None:
            check_url(self.webhook)
        check_home(self.mqtt)
        if self.tape is not None:
            check_tape(self.tape)
        uses = {Use.NEW: [self.video], Use.GROWS: [self.events, self.tape], Use.FOLDER: [self.snapshots]}
        places = [Output(path, use) for use, paths in uses.items() for path in paths if path is not None]
        check_outputs(places, [source, *read], overwrite=True)  # what is there already: see `check_new`

    def check_new(self) -> None:
        """Refuse to replace a file, unless that is meant. Asked once the source is open, for of one that
        cannot be opened that is what people have to hear first, and before anything is written or sent.

        Raises:
            SinkError: in one line, what is there already.
        """
        if self.video is not None:
            check_outputs([Output(self.video)], [], self.overwrite)


@dataclass(frozen=True, slots=True)
class About:
    """What the outputs have to know of a run."""

    source: Source
    fps: float | None  # of a video that is written
    fingerprint: str  # of the model and the alignment
    dimension: int  # of an embedding
    once: bool = False  # one look at each face is enough: photographs, films of a moment


class Opened:
    """The outputs of one source, open: give `take` every result in order, then `finish`.

    Attributes:
        summary: of what was taken so far.
        notes: after `finish`, what was lost on the way, in lines for people.
    """

    def __init__(
        self, outputs: Outputs, about: About, ledger: Ledger | None, report: Callable[[str], None]
    ) -> None:
        """Open what was asked for.

        Args:
            ledger: is told of each place once something is written there; None where somebody else tells it.
            report: called with one line when something cannot be delivered for now, from any thread.

        Raises:
            SinkError: something cannot be written.
        """
        outputs.check_new()
        self.summary, self.notes = Summary(), list[str]()
        self._outputs, self._ledger, self._report = outputs, ledger, report
        self._begun = False  # others know that something is written
        self._noted = ledger is None
        source, run, now = about.source, outputs.run or secrets.token_hex(6), datetime.now(UTC)
        self._told = Events(run=run)
        self._stack = ExitStack()
        with ExitStack() as stack:
            self._begin(stack)
            self._log = stack.enter_context(EventLog(outputs.events))
            taped = Run(run, source.name, now.isoformat(timespec="seconds"), source.live, about.once)
            self._tape = stack.enter_context(
                TapeWriter(outputs.tape, taped, about.fingerprint, about.dimension, outputs.keep)
            )
            self._snapshots = Snapshots(outputs.snapshots, outputs.thumbnails, run)
            self._keeper = Keeper(outputs.keep, self._log, outputs.events, outputs.snapshots)
            self._live = source.live
            self._webhook = stack.enter_context(Webhook(outputs.webhook, report))
            camera = outputs.camera or camera_ids([source.name])[0]
            self._home = stack.enter_context(
                closing(
                    Home(
                        outputs.mqtt,
                        camera,
                        run,
                        report,
                        lambda: source.condition is None or source.condition.up,
                    )
                )
            )
            self._sink = open_sink(outputs.video, about.fps, source.file, source.begins)
            stack.callback(self._note_video)
            stack.enter_context(self._sink)
            self._stack = stack.pop_all()

    def take(self, result: Result, image: Image | None) -> None:
        """Count, tell and write one result.

        Args:
            image: the frame as it is to be shown, `(height, width, 3)` BGR; None where no picture is wanted.
        """
        if not self._noted:
            self._note()
        self.summary.update(result)
        self._tape.take(result)
        events = self._told.update(result)
        self._home.take(result, events)
        self._tell(self._snapshots.attach(result, events))
        if image is not None:
            self._sink.write(image, result.frame.seconds)

    def finish(self) -> None:
        """Tell who is gone now that the source has ended, and wait some seconds for deliveries."""
        events = self._told.finish()
        self._home.finish(events)
        self._tell(self._snapshots.attach(None, events))
        for lost in (self._sink.lost, self._webhook.close(), self._home.close()):
            if lost:
                self.notes.append(lost)

    @property
    def written(self) -> frozenset[Path]:
        """The files that are there, once all is closed, because of this run."""
        video, events = self._outputs.video, self._outputs.events
        return frozenset(each for each in (video if self._sink.placed else None, events) if each is not None)

    def _begin(self, stack: ExitStack) -> bool:
        """Nobody is forgotten from before the first face is looked for until the last event is written.

        Whether there is a gallery yet.
        """
        if self._ledger is None or not self._ledger.needed:
            return False
        if not self._begun and self._places():
            self._begun = True
            stack.enter_context(self._ledger.writing())
        return True

    def _note(self) -> None:
        """Note where results go, but for the video: that is there, or not, in the end."""
        if not self._begin(self._stack) or self._ledger is None:
            return
        self._noted = True
        for kind, where in self._places():
            if kind != "video":
                self._ledger.note(kind, where, self._report)

    def _note_video(self) -> None:
        if self._ledger is not None and self._outputs.video is not None and self._sink.placed:
            self._ledger.note("video", self._outputs.video, self._report)

    def _places(self) -> list[tuple[Kind, str | Path]]:
        """Where results go and stay."""
        places: list[tuple[Kind, str | Path | None]] = [
            ("events", self._outputs.events),
            ("snapshots", self._outputs.snapshots),
            ("tape", self._outputs.tape),
            ("webhook", self._outputs.webhook),
            ("mqtt", self._outputs.mqtt.url or None),
            ("video", self._outputs.video),
        ]
        return [(kind, where) for kind, where in places if where is not None]

    def _tell(self, events: list[Event]) -> None:
        self._log.write(events)
        if self._live:
            self._keeper.look()
        self._webhook.send(events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


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
