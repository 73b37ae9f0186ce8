"""Camera cuts: found in any light, and not where the camera only moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.tracking.cuts import CutDetector
from pipeline.types import Image


def scene(seed: int, light: float = 1.0) -> Image:
    """A picture of large blotches, (360, 1280, 3)."""
    blotches = np.random.default_rng(seed).integers(0, 256, (6, 20, 1))
    return np.broadcast_to(np.kron(blotches, np.ones((60, 64, 1))) * light, (360, 1280, 3)).astype(np.uint8)


def cuts(frames: list[Image]) -> list[int]:
    detector = CutDetector()
    return [number for number, frame in enumerate(frames) if detector.is_cut(frame)]


@pytest.mark.parametrize("light", [1.0, 0.1])
def test_another_scene_is_a_cut_in_the_light_and_in_the_dark(light: float) -> None:
    one, other = scene(1, light)[:, :640], scene(2, light)[:, :640]
    assert cuts([one, one, other, other, one]) == [2, 4]


def test_a_camera_that_pans_makes_no_cut() -> None:
    wide = scene(1)
    assert cuts([wide[:, left : left + 640] for left in range(0, 640, 12)]) == []


def test_changing_light_and_noise_in_the_dark_make_no_cut() -> None:
    noise = np.random.default_rng(0)
    dark = [noise.integers(0, 9, (360, 640, 3), dtype=np.uint8) for _ in range(5)]
    assert cuts([scene(1, 1 - 0.05 * step)[:, :640] for step in range(10)]) == []
    assert cuts(dark) == []


def test_frames_may_change_their_size() -> None:
    picture = scene(1)[:, :640]
    assert cuts([picture, cv2.resize(picture, (320, 180)), picture]) == []
