"""Timing of whole calls, with detectors that take as long as they are told."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pipeline.detection.evaluation.timing import Timing, in_rounds, ratio
from pipeline.types import Detections, Image

PICTURE = np.zeros((4, 4, 3), np.uint8)


class Takes:
    """Takes its time, and is slow when it is called for the first time."""

    digest = "0" * 64

    made = 0
    alive = 0

    def __init__(self, seconds: float) -> None:
        Takes.made += 1
        Takes.alive += 1
        assert Takes.alive == 1
        self.seconds, self.calls = seconds, 0

    def __del__(self) -> None:
        Takes.alive -= 1

    def detect(self, image: Image) -> Detections:
        self.calls += 1
        time.sleep(0.05 if self.calls == 1 else self.seconds)
        return Detections.empty()


def test_calls_are_timed_in_rounds_warm_and_one_detector_at_a_time() -> None:
    Takes.made = 0
    makers = {"short": lambda: Takes(0.002), "long": lambda: Takes(0.008)}
    times = in_rounds(makers, PICTURE, rounds=3, calls=4)
    assert Takes.made == 6
    assert Takes.alive == 0
    for name, least in (("short", 2), ("long", 8)):
        of = times[name]
        assert least <= of.fastest <= of.median <= of.p95
        assert of.fastest < 40  # the first call is not among them
        assert len(of.rounds) == 3
    assert ratio(times["long"], times["short"]) > 1.2
    assert ratio(times["short"], times["short"]) == 1


def test_the_ratio_compares_rounds_with_each_other() -> None:
    # The machine was three times as slow in the second round: for both.
    ours, reference = Timing(0, 0, 0, (2.0, 6.0, 2.0)), Timing(0, 0, 0, (1.0, 3.0, 1.0))
    assert ratio(ours, reference) == pytest.approx(2)
