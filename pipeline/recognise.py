"""From a frame to what is known of the faces in it: the whole path, in the order things happen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gallery.types import Matches
from pipeline import align, quality
from pipeline.attention import Attention
from pipeline.config import Settings
from pipeline.cuts import CutDetector
from pipeline.evidence import Evidence
from pipeline.track import UNCONFIRMED, Tracker
from pipeline.types import UNDECIDED, Detections, Floats, Frame, Image, Ints, Result, TrackedFace
from siamese.calibration import Calibration

NEAREST = 5  # people of each look whose evidence is kept apart; all others share the last one's


class Detector(Protocol):
    """Finds faces with landmarks in a BGR image."""

    def detect(self, image: Image) -> Detections: ...


class Embedder(Protocol):
    """Turns aligned crops (m, 112, 112, 3) uint8 BGR into embeddings (m, d) float32."""

    calibration: Calibration

    def embed(self, crops: Image) -> Floats: ...


class People(Protocol):
    """Who is enrolled."""

    @property
    def people_count(self) -> int: ...

    def search(self, embeddings: Floats, people: int = 5) -> Matches: ...

    def refresh(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame with the faces found in it."""

    frame: Frame
    detections: Detections
    seconds: float  # spent on detection
    cut: bool = False  # this frame begins another shot


class Recogniser:
    """Recognises the people of one source. Tracks and evidence are its own: one source, one instance.

    `detect` and `identify` may run in different threads, each in one.

    Attributes:
        enrolled: how many people are in the gallery, as far as is known.
    """

    def __init__(self, detector: Detector, embedder: Embedder, people: People, settings: Settings) -> None:
        self._detector, self._embedder, self._people = detector, embedder, people
        self._settings = settings
        self._cuts = CutDetector()
        self._tracker = Tracker(settings.track)
        self._attention = Attention(settings.attention)
        self._evidence = Evidence(settings.evidence)
        self.enrolled = people.people_count

    def __call__(self, frame: Frame) -> Result:
        """Both stages in turn."""
        return self.identify(self.detect(frame))

    def detect(self, frame: Frame) -> Seen:
        """Find the faces of a frame."""
        started = time.perf_counter()
        cut = self._cuts.is_cut(frame.image)
        detections = self._detector.detect(frame.image)
        return Seen(frame, detections, time.perf_counter() - started, cut)

    def identify(self, seen: Seen) -> Result:
        """Follow the faces, look at those that deserve it, and judge who they are."""
        frame, faces = seen.frame, seen.detections
        clock = time.perf_counter
        started = clock()
        if seen.cut:
            self._tracker.reset()
        tracks = self._tracker.update(faces, frame.seconds)
        alive = self._tracker.alive()
        self._evidence.forget(alive)
        self._attention.forget(alive)
        tracked = clock()
        self._take_in_enrollments()
        states = [self._evidence.of(int(track)).state for track in tracks]
        shown, heads = faces.shown(), faces.as_faces()
        sizes = np.sqrt(np.clip(heads.boxes[:, 2:] - heads.boxes[:, :2], 0, None).prod(axis=1))
        looking = np.where(shown, tracks, UNCONFIRMED)  # a person whose face is turned away keeps the verdict
        rows = self._attention.due(looking, states, sizes.astype(np.float32), frame.seconds)
        if rows:
            self._look(frame, heads[rows], tracks[rows])
        looked = clock()
        in_view = [int(track) for track in tracks if track >= 0]
        self._evidence.decide(in_view, self.enrolled)
        named = tuple(
            TrackedFace(
                int(track),
                box,
                landmarks,
                float(score),
                self._evidence.of(int(track)) if track >= 0 else UNDECIDED,
                faces.faces[row] if faces.faces is not None and shown[row] else None,
            )
            for row, (track, box, landmarks, score) in enumerate(
                zip(tracks, faces.boxes, faces.landmarks, faces.scores, strict=True)
            )
        )
        spent = {
            "detect": seen.seconds,
            "track": tracked - started,
            "look": looked - tracked,
            "decide": clock() - looked,
        }
        return Result(frame, named, spent)

    def _look(self, frame: Frame, faces: Detections, tracks: Ints) -> None:
        """Embed these faces, search the gallery, and add what is found to the evidence of their tracks."""
        crops = align.crop(frame.image, faces.boxes, faces.landmarks)
        measured = quality.measure(frame.image, faces.boxes, faces.landmarks, crops)
        limits = self._settings.quality
        usable = (
            (measured.side >= limits.min_face)
            & (measured.sharpness >= limits.min_sharpness)
            & (measured.turn <= limits.max_turn)
        )
        for track in tracks:
            self._attention.looked(int(track), frame.seconds)
        if not usable.any():
            return
        rows = np.flatnonzero(usable)
        weights = measured.score()[rows]
        if not self.enrolled:
            for row, weight in zip(rows, weights, strict=True):
                self._evidence.add(int(tracks[row]), {}, float(weight))
            return
        matches = self._people.search(self._embedder.embed(crops[rows]), people=NEAREST)
        ratios = self._embedder.calibration.llr(matches.distances)
        for place, row in enumerate(rows):
            found = dict(zip(matches.names[place], ratios[place].tolist(), strict=False))
            self._evidence.add(int(tracks[row]), found, float(weights[place]))

    def _take_in_enrollments(self) -> None:
        """Notice what another process has written to the gallery; costs microseconds if nothing."""
        if self._people.refresh():
            self.enrolled = self._people.people_count
            # What was concluded rests on people who may be gone, and lacks those who are new: look again.
            self._evidence.forget(frozenset())
            self._attention.forget(frozenset())
