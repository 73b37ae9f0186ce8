"""How long whole detector calls take: in rounds on one picture, so that all share the machine's weather."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.protocols import Detector
from pipeline.types import Image


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call: letterbox, network, decode."""

    median: float
    p95: float
    fastest: float
    rounds: tuple[float, ...]  # the median of each round

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def in_rounds(
    makers: Mapping[str, Callable[[], Detector]], image: Image, rounds: int = 7, calls: int = 60
) -> dict[str, Timing]:
    """Time each detector on `image`: in each round every one is made, warmed up, called, and dropped.

    Never are there two at once: the idle threads of a second one would spin on the cores of the first.
    """
    seconds: dict[str, list[list[float]]] = {name: [] for name in makers}
    for _ in range(rounds):
        for name, make in makers.items():
            detector = make()
            for _ in range(5):
                detector.detect(image)
            spent = []
            for _ in range(calls):
                started = time.perf_counter()
                detector.detect(image)
                spent.append(time.perf_counter() - started)
            del detector
            seconds[name].append(spent)
    return {name: _timing(np.array(spent) * 1000) for name, spent in seconds.items()}


def ratio(timing: Timing, reference: Timing) -> float:
    """How many times as long a call takes as the reference's: the median over the rounds they shared."""
    return float(np.median(np.divide(timing.rounds, reference.rounds)))


def _timing(milliseconds: Any) -> Timing:
    """Of (rounds, calls)."""
    return Timing(
        float(np.median(milliseconds)),
        float(np.quantile(milliseconds, 0.95)),
        float(milliseconds.min()),
        tuple(float(each) for each in np.median(milliseconds, axis=1)),
    )
