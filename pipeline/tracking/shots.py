"""Shots that are too short to be followed: slides, a frame every few seconds, a film of a single frame.

A track needs some frames before it counts and before it is decided. Where frames are so far apart that nobody
is seen in enough of them, each face is judged as one on a photograph is, so that everybody is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline.tracking.cuts import CutDetector
from pipeline.types import Frame

FEW = 4  # frames from which a face in all of them is confirmed, and looked at often enough to be decided
SPARSE = 1 / 3  # seconds between two frames from which on every one is looked at for itself


def marked(frames: Iterable[Frame], patience: float) -> Iterator[Frame]:
    """The frames of a film, with `brief` set on those of shots that are too short.

    A shot ends where no frame comes for longer than a track is waited for, and at a cut where frames are
    sparse. Up to three frames are held back.

    Args:
        patience: seconds for which a track is waited for.
    """
    cuts, held, before = CutDetector(), list[Frame](), None
    short = True  # so far
    for frame in frames:
        cut = cuts.is_cut(frame.image)
        gap = 0.0 if before is None else frame.seconds - before.seconds
        if gap > patience or (cut and gap >= SPARSE):
            yield from _brief(held)
            held, short = [], True
        before = frame
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
