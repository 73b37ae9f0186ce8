"""Drives the cameras of a fleet on a Ray cluster: an actor each, placed where there is room.

One that is lost with its machine is begun again where there is room then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gallery.address import is_server, remember, secrets
from pipeline.config import Settings
from pipeline.fleet.cluster import connect, reason
from pipeline.fleet.plan import CameraPlan, Fleet
from pipeline.fleet.told import Told
from pipeline.fleet.watch import News, Watch
from pipeline.progress import Report
from siamese import libraries

ASK = 0.5  # seconds for which a camera that has nothing new lets its driver wait
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a camera that failed is begun again


class _Actor:
    """A camera, as the cluster runs it."""

    def __init__(
        self, source: str, gallery: Path | None, given: Mapping[str, str], settings: Settings
    ) -> None:
        libraries.restrain()
        remember(gallery, given)
        self._watch = Watch(source, gallery, settings)

    def news(self, seconds: float) -> News:
        """See `Watch.news`."""
        return self._watch.news(seconds)


@dataclass(slots=True)
class _Place:
    """Where a camera is at present."""

    camera: CameraPlan
    actor: Any = None  # None: it is not to be watched at present
    asked: Any = None  # what its next news will come as
    pause: float = FIRST_PAUSE
    begun: float = 0.0  # on the monotonic clock
    due: float = 0.0  # when it is begun again; infinite for never


class Drive:
    """The fleet at work. Use it in a `with` statement."""

    def __init__(self, fleet: Fleet, settings: Settings, address: str) -> None:
        """
        Args:
            address: as `cluster.connect` takes it.

        Raises:
            PipelineError: the cluster does not answer.
        """
        self._people, self._settings = fleet.people(), settings
        self._given = secrets(self._people) if self._people is not None and is_server(self._people) else {}
        self._ray = connect(address)
        self._places = [_Place(each) for each in fleet.camera]

    def run(self, told: Told, stopped: Callable[[], bool], trace: Report) -> None:
        """Watch all cameras until somebody says to stop, or all of them are films that have ended.

        Args:
            trace: is told the traceback of a bug in a worker.
        """
        try:
            while not stopped() and any(place.due != float("inf") for place in self._places):
                now = time.monotonic()
                for place in self._places:
                    if place.actor is None and place.due <= now:
                        self._begin(place, told)
                told.write()
                asked = {place.asked: place for place in self._places if place.actor is not None}
                if not asked:
                    time.sleep(ASK)
                    continue
                ready, _ = self._ray.wait(list(asked), num_returns=1, timeout=ASK)
                more, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
                for each in {*ready, *more}:
                    self._hear(asked[each], told, trace)
        finally:
            for place in self._places:
                self._end(place)
                if place.due != float("inf"):
                    machine = told.states[place.camera.name].machine
                    told.change(place.camera, "ended", "recog fleet run has ended", machine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def _begin(self, place: _Place, told: Told) -> None:
        camera, runtime = place.camera, self._settings.runtime
        threads = runtime.threads or max(1, round(camera.processors))
        settings = self._settings.model_copy(
            update={"runtime": runtime.model_copy(update={"threads": threads})}
        )
        kind = self._ray.remote(
            num_cpus=camera.processors,
            memory=int(camera.megabytes * 2**20),
            scheduling_strategy="SPREAD",  # a machine that is lost takes few with it
            max_restarts=0,  # the driver begins it again: what it told until then is a run of its own
            max_task_retries=0,
        )(_Actor)
        place.actor = kind.remote(camera.source, self._people, self._given, settings)
        place.asked, place.begun = place.actor.news.remote(ASK), time.monotonic()
        told.change(camera, "waiting", self._waits_for(camera))

    def _waits_for(self, camera: CameraPlan) -> str:
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        enough = {"CPU": camera.processors, "memory": camera.megabytes * 2**20}
        if any(all(each.get(what, 0) >= least for what, least in enough.items()) for each in machines):
            return "for a machine with room for it"
        return f"no machine has {camera.processors:g} processors and {camera.megabytes:g} MB in all"

    def _hear(self, place: _Place, told: Told, trace: Report) -> None:
        try:
            news: News = self._ray.get(place.asked)
        except self._ray.exceptions.RayError as error:
            self._lost(place, told, reason(error))
            return
        state = told.take(place.camera, news)
        if news.trace:
            trace(news.trace)
        if state.state == "failed":
            self._lost(place, told, state.detail)
        elif state.state == "ended":
            told.gone(place.camera)
            self._end(place)
            place.due = float("inf")
        else:
            place.asked = place.actor.news.remote(ASK)

    def _lost(self, place: _Place, told: Told, why: str) -> None:
        """Begin it again after a while: at once where it has run for long, as its machine may be gone."""
        told.gone(place.camera)
        self._end(place)
        ran = time.monotonic() - place.begun
        place.pause = FIRST_PAUSE if ran > LONGEST_PAUSE else place.pause
        place.due = time.monotonic() + place.pause
        place.pause = min(2 * place.pause, LONGEST_PAUSE)
        state = told.states[place.camera.name]
        told.change(place.camera, "failed", f"{why}; it is begun again", state.machine)
        state.restarts += 1

    def _end(self, place: _Place) -> None:
        if place.actor is not None:
            self._ray.kill(place.actor)
        place.actor = place.asked = None
