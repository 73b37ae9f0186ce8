"""False alarms on photographs without people: whatever is found there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.detection.evaluation.evaluate import read_image
from pipeline.protocols import Detector


@dataclass(frozen=True, slots=True)
class Alarms:
    """What one detector takes for faces."""

    photos: int
    photos_with: int  # in which it finds any, at `confidence`
    alarms: int
    surest: float | None  # the best score of all
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def count(
    makers: Mapping[str, Callable[[], Detector]],
    photos: Sequence[Path],
    confidence: float,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Alarms]:
    """Show each detector all photographs.

    Raises:
        DetectorError: a photograph cannot be read.
    """
    counts = {}
    for name, make in makers.items():
        detector, scores = make(), []
        for path in photos:
            scores.append([float(s) for s in detector.detect(read_image(path)).scores if s >= confidence])
            progress()
        every = [score for of in scores for score in of]
        counts[name] = Alarms(
            len(photos), sum(map(bool, scores)), len(every), max(every, default=None), confidence
        )
    return counts
