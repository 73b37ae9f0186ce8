"""What is too unsure to be followed is told apart, so that it can be covered."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline import detectors
from pipeline.config import BlurSettings, DetectSettings, Settings
from pipeline.detection.wary import WaryDetector
from pipeline.types import Detections, Image


class Finds:
    """Always the same faces, beside each other, with these scores."""

    digest = "0" * 64

    def __init__(self, *scores: float) -> None:
        self.scores = np.array(scores, np.float32)

    def detect(self, image: Image) -> Detections:
        left = 100 * np.arange(len(self.scores), dtype=np.float32)
        boxes = np.stack([left, left, left + 50, left + 50], axis=1)
        return Detections(boxes, self.scores, np.zeros((len(boxes), 5, 2), np.float32))


PICTURE = np.zeros((36, 64, 3), np.uint8)


def wary(found: Finds, most: int, whole: bool, limit: int = 64) -> tuple[WaryDetector, list[int]]:
    """With an input of 64 pixels; and the sizes at which it looks again, where it finds two faces."""
    asked: list[int] = []

    def faces(size: int) -> Finds:
        asked.append(size)
        return Finds(0.9, 0.05)

    return WaryDetector(found, 0.15, most, faces, (64, limit), whole, 0.05), asked


def test_unsure_ones_and_those_beyond_the_most_are_faint() -> None:
    detector, asked = wary(Finds(0.9, 0.8, 0.7, 0.1, 0.06), 2, whole=True)
    seen = detector.detect(PICTURE)
    assert seen.scores.tolist() == pytest.approx([0.9, 0.8])
    assert seen.faint is not None
    assert seen.faint[:, 0].tolist() == [200, 300, 400]
    assert asked == []


def test_another_detector_says_what_may_be_a_face_beside_the_people_that_are_followed() -> None:
    detector, asked = wary(Finds(0.1), 9, whole=False)
    seen = detector.detect(PICTURE)
    assert len(seen) == 1  # people have a threshold of their own
    assert seen.faint is not None
    assert seen.faint[:, 0].tolist() == [0, 100]
    assert asked == [64]


def test_a_larger_frame_is_looked_at_once_more_in_its_own_size_up_to_a_limit() -> None:
    detector, asked = wary(Finds(0.9, 0.1), 9, whole=True, limit=256)
    for side in (200, 200, 9000):
        seen = detector.detect(np.zeros((50, side, 3), np.uint8))
        assert seen.faint is not None
        assert len(seen) == 1
        assert seen.faint[:, 0].tolist() == [100, 0, 100]
    assert asked == [224, 256]


@pytest.mark.parametrize(
    ("scores", "faint", "rare"),
    [((0.9,), [0], [100]), ((0.9, 0.1), [100, 0], [100]), ((0.1,), [0], [0, 100])],
)
def test_what_the_look_at_its_own_size_saw_beside_those_who_are_followed_is_told_apart(
    scores: tuple[float, ...], faint: list[int], rare: list[int]
) -> None:
    detector, _ = wary(Finds(*scores), 9, whole=True, limit=256)
    larger = np.zeros((50, 200, 3), np.uint8)
    seen = detector.look(larger, closely=True)
    assert seen.faint is not None
    assert seen.rare is not None
    assert (seen.faint[:, 0].tolist(), seen.rare[:, 0].tolist()) == (faint, rare)
    assert detector.look(larger, closely=False).rare is None
    both = detector.detect(larger)  # all of it
    assert both.faint is not None
    assert (both.faint[:, 0].tolist(), both.rare) == (faint + rare, None)


class Sizes:
    """A large face and a small one with each of these scores."""

    digest = "0" * 64

    def __init__(self, *scores: float) -> None:
        self.scores = scores

    def detect(self, image: Image) -> Detections:
        sides = np.array([60, 40] * len(self.scores), np.float32)
        corners = 100 * np.arange(len(sides), dtype=np.float32)
        boxes = np.stack([corners, corners, corners + sides, corners + sides], axis=1)
        return Detections(boxes, np.repeat(self.scores, 2), np.zeros((len(sides), 5, 2), np.float32))


def test_a_close_look_may_take_the_place_of_the_common_one_and_then_more_counts() -> None:
    common, close = Sizes(0.041, 0.039), Sizes(0.9, 0.041, 0.039)
    detector = WaryDetector(common, 0.15, 9, lambda size: close, (64, 256), True, 0.05)
    larger = np.zeros((50, 90, 3), np.uint8)
    seen = detector.look(larger, closely=True, instead=True)
    assert seen.faint is not None
    assert seen.rare is not None
    assert seen.boxes[:, 0].tolist() == [0, 100]
    # The small one that is followed, too: common looks may miss it until the next close one.
    assert (seen.faint.tolist(), seen.rare[:, 0].tolist()) == ([], [100, 200, 300, 500])
    for instead, large in ((True, [0]), (False, [])):
        seen = detector.look(larger, closely=False, instead=instead)
        assert seen.faint is not None
        assert seen.rare is None
        assert sorted(seen.faint[:, 0].tolist()) == sorted([*large, 100, 300])
    both = detector.look(larger, closely=True)
    assert len(both) == 0
    assert both.rare is not None
    assert both.rare[:, 0].tolist() == [0, 100, 300, 500]


def test_frames_that_are_hardly_larger_than_the_input_are_near() -> None:
    detector, _ = wary(Finds(0.9), 9, whole=True, limit=256)
    assert [detector.is_near((width, 50)) for width in (64, 96, 97, 9000)] == [True, True, False, False]
    beside_people, _ = wary(Finds(0.9), 9, whole=False, limit=256)
    assert not beside_people.is_near((64, 50))  # nobody else looks for faces in the whole frame


def test_nobody_pays_for_it_who_covers_nothing() -> None:
    assert not isinstance(detectors.tracking_detector(Settings()), WaryDetector)


def test_a_region_does_not_keep_faces_outside_from_being_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def detector(settings: Settings, graphs: object = None) -> Finds:
        asked.append(settings.det)
        return Finds(0.9, 0.1)

    monkeypatch.setattr(detectors, "detector", detector)
    blur = BlurSettings(who=("all",))
    found = detectors.tracking_detector(Settings(det=DetectSettings(roi=(0.5, 0, 1, 1)), blur=blur))
    seen = found.detect(np.zeros((100, 600, 3), np.uint8))
    assert seen.faint is not None
    assert (len(seen), len(seen.faint)) == (2, 2)
    region, whole = asked
    assert whole.confidence == pytest.approx(0.0025)
    assert (whole.roi, whole.max_faces, whole.size) == (None, 1000, 608)
    assert (region.roi, region.confidence, region.max_faces) == ((0.5, 0, 1, 1), 0.15, 100)


def test_small_ones_are_told_from_a_twentieth_of_the_score_on_and_large_ones_are_not() -> None:
    class Mixed(Finds):
        def detect(self, image: Image) -> Detections:
            boxes = np.array([[0, 0, 47, 20], [0, 0, 48, 20], [0, 0, 47, 20], [0, 0, 200, 200]], np.float32)
            return Detections(boxes, np.array([0.0026, 0.04, 0.0024, 0.06]), np.zeros((4, 5, 2), np.float32))

    detector, _ = wary(Mixed(), 9, whole=True)
    faint = detector.detect(PICTURE).faint
    assert faint is not None
    assert faint.tolist() == [[0, 0, 47, 20], [0, 0, 200, 200]]
