"""From a frame to what is known of the faces in it: the whole path, in the order things happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import Settings
from pipeline.faces.boxes import area, intersection, iou
from pipeline.faces.examine import examine
from pipeline.faces.quality import least
from pipeline.identity.another import Belongs, Newcomers
from pipeline.identity.covered import Rule, check_names
from pipeline.identity.guarantee import Guarantee
from pipeline.identity.judge import Judge
from pipeline.protocols import Detector, Embedder, People
from pipeline.recognition.sparing import Sparing
from pipeline.tracking.attention import Attention
from pipeline.tracking.cadence import Cadence
from pipeline.tracking.cuts import CutDetector, FaceCuts
from pipeline.tracking.track import UNCONFIRMED, Tracker, Tracks
from pipeline.types import UNDECIDED, Bools, Detections, Floats, Frame, Ints, Look, Result, TrackedFace

_SAME = 0.6  # share of the smaller of two boxes that the other holds, from which both are one face
_ITSELF = 0.99  # IoU of a box with itself


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame with the faces found in it."""

    frame: Frame
    detections: Detections | None  # None where nobody looked
    seconds: float  # spent on detection
    cut: bool = False  # this frame begins another shot
    abrupt: bool = False  # it may show other people than the one before


class Recogniser:
    """Recognises the people of one source. Tracks and evidence are its own: one source, one instance.

    `detect` and `identify` may run in different threads, each in one.

    Attributes:
        enrolled: how many people are in the gallery, as far as is known.
        asked_all: every look so far was compared with the whole gallery, and not with a part of it.
        blur: whose faces are covered by the gallery as it is, in the words of `blur.who`.
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
        sparing: Sparing | None = None,
    ) -> None:
        """
        Args:
            live: frames do not wait: faces are looked for as often as there is time for.
            keep_looks: embed faces even while nobody is enrolled, so that they can be searched later.
            report: is told in a line when the gallery's calibration lapses, or there is one.
            rule: whose faces are marked as covered.
            sparing: looks with the detector, at a film in which what is seen is covered for a while.

        Raises:
            ConfigError: the rule names somebody who is not enrolled.
        """
        check_names(rule, people)
        self._keep_looks, self._report = keep_looks, report
        self._people, self._rule = people, rule
        self._detector, self._embedder, self._sparing = detector, embedder, sparing
        self._judge = Judge(people, embedder.calibration, settings.evidence)
        self._quality = settings.quality
        self._cuts, self._face_cuts = CutDetector(), FaceCuts()
        self._cadence = Cadence(settings.det.every, live)
        self._tracker = Tracker(settings.track, settings.det.confidence)
        self._attention = Attention(settings.attention)
        self._newcomers = Newcomers(embedder.calibration, least(settings.enroll))
        self._evidence = self._judge.evidence()
        self.enrolled, self.asked_all = self._judge.people_count, True
        self._blind = self._is_blind()
        self.blur = self._covers_now()

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
        abrupt, sparing = frame.brief or self._cuts.jumped, self._sparing
        overdue = sparing is not None and sparing.overdue(frame.seconds)
        if self._cadence.due(frame.seconds, cut or abrupt or overdue):
            begun = time.perf_counter()
            detections = sparing.look(frame, cut) if sparing else self._detector.detect(frame.image)
            self._cadence.took(time.perf_counter() - begun)
        return Seen(frame, detections, time.perf_counter() - started, cut, abrupt)

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
        for each in (self._evidence, self._attention, self._face_cuts, self._newcomers):
            each.forget(alive)
        tracked = clock()
        self._take_in_enrollments()
        looks: tuple[Look, ...] = ()
        if tracks.found:
            rows, changed = self._due(tracks, seen)
            if rows:
                tracks, looks = self._look(seen, tracks, np.array(rows), changed)
        looked = clock()
        in_view = [int(track) for track in tracks.ids if track >= 0]
        once = in_view if frame.brief else ()
        self._evidence.decide(in_view, self.enrolled, once, self._judge.moved)
        spent = {
            "detect": seen.seconds,
            "track": tracked - started,
            "look": looked - tracked,
            "decide": clock() - looked,
        }
        faces = self._named(tracks)
        faint, rare = self._unsure(seen.detections, faces)
        return Result(frame, faces, spent, looks, seen.cut, faint, rare=rare)

    def _due(self, tracks: Tracks, seen: Seen) -> tuple[list[int], Bools]:
        """Rows that deserve a look, and which of all (n,) show another picture than before."""
        states = [self._evidence.of(int(track)).state for track in tracks.ids]
        shown, heads = tracks.faces.shown(), tracks.faces.as_faces()
        sizes = np.sqrt(np.clip(heads.boxes[:, 2:] - heads.boxes[:, :2], 0, None).prod(axis=1))
        looking = np.where(shown, tracks.ids, UNCONFIRMED)  # who is turned away keeps the verdict
        changed = self._face_cuts.changed(seen.frame.image, heads.boxes, looking)
        sides = sizes.astype(np.float32)
        return self._attention.due(looking, states, sides, seen.frame.seconds, changed, seen.abrupt), changed

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

    def _unsure(
        self, found: Detections | None, faces: tuple[TrackedFace, ...]
    ) -> tuple[Floats | None, Floats | None]:
        """What may be a face in this frame besides those that are shown, `faint` and `rare` boxes (k, 4)."""
        if self._rule is None or found is None:
            return None, None
        heads = found.as_faces().boxes
        tracked = [each.box if each.face is None else each.face for each in faces]
        maybe = heads[np.isfinite(heads).all(axis=1)]
        if tracked:
            maybe = maybe[iou(maybe, np.stack(tracked)).max(axis=1) < _ITSELF]
        maybe = maybe if found.faint is None else np.concatenate([maybe, found.faint])
        shown = [box for box, each in zip(tracked, faces, strict=True) if not each.covered]
        return _apart(maybe, shown), None if found.rare is None else _apart(found.rare, shown)

    def _look(
        self, seen: Seen, tracks: Tracks, rows: Ints, changed: Bools
    ) -> tuple[Tracks, tuple[Look, ...]]:
        """Embed the faces of these rows, add them to the looks at their tracks, and search the gallery.

        A track whose face is plainly another one by now ends, and another begins: the tracks are returned as
        they are then. With nobody enrolled a look needs no embedding, and none is returned unless looks are
        kept.

        Args:
            changed: (n,) whether each row shows another picture than before.
        """
        frame, faces, ids = seen.frame, tracks.faces.as_faces()[rows], tracks.ids[rows]
        examined = examine(frame.image, faces)
        measured, limits = examined.quality, self._quality
        usable = (
            (measured.side >= limits.min_face)
            & (measured.sharpness >= limits.min_sharpness)
            & (measured.turn <= limits.max_turn)
            & ~faces.unsure()
        )
        for track in ids:
            self._attention.looked(int(track), frame.seconds)
        for row, good in zip(rows, usable, strict=True) if seen.abrupt else ():
            # Another picture, and nobody can tell whether it is the same face: before, or now.
            if changed[row] and good == (self._evidence.face(int(tracks.ids[row])) is None):
                tracks = self._parted(tracks, int(row))
        ids = tracks.ids[rows]
        found = np.flatnonzero(usable)
        weights = measured.score()[found]
        if not self.enrolled and not self._keep_looks:
            for row in found:
                self._evidence.glance(int(ids[row]))
            return tracks, ()
        if not len(found):
            return tracks, ()
        embeddings, looks = self._embedder.embed(examined.crops[found]), []
        for row, embedding, weight in zip(found, embeddings, weights, strict=True):
            abrupt = seen.abrupt or bool(changed[rows[row]])
            tracks, track = self._belongs(tracks, int(rows[row]), embedding, float(weight), abrupt)
            if track is not None:
                looks.append(Look(track, faces.boxes[row], faces.landmarks[row], embedding, float(weight)))
        if looks:
            pooled = [self._evidence.add(look.track, look.embedding, look.quality) for look in looks]
            self._weigh([look.track for look in looks], pooled)
        return tracks, tuple(looks)

    def _belongs(
        self, tracks: Tracks, row: int, embedding: Floats, quality: float, abrupt: bool
    ) -> tuple[Tracks, int | None]:
        """The tracks, and the one that a look (d,) at this row counts for; None if none as yet."""
        track = int(tracks.ids[row])
        match self._newcomers.judge(track, self._evidence.face(track), embedding, quality, abrupt):
            case Belongs.SAME:
                return tracks, track
            case Belongs.DOUBTED:
                self._attention.again(track)
                return tracks, None
            case Belongs.ANOTHER:
                tracks = self._parted(tracks, row)
                self._newcomers.begun(int(tracks.ids[row]))
                return tracks, int(tracks.ids[row])

    def _parted(self, tracks: Tracks, row: int) -> Tracks:
        """The tracks, where the one at this row ends and another begins."""
        ids, keys = tracks.ids.copy(), tracks.keys.copy()
        ids[row], keys[row] = self._tracker.part(int(tracks.ids[row]))
        self._face_cuts.renamed(int(tracks.ids[row]), int(ids[row]))
        return replace(tracks, ids=ids, keys=keys)

    def _weigh(self, tracks: list[int], pooled: list[Floats]) -> None:
        """Search the gallery for the looks at each of these tracks, each (d,)."""
        found, whole = self._judge.ratios_now(np.stack(pooled))
        self.asked_all &= whole
        for track, ratios in zip(tracks, found, strict=True):
            self._evidence.weigh(track, ratios, whole)

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
        self.blur = self._covers_now()
        if self._blind and not was:
            self._report(f"blur {self._rule}: who that is cannot be told any more, so everybody is covered")
        self._evidence.forget_glances()
        tracks, pooled = self._evidence.pooled()
        self._attention.forget(frozenset(tracks))  # of the others nothing is known yet
        if tracks:
            self._weigh(tracks, pooled)

    def _covers_now(self) -> tuple[str, ...]:
        return () if self._rule is None else self._rule.now(self._people)

    def _is_blind(self) -> bool:
        return self._rule is not None and self._rule.blind(self._people, self._judge.nobody_why())


def _apart(maybe: Floats, shown: list[Floats]) -> Floats:
    """Those of boxes (k, 4) that are not one of the faces that are shown, boxes (4,)."""
    if not shown or not len(maybe):
        return maybe
    boxes = np.stack(shown)
    smaller = np.minimum(area(maybe)[:, None], area(boxes)[None, :])
    return maybe[(intersection(maybe, boxes) < _SAME * np.maximum(smaller, 1e-9)).all(axis=1)]
