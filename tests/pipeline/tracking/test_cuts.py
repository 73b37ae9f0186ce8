"""Camera cuts: found in any light, and not where the camera only moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.tracking.cuts import CutDetector, FaceCuts
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


def inset(seed: int) -> Image:
    """A slide on which nothing but a portrait is another one, (360, 640, 3)."""
    slide = scene(1)[:, :640].copy()
    slide[60:240, 400:580] = scene(seed)[:180, :180]
    return slide


def test_a_slide_on_which_only_the_portrait_changes_is_no_cut_but_a_jump() -> None:
    detector, jumps = CutDetector(), []
    for number, frame in enumerate([inset(2)] * 8 + [inset(3)] * 8):
        assert not detector.is_cut(frame)
        if detector.jumped:
            jumps.append(number)
    assert jumps == [8]


def test_what_moves_all_the_time_does_not_jump() -> None:
    detector, wide = CutDetector(), scene(1)
    for left in [*range(0, 300, 12), *range(300, 100, -24)]:
        detector.is_cut(wide[:, left : left + 640])
        assert not detector.jumped


def test_a_face_in_whose_place_another_picture_is_has_changed_and_others_have_not() -> None:
    faces, boxes = FaceCuts(), np.array([[400, 60, 580, 240], [20, 20, 200, 200], [0, 0, 90, 90]], np.float32)
    tracks = np.array([4, 5, -1])
    assert not faces.changed(inset(2), boxes, tracks).any()
    assert not faces.changed(inset(2), boxes, tracks).any()
    assert faces.changed(inset(3), boxes, tracks).tolist() == [True, False, False]


def test_a_face_that_is_not_seen_or_too_small_or_new_has_not_changed() -> None:
    faces = FaceCuts()
    boxes = np.array([[np.nan] * 4, [10, 10, 14, 14], [-50, -50, -20, -20], [400, 60, 580, 240]], np.float32)
    for seed, ids in ((2, [0, 1, 2, 3]), (3, [0, 1, 2, 9])):
        assert not faces.changed(inset(seed), boxes, np.array(ids)).any()
    faces.forget(frozenset({9}))
    assert not faces.changed(inset(2), boxes, np.array([0, 1, 2, 3])).any(), "it was forgotten"


def test_a_track_that_goes_on_by_another_number_has_not_changed_by_that() -> None:
    faces, box = FaceCuts(), np.array([[400, 60, 580, 240]], np.float32)
    faces.changed(inset(2), box, np.array([3]))
    faces.renamed(3, 7)
    assert faces.changed(inset(3), box, np.array([7])).all()
