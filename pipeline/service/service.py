"""The service as a whole: what the routes are given, and what is started and stopped together."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.api import ERRORS, Past, Recog
from pipeline.service.addresses import reach
from pipeline.service.board import Board
from pipeline.service.cameras import Cameras
from pipeline.service.corrections import Corrections
from pipeline.service.idempotency import Answers
from pipeline.service.jobs import Jobs
from pipeline.service.lineage import Lineage
from pipeline.service.merges import Merges
from pipeline.service.metrics import Metrics
from pipeline.service.models import begin
from pipeline.service.names import EVERY, Names
from pipeline.service.options import Options as Options
from pipeline.service.portraits import Keeper
from pipeline.service.removing import Removals
from pipeline.service.review import Review
from pipeline.service.run import Desk, Watcher
from pipeline.service.sightings import Sightings
from pipeline.service.store import Store, tape_path
from pipeline.service.sweeping import Sweeper
from pipeline.service.warnings import Warnings

_log = logging.getLogger(__name__)


class Service:
    """Everything behind the routes.

    Attributes:
        recog: models, settings and gallery.
        store: what the service remembers.
        tape: the file that every source writes its looks to.
        options: what the operator has decided.
        names: who is enrolled.
        board: the newest pictures, and what the pages are told.
        metrics: what Prometheus is told.
        sightings: the events.
        lineage: whether the gallery is the one it was.
        cameras: the sources.
        posting: posts what is seen to a web address, if there is one.
        watchers: are given every result of every source, too.
        portraits: the best looks at every face.
        corrections: what somebody said of events.
        review: faces of nobody enrolled, to be looked through.
        removals: erases what is left of people who were removed.
        sweeper: deletes what is kept longer than the settings say.
        changes: held by requests that change the gallery, one at a time.
        warnings: what may be wrong with who is enrolled.
        merges: the events of people who were made one.
        jobs: long work.
        answers: to creating calls, kept for a day to be given again.
        stopping: set once the service is to end.
    """

    def __init__(self, recog: Recog, store: Store, options: Options) -> None:
        self.recog, self.store, self.options = recog, store, options
        self.tape = tape_path(recog.path)
        self.board, self.metrics = Board(), Metrics()
        self.names = Names(recog, self._people_changed, lambda people: self.lineage.see(people))
        self.sightings = Sightings(store, self.board.tell, self.names.name_of)
        self.lineage = Lineage(recog, store, self.sightings.part)
        self.watchers: list[Watcher] = []
        self.posting = recog.posting(options.webhook)
        self.metrics.count("recog_webhook_events", "Events for the webhook.", lambda: self.posting.counts)
        desk = Desk(
            recog,
            self.tape,
            self.board,
            self.sightings,
            self.metrics,
            self.names,
            self.posting,
            self.watchers,
        )
        self.cameras = Cameras(store, desk, lambda host, port: reach(options, host, port))
        days = lambda: self.cameras.days  # noqa: E731
        self.portraits = Keeper(recog, store, days)
        self.watchers.append(self.portraits)
        told = self.sightings.told
        self.corrections = Corrections(
            recog, store, self.past, self.names, self.portraits, told, self.cameras.name_of
        )
        self.review = Review(recog, store, self.past, told)
        self.changes = threading.RLock()
        self.removals = Removals(
            recog, store, self.sightings, self.portraits, self.corrections, self.past, self._person_removed
        )
        self.sweeper = Sweeper(
            recog, store, self.past, self.corrections, self.review, self.removals, self.changes, days
        )
        self.warnings = Warnings(recog)
        self.merges = Merges(recog, store, self.tape, self.names)
        self.jobs, self.answers = Jobs(store), Answers(store)
        self.stopping = threading.Event()
        self._gauges()
        self._watch: threading.Thread | None = None
        self._behind: str | None = None  # why what was undone cannot be asked for

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What works beside the requests, for as long as the application runs."""
        self.board.attach(asyncio.get_running_loop())
        await asyncio.to_thread(self.start)
        try:
            yield
        finally:
            self.halt()
            await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Begin to watch the gallery and the sources."""
        begin(self.recog, self.store, self.past())
        self.names.refresh()
        self.sightings.start()
        self.answers.forget(unfinished=True)
        self.jobs.start()
        self.portraits.start()
        self.sweeper.start()
        self.cameras.start(self.options.sources)
        self._watch = threading.Thread(target=self._follow_gallery, name="recog gallery", daemon=True)
        self._watch.start()

    def halt(self) -> None:
        """Have everything that waits end soon; from any thread, and may be called again."""
        self.stopping.set()
        self.board.close()
        self.cameras.halt()
        self.jobs.halt()

    def stop(self) -> None:
        """End all that `start` began, with everything stored."""
        self.halt()
        self.cameras.stop()
        if lost := self.posting.close():
            _log.warning("%s", lost)
        self.jobs.stop()
        self.portraits.stop()
        self.sightings.stop()
        self.sweeper.stop()
        if self._watch is not None:
            self._watch.join()
            self._watch = None

    def close(self) -> None:
        """Let another service have the gallery. May be called again."""
        self.store.close()

    def past(self) -> Past:
        """The looks on the service's tape, to be asked again."""
        return self.recog.past(self.tape)

    def troubles(self) -> list[str]:
        """What does not work at present, in lines without names of people or files."""
        troubles = []
        if self.stopping.is_set():
            troubles.append("the service is ending")
        if self.names.trouble is not None:
            troubles.append("the gallery cannot be read")
        if self.names.behind is not None or self._behind is not None:
            troubles.append("events do not follow the gallery; is the disk full?")
        if self.sightings.trouble is not None:
            troubles.append("events cannot be kept; is the disk full?")
        if self.removals.trouble is not None:
            troubles.append("not all of somebody who was removed is erased yet; it is tried again")
        if self.cameras.trouble is not None:
            troubles.append("looks cannot be kept; is the disk full?")
        return troubles

    def people_changed(self) -> None:
        """To be called after every change of the gallery: names, pages and corrected events follow."""
        self.names.refresh()
        self.corrections.reconcile()

    def _person_removed(self) -> None:
        self.answers.forget()  # they may hold the name
        self.people_changed()

    def _people_changed(self) -> None:
        """Somebody, here or in another process, has changed the gallery."""
        self.merges.reconcile()
        self.board.tell({"type": "people"})

    def _follow_gallery(self) -> None:
        while not self.stopping.wait(EVERY):
            try:
                self.names.refresh()
                self.corrections.reconcile()
            except ERRORS as error:  # the next second tries again
                if self._behind is None:
                    _log.error("events cannot follow the gallery now: %s", error)
                self._behind = str(error)
            else:
                self._behind = None

    def _gauges(self) -> None:
        watch = self.metrics.watch
        watch("recog_gallery_people", "People enrolled.", lambda: len(self.names))
        watch("recog_events_waiting", "Visits that are yet to be written.", lambda: self.sightings.waiting)
        self.metrics.total("recog_events_lost", "Events that could not be kept.", lambda: self.sightings.lost)
        watch("recog_viewers", "Pages and programs that watch.", lambda: self.board.readers)
        watch("recog_troubles", "What does not work at present.", lambda: len(self.troubles()))
