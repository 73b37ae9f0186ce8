"""A film is looked at closely now and then, and at once where another shot begins."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detection.wary import WaryDetector
from pipeline.recognition.sparing import SparingDetector, once_in
from pipeline.tracking.cadence import Every
from pipeline.types import Detections, Image


class Sees:
    """One face in the middle, whatever it is shown."""

    digest = "0" * 64

    def detect(self, image: Image) -> Detections:
        box = np.array([[10, 10, 30, 30]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.zeros((1, 5, 2), np.float32))


def sparing(times: int) -> SparingDetector:
    """Over pictures that are larger than the input, so that a close look finds one box more."""
    return SparingDetector(WaryDetector(Sees(), 0.15, 9, lambda size: Sees(), (64, 256), True, 0.05), times)


def closely(detector: SparingDetector, image: Image) -> bool:
    faint = detector.detect(image).faint
    assert faint is not None
    return len(faint) > 0


def test_it_looks_closely_first_and_then_once_in_so_many() -> None:
    detector, image = sparing(3), np.zeros((100, 200, 3), np.uint8)
    assert [closely(detector, image) for _ in range(7)] == [True, False, False, True, False, False, True]


def test_another_shot_is_looked_at_closely_at_once() -> None:
    detector = sparing(100)
    dark = np.zeros((100, 200, 3), np.uint8)
    bright = np.random.default_rng(0).integers(0, 256, dark.shape, np.uint8)
    bright[:, :100] = 255
    assert [closely(detector, each) for each in (dark, dark, bright, bright, dark)] == [
        *(True, False),
        *(True, False),
        True,
    ]


@pytest.mark.parametrize(
    ("apart", "fps", "every", "expected"),
    [(0.34, 25.0, "auto", 2), (0.34, 25.0, 1, 8), (0.0, 25.0, 1, 1), (0.34, 1.0, "auto", 1), (1, None, 1, 1)],
)
def test_close_looks_are_no_farther_apart_than_asked(
    apart: float, fps: float | None, every: Every, expected: int
) -> None:
    assert once_in(apart, fps, every) == expected
