"""Where the picture of a frame is covered: where faces are, were a moment ago, and will be in a moment.

A face is not found in every frame, and not looked for in every frame of a film. So what is to be covered is
covered for some time around each sighting, too, in a film before it and after it, and the more of the picture
the longer ago that is. Of two sightings, both places are covered besides those between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import BlurSettings
from pipeline.types import Floats, Result, TrackedFace

SPREAD = 0.6  # share of its side by which a place grows at each edge, for each second that it is away
SLACK = 1.01  # times as far away is no farther: half a second is fifteen frames at 29.97 a second, too
_OUTWARDS = np.array([-1, -1, 1, 1], np.float32)  # of the edges of a box
ACROSS = 0.1  # seconds from a cut in which what was seen on its other side counts: a flash is no cut


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something was that has to be covered."""

    seconds: float
    shot: int
    key: int  # of the track
    box: Floats  # (4,)


@dataclass(frozen=True, slots=True)
class _Faint:
    """What one look saw that has to be covered, too, and belongs to no track."""

    seconds: float
    shot: int
    boxes: Floats  # (k, 4)
    reach: float  # seconds around it in which they are


class Covering:
    """Adds to each result of one source, in order, the places that are covered in its picture.

    Args:
        ahead: seconds for which results are held back, so that those after them have a say; 0 for none.
        linger: seconds around a sighting in which its place is covered.
        reach: the same for what is looked for less often; no shorter.
    """

    def __init__(
        self, settings: BlurSettings, ahead: float, linger: float | None = None, reach: float = 0.0
    ) -> None:
        self._margin = settings.margin
        self._linger = settings.linger if linger is None else linger
        self._reach = max(reach, self._linger)
        self._ahead = ahead
        self._held: deque[tuple[Result, int]] = deque()  # with the number of its shot
        self._places: deque[_Place] = deque()
        self._faint: deque[_Faint] = deque()
        self._shot = 0

    def take(self, result: Result) -> Iterator[Result]:
        """Take one result in; yields those that are due, oldest first."""
        now = result.frame.seconds
        self._shot += result.cut
        for face in result.faces:
            if face.covered and face.found:
                self._places.append(_Place(now, self._shot, face.key, head(face)))
        for boxes, reach in ((result.faint, self._linger), (result.rare, self._reach)):
            if boxes is not None and len(boxes):
                self._faint.append(_Faint(now, self._shot, boxes, reach))
        self._held.append((result, self._shot))
        while self._held and now - self._held[0][0].frame.seconds >= self._ahead:
            yield self._give_out()

    def rest(self) -> Iterator[Result]:
        """What is still held back, now that nothing more will come."""
        while self._held:
            yield self._give_out()

    def _give_out(self) -> Result:
        result, shot = self._held.popleft()
        now = result.frame.seconds
        while self._places and now - self._places[0].seconds > SLACK * self._linger:
            self._places.popleft()
        while self._faint and now - self._faint[0].seconds > SLACK * self._reach:
            self._faint.popleft()
        heads = [head(face) for face in result.faces if face.covered]
        near = [*self._nearest(now, shot, {face.key: face for face in result.faces})]
        boxes = [_rows([*heads, *(place.box for place in near)])]
        times = [now] * len(heads) + [place.seconds for place in near]
        for faint in self._faint:
            if self._counts(faint.seconds, faint.shot, now, shot, faint.reach):
                boxes.append(faint.boxes)
                times += [faint.seconds] * len(faint.boxes)
        away = np.abs(np.array(times, np.float64) - now).astype(np.float32)
        rows = _grown(np.concatenate(boxes), self._margin + SPREAD * away)
        # What is not finite cannot be covered, and is no place in the picture either.
        return replace(result, covers=rows[np.isfinite(rows).all(axis=1)])

    @staticmethod
    def _counts(then: float, its_shot: int, now: float, shot: int, reach: float) -> bool:
        """Whether what was seen in a frame is covered in another one."""
        away = abs(then - now)
        return away <= SLACK * reach and (its_shot == shot or away <= ACROSS)

    def _nearest(self, now: float, shot: int, present: dict[int, TrackedFace]) -> Iterator[_Place]:
        """The places of tracks around a frame that count in it: of each the last one and the next one."""
        before, after = dict[int, _Place](), dict[int, _Place]()
        for place in self._places:
            if place.seconds - now > SLACK * self._linger:
                break
            if not self._counts(place.seconds, place.shot, now, shot, self._linger):
                continue
            face = present.get(place.key)
            if face is not None and (face.found or not face.covered):
                continue  # seen in this very frame
            if place.seconds <= now:
                before[place.key] = place
            else:
                after.setdefault(place.key, place)
        yield from before.values()
        yield from after.values()


def head(face: TrackedFace) -> Floats:
    """What of it is covered: the face, or all of a person whose face is not seen, box (4,)."""
    return face.box if face.face is None else face.face


def _rows(boxes: list[Floats]) -> Floats:
    """Boxes (4,) as one array (n, 4), of none too."""
    return np.array(boxes, np.float32).reshape(-1, 4)


def _grown(boxes: Floats, share: Floats) -> Floats:
    """Boxes (n, 4) grown at each edge by a share of their longer side, each by its own, (n,)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    more = share * np.maximum(sides[:, 0], sides[:, 1])
    return np.asarray(boxes + more[:, None] * _OUTWARDS, np.float32)
