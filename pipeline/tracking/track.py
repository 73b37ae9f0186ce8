"""Which face of this frame is which face of the frames before: constant velocity and overlap.

In the manner of ByteTrack (Zhang et al., 2022), with a smoothed velocity for its Kalman filter. Confident
detections are paired with where tracks should be, to the greatest sum of IoU; then weak ones with the tracks
left over, for a face that blurs or half disappears scores low but stands where it was expected; at last
confident ones with larger boxes around both ("C-BIoU", Yang et al., 2023), for faces that move far between
two detections. State belongs to the instance; ids are never used twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.config import TrackSettings
from pipeline.faces.assignment import pairs
from pipeline.faces.boxes import iou
from pipeline.types import Detections, Floats, Ints

UNCONFIRMED = -1

_WEAK_OVERLAP = 0.4  # IoU that a weak detection needs: it must stand where a face was expected
_BUFFER = 0.35  # by which share of its side a box is enlarged at each edge in the last round
_FOLLOWED = 0.3  # seconds for which a face that was not found is moved on: its velocity was a guess


@dataclass(slots=True)
class _Track:
    key: int
    box: Floats  # (4,)
    landmarks: Floats  # (5, 2)
    score: float
    seen: float  # seconds
    face: Floats | None  # (4,) of a person's face, NaN where none is seen; None where the box is a face's
    number: int = UNCONFIRMED
    sightings: int = 1
    velocity: Floats = field(default_factory=lambda: np.zeros(4, np.float32))  # pixels a second

    def moved(self, seconds: float) -> Floats:
        """How far its edges have moved since it was seen (4,), as it seems."""
        return self.velocity * min(seconds - self.seen, _FOLLOWED)


@dataclass(frozen=True, slots=True)
class Tracks:
    """The faces of one frame, row by row: where they are and whose they are."""

    faces: Detections
    ids: Ints  # (n,) -1 until a track is confirmed
    keys: Ints  # (n,) a number that a track has from its first sighting on, confirmed or not
    found: bool  # by the detector; else these are the places where the tracks should be


class Tracker:
    """Gives every detection the id of its track."""

    def __init__(self, settings: TrackSettings, confident: float = 0.0) -> None:
        """
        Args:
            confident: score from which a detection may begin a track; weaker ones only continue one.
        """
        self._settings, self._confident = settings, confident
        self._tracks: list[_Track] = []
        self._keys = 0
        self._next = 0
        self._updated = float("-inf")

    def update(self, detections: Detections, seconds: float, at_once: bool = False) -> Tracks:
        """The faces among the detections, with the ids of their tracks; weak strays are left out.

        Args:
            seconds: time of the frame on the source's clock; must not run backwards.
            at_once: a track counts from its first sighting on.
        """
        rows = self._associate(detections, seconds)
        kept = [row for row in range(len(detections)) if row in rows]
        self._updated = seconds
        confirm = 1 if at_once else self._settings.confirm
        ids = [self._number(rows[row], confirm) for row in kept]
        keys = [rows[row].key for row in kept]
        return Tracks(detections[kept], np.array(ids, np.int64), np.array(keys, np.int64), found=True)

    def predict(self, seconds: float) -> Tracks:
        """Where the faces of the last update should be by now, for frames that nobody looked for faces in."""
        shown = [track for track in self._tracks if track.seen == self._updated]
        moves = np.array([track.moved(seconds) for track in shown], np.float32).reshape(-1, 4)
        boxes = np.array([track.box for track in shown], np.float32).reshape(-1, 4) + moves
        landmarks = np.array([track.landmarks for track in shown], np.float32).reshape(-1, 5, 2)
        shifts = moves.reshape(-1, 2, 2).mean(axis=1)
        scores = np.array([track.score for track in shown], np.float32)
        heads = [track.face for track in shown if track.face is not None]
        moved = np.array(heads, np.float32) + np.tile(shifts, 2) if heads else None
        faces = Detections(boxes, scores, landmarks + shifts[:, None], moved)
        ids = np.array([track.number for track in shown], np.int64)
        return Tracks(faces, ids, np.array([track.key for track in shown], np.int64), found=False)

    def reset(self) -> None:
        """End every track, as at a camera cut; ids go on where they were."""
        self._tracks.clear()

    def part(self, number: int) -> tuple[int, int]:
        """End a confirmed track and begin another in its place: it has gone over to another face.

        Returns:
            The new track's id and its key.
        """
        (old,) = (track for track in self._tracks if track.number == number)
        new = _Track(self._keys, old.box, old.landmarks, old.score, old.seen, old.face, self._next)
        new.sightings = old.sightings  # it is a face as surely as the other
        self._keys += 1
        self._next += 1
        self._tracks[self._tracks.index(old)] = new
        return new.number, new.key

    def alive(self) -> frozenset[int]:
        """Ids of the confirmed tracks that may still continue."""
        return frozenset(track.number for track in self._tracks if track.number >= 0)

    def _associate(self, detections: Detections, seconds: float) -> dict[int, _Track]:
        """The track of every row that has one."""
        self._tracks = [t for t in self._tracks if seconds - t.seen <= self._settings.patience]
        # People, whose faces may be turned away, have a threshold of their own behind them.
        sure = (detections.scores >= self._confident) | (detections.faces is not None)
        strong, weak = np.flatnonzero(sure), np.flatnonzero(~sure)
        left, rows, least = list(self._tracks), dict[int, _Track](), self._settings.overlap
        rounds = (strong, least, 0.0), (weak, _WEAK_OVERLAP, 0.0), (strong, least, _BUFFER)
        for candidates, overlap, buffer in rounds:
            free = np.array([row for row in candidates if row not in rows], np.int64)
            for track, row in _pairs(left, detections.boxes, free, seconds, overlap, buffer):
                self._continue(track, detections, row, seconds)
                rows[row] = track
            taken = {track.key for track in rows.values()}
            left = [track for track in left if track.key not in taken]
        for row in strong.tolist():
            if row not in rows:
                rows[row] = self._begin(detections, row, seconds)
        return rows

    def _begin(self, detections: Detections, row: int, seconds: float) -> _Track:
        box, landmarks = detections.boxes[row], detections.landmarks[row]
        face = None if detections.faces is None else detections.faces[row]
        track = _Track(self._keys, box, landmarks, float(detections.scores[row]), seconds, face)
        self._keys += 1
        self._tracks.append(track)
        return track

    def _continue(self, track: _Track, detections: Detections, row: int, seconds: float) -> None:
        elapsed, box = seconds - track.seen, detections.boxes[row]
        if elapsed > 0:
            # At first there is nothing to smooth the difference with.
            fresh = 0.7 if track.sightings == 1 else 0.4
            track.velocity = (1 - fresh) * track.velocity + fresh * (box - track.box) / elapsed
        track.box, track.landmarks, track.seen = box, detections.landmarks[row], seconds
        track.score = float(detections.scores[row])
        track.face = None if detections.faces is None else detections.faces[row]
        track.sightings += 1

    def _number(self, track: _Track, confirm: int) -> int:
        if track.number < 0 and track.sightings >= confirm:
            track.number = self._next
            self._next += 1
        return track.number


def _pairs(
    tracks: list[_Track], boxes: Floats, rows: Ints, seconds: float, overlap: float, buffer: float
) -> list[tuple[_Track, int]]:
    """Tracks and rows of `boxes` that belong together: the greatest sum of IoU, each at least `overlap`."""
    if not tracks or not len(rows):
        return []
    predicted = np.stack([track.box + track.moved(seconds) for track in tracks])
    overlaps = iou(_enlarged(predicted, buffer), _enlarged(boxes[rows], buffer))
    overlaps = np.where(overlaps >= overlap, overlaps, 0)  # a pair that cannot be must not cost one that can
    return [(tracks[place], int(rows[row])) for place, row in pairs(overlaps)]


def _enlarged(boxes: Floats, share: float) -> Floats:
    """Boxes (n, 4) grown by `share` of their sides at each edge."""
    grown = share * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - grown, boxes[:, 2:] + grown], axis=1)
