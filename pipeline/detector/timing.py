"""How long whole detector calls take: in turn on one picture, so that all share the machine's weather."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.detector.evaluate import Detector
from pipeline.types import Image


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call: letterbox, network, decode."""

    median: float
    p95: float
    fastest: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def in_turn(detectors: Mapping[str, Detector], image: Image, rounds: int = 200) -> dict[str, Timing]:
    """Time each detector on `image`, one after the other, `rounds` times; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in detectors}
    for turn in range(rounds + 1):
        for name, detector in detectors.items():
            started = time.perf_counter()
            detector.detect(image)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return {
        name: Timing(
            float(np.median(spent)) * 1000, float(np.quantile(spent, 0.95)) * 1000, min(spent) * 1000
        )
        for name, spent in seconds.items()
    }
