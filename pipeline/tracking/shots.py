"""Frames that may be all that is seen of somebody: slides, a frame every few seconds, a film of one frame.

A track needs some frames before it counts and before it is decided. Where frames are far apart, and in shots
of few frames, each face is judged as one on a photograph is, so that everybody is told. Whoever stays for
more frames is judged by all of them, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline.tracking.cadence import PERIOD
from pipeline.tracking.cuts import CutDetector
from pipeline.types import Frame

FEW = 4  # frames from which a face in all of them is confirmed, and looked at often enough to be decided
SPARSE = 0.99 / 3  # seconds between two frames from which on every one is looked at for itself
_SLOW = 0.99 * PERIOD  # seconds between two frames that are both looked at; a cut parts them for good


def marked(frames: Iterable[Frame], patience: float) -> Iterator[Frame]:
    """The frames of a film, with `brief` set on those that are far apart, and on those of too short shots.

    A shot ends where no frame comes for longer than a track is waited for, and at a cut of a slow film. Up to
    three frames are held back.

    Args:
        patience: seconds for which a track is waited for.
    """
    cuts, held, before = CutDetector(), list[Frame](), None
    short = True  # so far
    for frame in frames:
        cut = cuts.is_cut(frame.image)
        gap = 0.0 if before is None else frame.seconds - before.seconds
        if gap > patience or (cut and gap >= _SLOW):
            yield from _brief(held)
            held, short = [], True
        before = frame
        if gap >= SPARSE:
            frame = replace(frame, brief=True)
            held[-1:] = _brief(held[-1:])  # it stood as long
        if not short:
            yield frame
            continue
        held.append(frame)
        if len(held) >= FEW:
            yield from held
            held, short = [], False
    yield from _brief(held)


def _brief(frames: list[Frame]) -> Iterator[Frame]:
    return (replace(frame, brief=True) for frame in frames)
