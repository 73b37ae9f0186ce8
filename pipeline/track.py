"""Which face of this frame is which face of the frames before: constant velocity and overlap.

In the manner of SORT (Bewley et al., 2016) and ByteTrack (Zhang et al., 2022), without their Kalman filter:
each track predicts its box from a smoothed velocity, and predictions and detections are paired to the
greatest sum of IoU. State belongs to the instance; ids are never used twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.config import TrackSettings
from pipeline.detector.boxes import iou
from pipeline.types import Detections, Floats, Ints

UNCONFIRMED = -1


@dataclass(slots=True)
class _Track:
    number: int
    box: Floats  # (4,)
    seen: float  # seconds
    sightings: int = 1
    velocity: Floats = field(default_factory=lambda: np.zeros(4, np.float32))  # pixels a second

    def predict(self, seconds: float) -> Floats:
        # A face that has not been seen for a while is not followed further: its velocity was a guess.
        return self.box + self.velocity * min(seconds - self.seen, 0.3)


class Tracker:
    """Gives every detection the id of its track."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, detections: Detections, seconds: float) -> Ints:
        """Track ids (n,) of the detections, row by row; -1 until a track is confirmed.

        Args:
            seconds: time of the frame on the source's clock; must not run backwards.
        """
        self._tracks = [t for t in self._tracks if seconds - t.seen <= self._settings.patience]
        rows: dict[int, _Track] = {}
        if self._tracks and len(detections):
            predicted = np.stack([track.predict(seconds) for track in self._tracks])
            overlaps = iou(predicted, detections.boxes)
            for place, row in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
                if overlaps[place, row] >= self._settings.overlap:
                    self._continue(self._tracks[place], detections.boxes[row], seconds)
                    rows[int(row)] = self._tracks[place]
        for row in range(len(detections)):
            if row not in rows:
                rows[row] = _Track(-1, detections.boxes[row], seconds)
                self._tracks.append(rows[row])
        return np.array([self._number(rows[row]) for row in range(len(detections))], np.int64)

    def reset(self) -> None:
        """End every track, as at a camera cut; ids go on where they were."""
        self._tracks.clear()

    def alive(self) -> frozenset[int]:
        """Ids of the confirmed tracks that may still continue."""
        return frozenset(track.number for track in self._tracks if track.number >= 0)

    def _continue(self, track: _Track, box: Floats, seconds: float) -> None:
        elapsed = seconds - track.seen
        if elapsed > 0:
            track.velocity = 0.6 * track.velocity + 0.4 * (box - track.box) / elapsed
        track.box, track.seen = box, seconds
        track.sightings += 1

    def _number(self, track: _Track) -> int:
        if track.number < 0 and track.sightings >= self._settings.confirm:
            track.number = self._next
            self._next += 1
        return track.number
