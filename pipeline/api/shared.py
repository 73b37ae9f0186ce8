"""What all methods of a `Recog` share: its gallery, its settings, and models that are loaded once.

Nothing is opened before it is first needed. `Shared.turn` is held by whoever looks at pictures or writes to
the gallery; what is loaded has a lock of its own, which is held for moments.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from gallery.opening import present
from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.recognition.shared_people import FollowedPeople

if TYPE_CHECKING:
    from gallery import Gallery
    from pipeline.enrolment.enroller import Enroller
    from pipeline.faces.examine import Examiner
    from pipeline.identity.judge import Judge
    from pipeline.protocols import Detector, People
    from pipeline.recognition.following import Following
    from siamese.cohort import Cohort
    from siamese.runtime import Embedder


class Shared:
    """Gallery, settings and models of one `Recog`. Any thread may call any method."""

    def __init__(self, gallery: Path | None, settings: Settings) -> None:
        """
        Args:
            gallery: a file, or what stands for a server (`gallery.address.place`); None: the user's own file.
        """
        self.settings = settings
        self.turn = threading.RLock()  # whose it is to look at pictures, or to write
        self._gallery = gallery
        self._lock = threading.RLock()  # of what is below; held for moments
        self._embedder: Embedder | None = None
        self._graphs: detectors.Graphs | None = None  # of photographs
        self._examiner: Examiner | None = None
        self._helpers: Executor | None = None
        self._people: FollowedPeople | None = None
        self._followed: WeakSet[Following] = WeakSet()
        self._tracking: dict[bool, Detector] = {}  # one that is wary, for where faces are covered
        self._closed = False

    @property
    def path(self) -> Path:
        """The gallery's file, or the address of its server."""
        return build.gallery_path(self._gallery)

    def present(self) -> bool:
        """Whether there is a gallery yet.

        Raises:
            GalleryError: it is on a server that does not answer.
        """
        return present(self.path)

    def gallery(self) -> Gallery:
        """The gallery, open; close it after use.

        Raises:
            GalleryError: it does not exist, is damaged, or another model made it.
        """
        return build.gallery(self._gallery, self.embedder())

    def enroller(self, *, force: bool, dry_run: bool = False, crops: bool = True) -> Enroller:
        """What puts looks into the gallery, which is made if it is missing.

        Raises:
            GalleryError: it is damaged, or another model made it.
        """
        return build.enroller(self._gallery, self.embedder(), force=force, dry_run=dry_run, crops=crops)

    def everybody(self) -> FollowedPeople:
        """Who is enrolled: one index for all who follow and all who ask.

        Raises:
            GalleryError: the gallery is damaged, or another model made it.
        """
        embedder = self.embedder()
        with self._lock:
            if self._people is None:
                self._people = FollowedPeople(
                    lambda report: build.people(self._gallery, embedder, report, missing_ok=True)
                )
            return self._people

    def judge(self, people: People) -> Judge:
        """Who judges embeddings by these people.

        Raises:
            GalleryError: what the gallery was calibrated for is damaged.
        """
        return build.judge(people, self.embedder(), self.settings)

    def embedder(self) -> Embedder:
        """The embedder.

        Raises:
            ModelError: it cannot be used.
            ValueError: all was closed: a bug of the caller's.
        """
        with self._lock:
            if self._closed:
                raise ValueError("this Recog is closed")
            if self._embedder is None:
                self._embedder = build.embedder(self.settings)
            return self._embedder

    def model(self) -> str:
        """What faces are embedded with, as galleries and tapes keep it."""
        return build.fingerprint(self.embedder())

    def strangers(self) -> Cohort | None:
        """The strangers that ship with the embedder; None for a model that has none."""
        return build.cohort(self.settings, self.embedder())

    def examiner(self) -> Examiner:
        """What looks at photographs to compare."""
        with self._lock:
            if self._examiner is None:
                embedder, graphs = self.embedder(), self.graphs()
                self._examiner = build.examiner(self.settings, embedder, graphs, self.helpers)
            return self._examiner

    def graphs(self) -> detectors.Graphs:
        """The models that look at photographs: no enrolment has to load them again."""
        with self._lock:
            if self._graphs is None:
                self._graphs = detectors.Graphs(build.halved(self.settings))
            return self._graphs

    def helpers(self) -> Executor | None:
        """Threads that look at a picture with whoever asks; nobody while sources are followed."""
        with self._lock:
            if self._closed or any(each.going for each in self._followed) or build.threads(self.settings) < 2:
                return None
            if self._helpers is None:
                self._helpers = ThreadPoolExecutor(3, thread_name_prefix="recog turned")
            return self._helpers

    def tracking_detector(self, settings: Settings) -> Detector:
        """What finds whom to follow; one for all sources, and another for those where faces are covered."""
        wary = bool(settings.blur.who)
        with self._lock:
            if wary not in self._tracking:
                self._tracking[wary] = detectors.tracking_detector(settings)
            return self._tracking[wary]

    def note(self, following: Following) -> None:
        """Remember that a source is followed: it needs the cores that `helpers` would take."""
        with self._lock:
            self._followed.add(following)

    def close(self) -> None:
        """Let go of the models. May be called again."""
        with self._lock:
            if self._people is not None:
                self._people.close()
            if self._helpers is not None:
                self._helpers.shutdown(wait=False)
            self._embedder = self._examiner = self._graphs = self._helpers = self._people = None
            self._tracking = {}
            self._closed = True
