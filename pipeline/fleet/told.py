"""Where everything that the cameras of a fleet tell comes together: events, looks, and how each camera is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline import build
from pipeline.api import shown_source
from pipeline.config import Settings
from pipeline.errors import SinkError, SourceError
from pipeline.fleet.plan import CameraPlan, Fleet
from pipeline.fleet.watch import Begun, News
from pipeline.locks import held
from pipeline.outputs.home import camera_ids
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.outputs import About, Opened, Outputs
from pipeline.outputs.private import private_file
from pipeline.progress import Report
from pipeline.sources.base import Source
from pipeline.sources.watchdog import Condition
from pipeline.types import Frame

EVENTS, TAPE, STATE, LOCK = "events.jsonl", "looks.tape", "fleet.json", "fleet.lock"
FRESH = 10.0  # seconds after which the state is written again, for others to see that the fleet is at work


@dataclass(slots=True)
class CameraState:
    """How a camera is, as people are told. Nobody's name is in it."""

    name: str
    source: str  # without login and query
    state: str  # waiting (for a machine), starting, running, lost, ended, failed
    since: str  # UTC, ISO 8601
    detail: str = ""
    machine: str = ""
    fps: float | None = None
    dropped: int = 0  # frames of this run that were not looked at
    untold: int = 0  # results of this run that were lost on the way
    restarts: int = 0
    seen: str = ""  # UTC: when something last came


class _Remote(Source):
    """The source of a camera that is watched elsewhere, as outputs have to know it."""

    def __init__(self, name: str, begun: Begun) -> None:
        super().__init__(name, live=True, fps=begun.fps, size=begun.size)
        self.up = True

    @property
    def condition(self) -> Condition | None:
        return Condition(self.up, datetime.now(UTC))

    def __iter__(self) -> Iterator[Frame]:
        raise SourceError(f"{self.name} is watched on another machine")


@dataclass(slots=True)
class _Run:
    """One run of a camera, from the moment that it is open to the moment that it is lost."""

    source: _Remote
    opened: Opened
    stack: ExitStack


@dataclass(slots=True)
class Told:
    """Takes what cameras tell, and keeps it. Use it in a `with` statement."""

    fleet: Fleet
    settings: Settings
    report: Report
    fingerprint: str = ""
    dimension: int = 0
    states: dict[str, CameraState] = field(default_factory=dict)
    _runs: dict[str, _Run] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _written: str = ""
    _at: float = float("-inf")  # on the monotonic clock, when it was written
    _lock: int = -1  # file that is held

    def __post_init__(self) -> None:
        """Make the folder, and open the model that looks are embedded with.

        Raises:
            SinkError: the folder cannot be written.
            PipelineError, SiameseError: the model cannot be used.
        """
        embedder = build.embedder(self.settings)
        self.fingerprint, self.dimension = build.fingerprint(embedder), embedder.dimension
        try:
            self.fleet.out.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"cannot write {self.fleet.out}: {error.strerror}") from error
        names = [each.name for each in self.fleet.camera]
        self._ids = dict(zip(names, camera_ids(names), strict=True))
        for each in self.fleet.camera:
            source = shown_source(each.source)
            self.states[each.name] = CameraState(each.name, source, "waiting", _now())

    def take(self, camera: CameraPlan, news: News) -> CameraState:
        """Keep what a camera tells, and say how it is then: failed, where it has other models than we.

        Raises:
            SinkError: events or tape cannot be written.
        """
        if news.begun is not None and camera.name not in self._runs:
            if news.begun.fingerprint != self.fingerprint:
                why = f"{news.host} has other models than this machine"
                return self.change(camera, "failed", why, news.host)
            self._begin(camera, news.begun)
        run = self._runs.get(camera.name)
        if run is not None:
            run.source.up = news.state == "running"
            for result in news.results:
                frame = replace(result.frame, source=camera.name)
                run.opened.take(replace(result, frame=frame), None)
        state = self.change(camera, news.state, news.detail, news.host)
        state.fps, state.dropped, state.untold = news.fps, news.dropped, news.untold
        if news.results:
            state.seen = _now()
        return state

    def gone(self, camera: CameraPlan) -> None:
        """Its run is over: everybody in view has left."""
        run = self._runs.pop(camera.name, None)
        if run is not None:
            with run.stack:
                run.opened.finish()

    def change(self, camera: CameraPlan, state: str, detail: str = "", machine: str = "") -> CameraState:
        """Note how a camera is now."""
        now = self.states[camera.name]
        waits = state == "waiting" and now.detail != detail  # for what, has to be said, however long it takes
        if (now.state, now.machine) != (state, machine) or waits:
            now.since = _now()
            where = f" on {machine}" if machine else ""
            self.report(f"{camera.name}: {state}{where}" + (f" ({detail})" if detail else ""))
        now.state, now.detail, now.machine = state, detail, machine
        if state != "running":
            now.fps = None
        return now

    def write(self) -> None:
        """Write how all cameras are, for `recog fleet status`. Raises SinkError."""
        values = {"at": _now(), "cameras": [asdict(each) for each in self.states.values()]}
        text = json.dumps(values["cameras"])
        if text != self._written or time.monotonic() - self._at > FRESH:
            with private_file(self.fleet.out / STATE) as file:
                file.write(json.dumps(values, indent=1).encode())
            self._written, self._at = text, time.monotonic()

    def _begin(self, camera: CameraPlan, begun: Begun) -> None:
        outputs = Outputs(
            events=self.fleet.out / EVENTS,
            tape=self.fleet.out / TAPE,
            keep=self.settings.keep,
            mqtt=self.settings.mqtt,
            camera=self._ids[camera.name],
        )
        source = _Remote(camera.name, begun)
        about = About(source, begun.fps, self.fingerprint, self.dimension)
        ledger = Ledger(build.gallery_path(self.fleet.people()))
        with ExitStack() as stack:
            opened = stack.enter_context(Opened(outputs, about, ledger, self.report))
            self._runs[camera.name] = _Run(source, opened, stack.pop_all())

    def __enter__(self) -> Self:
        """Raises SinkError: the folder cannot be written, or another fleet writes there."""
        out = self.fleet.out
        try:
            self._lock = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SinkError(f"cannot write {out}: {error.strerror}") from error
        if not held(self._lock):
            os.close(self._lock)
            raise SinkError(f"{out}: another recog fleet run is at work there; end it, or choose another out")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:  # each of them, whatever becomes of the others
            stack.callback(os.close, self._lock)
            stack.callback(self.write)
            for camera in reversed(self.fleet.camera):
                stack.callback(self.gone, camera)


def read_state(out: Path) -> dict[str, Any]:
    """How the cameras of a fleet are, as it wrote last.

    Raises:
        SourceError: no fleet has run there.
    """
    try:
        values: dict[str, Any] = json.loads((out / STATE).read_bytes())
    except FileNotFoundError as error:
        raise SourceError(f"no fleet has run with {out}; begin with: recog fleet run") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {out / STATE}: {error}") from error
    return values


def is_stale(values: dict[str, Any]) -> bool:
    """Whether the fleet has not written its state for so long that it may have ended without saying so."""
    return datetime.now(UTC) - datetime.fromisoformat(values["at"]) > 3 * timedelta(seconds=FRESH)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
