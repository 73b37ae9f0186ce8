"""Where a long film can be cut into parts that are recognised apart, with the result of the whole.

Tracks end where the picture changes from one frame to the next (`tracking.cuts`), and nothing that was seen
before has a say in what comes after, but for six frames in whether the picture jumps (`CutDetector.jumped`).
Such a frame that is a key frame, too, is a seam: encoders put one at most cuts. A film without any, such as
that of a camera that stands still, stays whole.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from pipeline.sources.part import Index, Part, frames_before, key_frame
from pipeline.tracking.cuts import CutDetector
from pipeline.types import Image

TRIED = (
    40  # key frames that are looked at for each seam; of each, the frames since the one before are decoded
)
LEAST = 4.0  # seconds of a part: what begins is told apart from slides (`tracking.shots`), who left has left


def parts_of(path: Path, index: Index, longest: float) -> list[Part]:
    """The parts of a film, each of about `longest` seconds; one where it is short, or has no seams.

    Raises:
        SourceError: the film cannot be read.
    """
    starts, seconds = [0], index.seconds()
    end = seconds[-1]
    length = max(longest, LEAST)
    while end - seconds[starts[-1]] >= length + LEAST:
        wanted = seconds[starts[-1]] + length
        later = [key for key in index.keys if wanted <= seconds[key] <= end - LEAST]
        seam = next((key for key in later[:TRIED] if is_seam(path, index, key)), None)
        if seam is None:
            if len(later) <= TRIED:
                break
            length += seconds[later[TRIED]] - wanted  # go on looking further behind
            continue
        starts.append(seam)
        length = max(longest, LEAST)
    return [
        index.part(first, after) for first, after in zip(starts, [*starts[1:], len(seconds)], strict=True)
    ]


def is_seam(path: Path, index: Index, number: int) -> bool:
    """Whether the picture changes at this key frame, so that every track ends."""
    before = bisect_left(index.keys, number) - 1
    if before < 0:
        return False
    # Two key frames that look alike have hardly a cut between them, and cost little to compare.
    few = [key_frame(path, index, key) for key in (index.keys[before], number)]
    if not _differ(*few):
        return False
    pair = frames_before(path, index, number)
    return pair is not None and _differ(*pair)


def _differ(one: Image | None, other: Image | None) -> bool:
    if one is None or other is None:
        return False
    cuts = CutDetector()
    cuts.is_cut(one)
    return cuts.is_cut(other)
