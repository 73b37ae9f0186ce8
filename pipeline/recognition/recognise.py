"""From a frame to what is known of the faces in it: the whole path, in the order things happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.config import Settings
from pipeline.faces.boxes import area, intersection, iou
from pipeline.faces.examine import examine
from pipeline.identity.covered import Rule, check_names
from pipeline.identity.guarantee import Guarantee
from pipeline.identity.judge import Judge
from pipeline.protocols import Detector, Embedder, People
from pipeline.tracking.attention import Attention
from pipeline.tracking.cadence import Cadence
from pipeline.tracking.cuts import CutDetector
from pipeline.tracking.track import UNCONFIRMED, Tracker, Tracks
from pipeline.types import UNDECIDED, Detections, Floats, Frame, Ints, Look, Result, TrackedFace

_SAME = 0.6  # share of the smaller of two boxes that the other holds, from which both are one face
_ITSELF = 0.99  # IoU of a box with itself


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame with the faces found in it."""

    frame: Frame
    detections: Detections | None  # None where nobody looked
    seconds: float  # spent on detection
    cut: bool = False  # this frame begins another shot


class Recogniser:
    """Recognises the people of one source. Tracks and evidence are its own: one source, one instance.

    `detect` and `identify` may run in different threads, each in one.

    Attributes:
        enrolled: how many people are in the gallery, as far as is known.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        people: People,
        settings: Settings,
        live: bool = False,
        keep_looks: bool = False,
        report: Callable[[str], None] = lambda line: None,
        rule: Rule | None = None,
    ) -> None:
        """
        Args:
            live: frames do not wait: faces are looked for as often as there is time for.
            keep_looks: embed faces even while nobody is enrolled, so that they can be searched later.
            report: is told in a line when the gallery's calibration lapses, or there is one.
            rule: whose faces are marked as covered.

        Raises:
            ConfigError: the rule names somebody who is not enrolled.
        """
        check_names(rule, people)
        self._keep_looks, self._report = keep_looks, report
        self._people, self._rule = people, rule
        self._detector, self._embedder = detector, embedder
        self._judge = Judge(people, embedder.calibration, settings.evidence)
        self._quality = settings.quality
        self._cuts = CutDetector()
        self._cadence = Cadence(settings.det.every, live)
        self._tracker = Tracker(settings.track, settings.det.confidence)
        self._attention = Attention(settings.attention)
        self._evidence = self._judge.evidence()
        self.enrolled = self._judge.people_count
        self._blind = self._is_blind()

    @property
    def guarantee(self) -> Guarantee | None:
        """What the gallery was calibrated for, if it was."""
        return self._judge.claim

    def __call__(self, frame: Frame) -> Result:
        """Both stages in turn."""
        return self.identify(self.detect(frame))

    def detect(self, frame: Frame) -> Seen:
        """Find the faces of a frame, if it is one to look for faces in."""
        started = time.perf_counter()
        cut = self._cuts.is_cut(frame.image)
        detections = None
        if self._cadence.due(frame.seconds, cut or frame.brief):
            begun = time.perf_counter()
            detections = self._detector.detect(frame.image)
            self._cadence.took(time.perf_counter() - begun)
        return Seen(frame, detections, time.perf_counter() - started, cut)

    def identify(self, seen: Seen) -> Result:
        """Follow the faces, look at those that deserve it, and judge who they are."""
        frame = seen.frame
        clock = time.perf_counter
        started = clock()
        if seen.cut:
            self._tracker.reset()
        if seen.detections is None:
            tracks = self._tracker.predict(frame.seconds)
        else:
            tracks = self._tracker.update(seen.detections, frame.seconds, at_once=frame.brief)
        alive = self._tracker.alive()
        self._evidence.forget(alive)
        self._attention.forget(alive)
        tracked = clock()
        self._take_in_enrollments()
        rows = self._due(tracks, frame.seconds) if tracks.found else []
        looks = self._look(frame, tracks.faces.as_faces()[rows], tracks.ids[rows]) if rows else ()
        looked = clock()
        in_view = [int(track) for track in tracks.ids if track >= 0]
        self._evidence.decide(in_view, self.enrolled, once=in_view if frame.brief else ())
        spent = {
            "detect": seen.seconds,
            "track": tracked - started,
            "look": looked - tracked,
            "decide": clock() - looked,
        }
        faces = self._named(tracks)
        return Result(frame, faces, spent, looks, seen.cut, self._faint(seen.detections, faces))

    def _due(self, tracks: Tracks, seconds: float) -> list[int]:
        """Rows that deserve a look."""
        states = [self._evidence.of(int(track)).state for track in tracks.ids]
        shown, heads = tracks.faces.shown(), tracks.faces.as_faces()
        sizes = np.sqrt(np.clip(heads.boxes[:, 2:] - heads.boxes[:, :2], 0, None).prod(axis=1))
        looking = np.where(shown, tracks.ids, UNCONFIRMED)  # who is turned away keeps the verdict
        return self._attention.due(looking, states, sizes.astype(np.float32), seconds)

    def _named(self, tracks: Tracks) -> tuple[TrackedFace, ...]:
        faces, shown, named = tracks.faces, tracks.faces.shown(), []
        for row, track in enumerate(tracks.ids.tolist()):
            identity = self._evidence.of(track) if track >= 0 else UNDECIDED
            face = TrackedFace(
                track,
                faces.boxes[row],
                faces.landmarks[row],
                float(faces.scores[row]),
                identity,
                faces.faces[row] if faces.faces is not None and shown[row] else None,
                int(tracks.keys[row]),
                tracks.found,
                self._rule is not None and (self._blind or self._rule.covers(identity)),
            )
            named.append(face)
        return tuple(named)

    def _faint(self, found: Detections | None, faces: tuple[TrackedFace, ...]) -> Floats | None:
        """What may be a face in this frame besides those that are shown, boxes (k, 4)."""
        if self._rule is None or found is None:
            return None
        heads = found.as_faces().boxes
        tracked = [each.box if each.face is None else each.face for each in faces]
        maybe = heads[np.isfinite(heads).all(axis=1)]
        if tracked:
            maybe = maybe[iou(maybe, np.stack(tracked)).max(axis=1) < _ITSELF]
        maybe = maybe if found.faint is None else np.concatenate([maybe, found.faint])
        open_to_see = [box for box, each in zip(tracked, faces, strict=True) if not each.covered]
        if not open_to_see or not len(maybe):
            return maybe
        shown = np.stack(open_to_see)
        smaller = np.minimum(area(maybe)[:, None], area(shown)[None, :])
        return maybe[(intersection(maybe, shown) < _SAME * np.maximum(smaller, 1e-9)).all(axis=1)]

    def _look(self, frame: Frame, faces: Detections, tracks: Ints) -> tuple[Look, ...]:
        """Embed these faces, add them to the looks at their tracks, and search the gallery for those.

        With nobody enrolled a look needs no embedding, and none is returned unless looks are kept.
        """
        seen = examine(frame.image, faces)
        measured, limits = seen.quality, self._quality
        usable = (
            (measured.side >= limits.min_face)
            & (measured.sharpness >= limits.min_sharpness)
            & (measured.turn <= limits.max_turn)
            & ~faces.unsure()
        )
        for track in tracks:
            self._attention.looked(int(track), frame.seconds)
        rows = np.flatnonzero(usable)
        weights = measured.score()[rows]
        if not self.enrolled and not self._keep_looks:
            for row in rows:
                self._evidence.glance(int(tracks[row]))
            return ()
        if not len(rows):
            return ()
        embeddings = self._embedder.embed(seen.crops[rows])
        looks = tuple(
            Look(int(tracks[row]), faces.boxes[row], faces.landmarks[row], embedding, float(weight))
            for row, embedding, weight in zip(rows, embeddings, weights, strict=True)
        )
        pooled = [self._evidence.add(look.track, look.embedding, look.quality) for look in looks]
        self._weigh([look.track for look in looks], pooled)
        return looks

    def _weigh(self, tracks: list[int], pooled: list[Floats]) -> None:
        """Search the gallery for the looks at each of these tracks, each (d,)."""
        for track, ratios in zip(tracks, self._judge.ratios(np.stack(pooled)), strict=True):
            self._evidence.weigh(track, ratios)

    def _take_in_enrollments(self) -> None:
        """Notice what another process has written to the gallery; costs microseconds if nothing.

        What was concluded rests on people who may be gone, and lacks those who are new. The looks themselves
        are what they were: they are judged again, so that nobody loses a name to somebody else's enrolment.
        """
        before = self.guarantee
        if not self._judge.refresh():
            return
        self.enrolled = self._judge.people_count
        if (before is None) != (self.guarantee is None):
            self._report(self._judge.claimed() or "the gallery is not calibrated any more")
        was, self._blind = self._blind, self._is_blind()
        if self._blind and not was:
            self._report(f"blur {self._rule}: who that is cannot be told any more, so everybody is covered")
        self._evidence.forget_glances()
        tracks, pooled = self._evidence.pooled()
        self._attention.forget(frozenset(tracks))  # of the others nothing is known yet
        if tracks:
            self._weigh(tracks, pooled)

    def _is_blind(self) -> bool:
        return self._rule is not None and self._rule.blind(self._people, self._judge.nobody_why())
