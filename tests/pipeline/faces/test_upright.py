"""A face is found whichever way up the photograph lies, and its crop stands upright; or nobody can tell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

import pipeline
from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.detection.panorama import PanoramaDetector
from pipeline.faces.examine import WHICH_WAY_UP, examine
from pipeline.faces.upright import UprightDetector, turned_back
from pipeline.types import Detections, Image

PORTRAIT = next(Path(pipeline.__file__).parent.glob("photographs/*opper*"))


@pytest.fixture(scope="module")
def portrait() -> Image:
    image = np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)
    return np.asarray(cv2.resize(image, None, fx=(s := 500 / max(image.shape)), fy=s), np.uint8)


@pytest.fixture(scope="module")
def upright() -> UprightDetector:
    return detectors.of_photographs(Settings())


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_the_crop_of_a_turned_photograph_is_that_of_the_upright_one(
    portrait: Image, upright: UprightDetector, turn: int
) -> None:
    wanted = examine(portrait, upright.detect(portrait)[[0]]).crops[0]
    turned = np.ascontiguousarray(np.rot90(portrait, turn))
    found = upright.detect(turned)
    assert not found.unsure().any()
    crop = examine(turned, found[[0]]).crops[0]
    apart = [np.abs(crop.astype(int) - np.rot90(wanted, each)).mean() for each in range(4)]
    assert apart[0] < min(apart[1:]) / 2


def test_places_in_a_turned_picture_are_those_of_the_picture() -> None:
    image = np.zeros((40, 70), np.uint8)
    image[10:13, 20:25] = 1
    for turn in range(4):
        rows, columns = np.nonzero(np.rot90(image, turn))
        corner = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        box = np.array([corner], np.float32)
        found = Detections(box, np.ones(1, np.float32), box[:, None, :2].repeat(5, axis=1))
        assert turned_back(found, turn, (70, 40)).boxes.tolist() == [[20, 10, 25, 13]]


class Scores:
    """Finds a face in the middle, as sure as was said for the turn that a bright corner tells."""

    digest = "0" * 64

    def __init__(self, *scores: float) -> None:
        self.scores, self.looked = scores, 0

    def detect(self, image: Image) -> Detections:
        self.looked += 1
        corners = [image[0, 0, 0], image[0, -1, 0], image[-1, -1, 0], image[-1, 0, 0]]  # clockwise
        score = self.scores[-int(np.argmax(corners)) % 4]
        box = np.array([[4, 4, 12, 12]], np.float32)
        points = np.array([[[6, 7], [10, 7], [8, 8], [6, 10], [10, 10]]], np.float32)
        return Detections(box, np.array([score], np.float32), points)


def marked() -> Image:
    image = np.zeros((16, 16, 3), np.uint8)
    image[0, 0] = 255
    return image


def test_a_face_as_sure_upside_down_as_upright_is_doubtful_and_one_that_is_certain_costs_one_look() -> None:
    assert UprightDetector(Scores(0.90, 0.5, 0.91, 0.5)).detect(marked()).unsure().all()
    certain = Scores(0.995, 0.99, 0.99, 0.99)
    assert not UprightDetector(certain).detect(marked()).unsure().any()
    assert certain.looked == 1


def test_a_pattern_that_looks_a_little_like_a_face_in_another_turn_is_none() -> None:
    found = UprightDetector(Scores(0.0, 0.5, 0.6, 0.0)).detect(marked())
    assert found.scores.tolist() == [0.0]


def test_the_surest_turn_wins() -> None:
    found = UprightDetector(Scores(0.6, 0.3, 0.95, 0.3)).detect(marked())
    assert found.landmarks[0, 0, 1] > found.landmarks[0, 3, 1]  # the eyes are below the mouth


@pytest.mark.parametrize(
    "scores",
    [(0.995, 0.99, 0.99, 0.99), (0.98, 0.5, 0.5, 0.5), (0.90, 0.5, 0.91, 0.5), (0.6, 0.3, 0.95, 0.3),
     (0.6, 0.95, 0.2, 0.3), (0.0, 0.5, 0.6, 0.0)],
)  # fmt: skip
def test_with_helpers_the_same_is_found(scores: tuple[float, ...]) -> None:
    alone = UprightDetector(Scores(*scores)).detect(marked())
    with ThreadPoolExecutor(2) as threads:
        together = UprightDetector(Scores(*scores), lambda: threads).detect(marked())
    for one, other in ((alone.boxes, together.boxes), (alone.landmarks, together.landmarks)):
        np.testing.assert_array_equal(one, other)
    assert (alone.scores.tolist(), alone.unsure().tolist()) == (
        together.scores.tolist(),
        together.unsure().tolist(),
    )


def test_a_face_as_high_as_a_panorama_is_found(portrait: Image, upright: UprightDetector) -> None:
    height, width = portrait.shape[:2]
    scene = np.full((height, 30 * height, 3), 90, np.uint8)
    scene[:, 7000 : 7000 + width] = portrait
    plain = detectors.detector(Settings())
    assert len(plain.detect(scene)) == 0
    found = PanoramaDetector(plain).detect(scene)
    assert len(found) == 1
    assert 7000 < found.boxes[0, 0] < found.boxes[0, 2] < 7000 + width
    assert len(upright.detect(np.ascontiguousarray(np.rot90(scene)))) == 1


def test_of_a_doubtful_face_a_comparison_says_that_it_cannot_tell(portrait: Image) -> None:
    from pipeline.faces.examine import Examiner

    class Doubtful:
        digest = "0" * 64

        def detect(self, image: Image) -> Detections:
            found = detectors.detector(Settings()).detect(image)
            return Detections(
                found.boxes, found.scores, found.landmarks, doubtful=np.ones(len(found), np.bool_)
            )

    settings = Settings()
    examiner = Examiner(Doubtful(), build.embedder(settings), settings.enroll, settings.quality)
    assert WHICH_WAY_UP in examiner.probe(portrait, "a.jpg", None).flaws
