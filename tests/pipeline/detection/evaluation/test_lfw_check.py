"""The check on LFW, on a little LFW of plain pictures and detectors that are told what to find."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.evaluation.lfw_check import check, choose, steps
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image
from siamese.errors import DataError

POINTS = np.array([[40, 50], [60, 50], [50, 60], [42, 70], [58, 70]], np.float32)
PEOPLE = {"Ann_A": 2, "Bo_B": 1, "Cy_C": 1, "Di_D": 2}
TEST = ("Cy_C", "Di_D")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four people; the shade of a picture is its number among all, times ten."""
    shade = 0
    for name, count in PEOPLE.items():
        folder = tmp_path / "lfw-deepfunneled" / name
        folder.mkdir(parents=True)
        for number in range(1, count + 1):
            shade += 10
            cv2.imwrite(str(folder / f"{name}_{number:04d}.jpg"), np.full((100, 100, 3), shade, np.uint8))
    for part, chosen in (("Train", [n for n in PEOPLE if n not in TEST]), ("Test", TEST)):
        lines = [str(len(chosen)), *(f"{name}\t{PEOPLE[name]}" for name in chosen)]
        (tmp_path / f"peopleDev{part}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def one(points: Floats = POINTS, score: float = 0.9, x: float = 30) -> Detections:
    box = np.array([[x, 40, x + 40, 80]], np.float32)
    return Detections(box, np.array([score], np.float32), points[None])


class Answers:
    """Finds the same in every picture, but for those of some shades."""

    digest = "0" * 64

    def __init__(self, usual: Detections, **others: Detections) -> None:
        self.usual, self.others = usual, others

    def detect(self, image: Image) -> Detections:
        return self.others.get(f"shade{round(float(image.mean()) / 10)}", self.usual)


def test_pictures_without_a_sure_face_are_counted_over_all_of_lfw(root: Path) -> None:
    detector = Answers(one(), shade2=Detections.empty(), shade5=one(score=0.3))
    report = check({"d": lambda: detector}, choose(root), [])["d"]
    assert (report.images, report.without_faces) == (6, 2)
    assert (report.landmark_median, report.landmark_interval, report.landmarks_compared) == (None, None, 0)


def test_landmarks_are_compared_on_the_first_picture_of_test_people_only(root: Path) -> None:
    moved = POINTS + np.array([0, 5], np.float32)
    # Only the test people's first pictures (4 and 5) differ from what is proposed: by a quarter of the eyes.
    detector = Answers(one(), shade4=one(moved), shade5=one(moved), shade6=one(POINTS + 40))
    report = check({"d": lambda: detector}, choose(root), [Answers(one())])["d"]
    assert report.landmarks_compared == 2
    assert report.landmark_median == pytest.approx(0.25)
    assert report.landmark_p90 == pytest.approx(0.25)
    assert report.landmark_interval == pytest.approx((0.25, 0.25))


def test_another_face_than_the_one_in_the_middle_is_not_compared(root: Path) -> None:
    elsewhere = check({"d": lambda: Answers(one(x=0))}, choose(root), [Answers(one())])["d"]
    assert (elsewhere.without_faces, elsewhere.landmarks_compared) == (0, 0)
    beside = Detections(np.array([[0, 0, 20, 20]], np.float32), np.ones(1, np.float32), POINTS[None])
    assert check({"d": lambda: Answers(one())}, choose(root), [Answers(beside)])["d"].landmarks_compared == 0


def test_the_proposer_is_asked_at_each_scale_and_its_surest_answer_counts(root: Path) -> None:
    sure, unsure = one(POINTS + 1, 0.95), one(POINTS + 20, 0.5)
    detector = Answers(one(POINTS + 1))
    for proposers in ([Answers(sure), Answers(unsure)], [Answers(unsure), Answers(sure)]):
        report = check({"d": lambda: detector}, choose(root), proposers)["d"]
        assert report.landmark_median == pytest.approx(0, abs=1e-6)


def test_a_sample_is_the_same_each_time_and_no_larger_than_what_there_is(root: Path) -> None:
    sample = choose(root, 1)
    assert (len(sample.searched), len(sample.compared)) == (1, 1)
    assert choose(root, 1) == sample
    assert choose(root, 100) == choose(root)
    assert choose(root).compared == {"Cy_C/Cy_C_0001.jpg", "Di_D/Di_D_0001.jpg"}


@pytest.mark.parametrize("proposers", [[], [Answers(one())]])
def test_progress_is_told_as_often_as_was_said(root: Path, proposers: list[Answers]) -> None:
    told: list[None] = []
    makers = {"a": lambda: Answers(one()), "b": lambda: Answers(one())}
    images = choose(root, 2)
    check(makers, images, proposers, progress=lambda: told.append(None))
    assert len(told) == steps(2, images, bool(proposers))


def test_lfw_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recog data lfw"):
        choose(tmp_path)


def test_a_picture_that_cannot_be_read_is_named(root: Path) -> None:
    (root / "lfw-deepfunneled" / "Bo_B" / "Bo_B_0001.jpg").write_text("no image")
    with pytest.raises(DetectorError, match=r"Bo_B_0001\.jpg: cannot be read"):
        check({"d": lambda: Answers(one())}, choose(root), [])
