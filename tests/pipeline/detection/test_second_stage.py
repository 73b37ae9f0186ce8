"""A cascade: what the second stage is shown, and what becomes of what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from pipeline import detectors
from pipeline.config import DetectSettings, Settings
from pipeline.detection.files import SECOND_STAGE
from pipeline.detection.second_stage import (
    FIRST,
    INPUT,
    SURE,
    CascadeDetector,
    SecondStage,
    crop,
    logit,
    moved,
    sigmoid,
)
from pipeline.detection.yolo import DEFAULT, GREY
from pipeline.errors import DetectorError
from pipeline.outputs.demo_film import photographs
from pipeline.types import Detections, Floats, Image

PICTURE = np.zeros((200, 300, 3), np.uint8)


def found(*scores: float) -> Detections:
    """Faces of 40 pixels, beside each other."""
    left = 50 * np.arange(len(scores), dtype=np.float32)
    boxes = np.stack([left, left * 0 + 20, left + 40, left * 0 + 60], axis=1)
    return Detections(boxes, np.array(scores, np.float32), np.zeros((len(boxes), 5, 2), np.float32))


class First:
    """Always finds the same."""

    digest = "0" * 64

    def __init__(self, *scores: float) -> None:
        self.seen = found(*scores)

    def detect(self, image: Image) -> Detections:
        return self.seen


class Second:
    """Gives these scores one after the other, and moves each box by so much."""

    def __init__(self, scores: list[float], by: float = 0.0) -> None:
        self.scores, self.by, self.asked = scores, by, list[Detections]()

    def look(self, image: Image, found: Detections) -> Detections:
        self.asked.append(found)
        said = np.array(self.scores[: len(found)], np.float32)
        return replace(found, scores=said, boxes=found.boxes + np.float32(self.by))


def cascade(first: First, second: Second, **settings: Any) -> CascadeDetector:
    return CascadeDetector(first, cast(SecondStage, second), DetectSettings(**settings))


def squares(middle: tuple[int, int], side: int) -> Image:
    """A white square on black."""
    image = PICTURE.copy()
    x, y = middle
    image[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2] = 255
    return image


@pytest.mark.parametrize("side", [6, 24, 40, 90])
def test_a_box_fills_the_middle_of_its_crop_whatever_its_size(side: int) -> None:
    half = side // 2
    box = np.array([150 - half, 100 - half, 150 + half, 100 + half], np.float32)
    seen = crop(squares((150, 100), side), box)
    assert seen.shape == (INPUT, INPUT, 3)
    rows = np.flatnonzero(seen[INPUT // 2, :, 0] > 127)
    assert rows[0] == pytest.approx(12, abs=1)
    assert rows[-1] == pytest.approx(35, abs=1)


def test_where_the_picture_ends_a_crop_is_grey() -> None:
    seen = crop(PICTURE, np.array([0, 0, 20, 20], np.float32))
    assert (seen[:11] == GREY).all()
    assert (seen[13:, 13:] == 0).all()
    outside = crop(PICTURE, np.array([400, 400, 420, 420], np.float32))
    assert (outside == GREY).all()


def test_a_large_face_is_averaged_and_not_sampled() -> None:
    chessboard = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    seen = crop(cv2.merge([chessboard] * 3), np.array([200, 200, 600, 600], np.float32))
    assert np.abs(seen.astype(int) - 127).max() <= 8


def test_faces_of_which_the_first_is_sure_are_not_looked_at_again() -> None:
    second = Second([0.7])
    seen = cascade(First(0.95, 0.5, 0.05), second, confidence=0.01).detect(PICTURE)
    assert [each.scores.tolist() for each in second.asked] == [[0.5]]
    assert seen.scores.tolist() == pytest.approx([0.95, 0.7, 0.05])
    sure = Second([])
    cascade(First(SURE, FIRST / 2), sure).detect(PICTURE)
    assert sure.asked == []


def test_what_the_second_holds_for_none_is_dropped_and_the_rest_is_ranked_anew() -> None:
    seen = cascade(First(0.7, 0.6, 0.2), Second([0.3, 0.5, 0.85]), confidence=0.4).detect(PICTURE)
    assert seen.scores.tolist() == pytest.approx([0.85, 0.5])
    assert seen.boxes[:, 0].tolist() == [100, 50]


def test_boxes_stay_in_the_picture_and_those_that_meet_are_one() -> None:
    aside = cascade(First(0.5, 0.5), Second([0.6, 0.6], by=-60), confidence=0.4).detect(PICTURE)
    assert (aside.boxes >= 0).all()

    class Together(Second):
        def look(self, image: Image, found: Detections) -> Detections:
            return replace(super().look(image, found), boxes=found.boxes[:1].repeat(len(found), axis=0))

    assert len(cascade(First(0.5, 0.5), Together([0.6, 0.7]), confidence=0.4).detect(PICTURE)) == 1


def test_no_more_faces_than_asked_for() -> None:
    assert len(cascade(First(0.7, 0.6, 0.5), Second([0.8, 0.7, 0.6]), max_faces=2).detect(PICTURE)) == 2


def test_a_box_is_moved_in_its_longer_sides() -> None:
    boxes = np.array([[0, 0, 20, 40]], np.float32)
    by = np.array([[0.5, -0.25, np.log(0.5), np.log(2)]], np.float32)
    assert moved(boxes, by)[0].tolist() == pytest.approx([20, -30, 40, 50], abs=1e-4)


def test_scores_go_to_logits_and_back() -> None:
    scores = np.array([0.001, 0.4, 0.999, 1.0, 0.0], np.float32)
    assert sigmoid(logit(scores)) == pytest.approx(scores, abs=1e-6)


def test_the_one_that_ships_believes_a_face_and_not_noise() -> None:
    photo = photographs().known
    first = detectors.detector(Settings(det=DetectSettings(cascade=False, confidence=0.3)))
    face = first.detect(photo)[:1]
    half: Floats = np.full(1, 0.5, np.float32)
    second = SecondStage(SECOND_STAGE)
    seen = second.look(photo, replace(face, scores=half))
    assert seen.scores[0] > 0.6
    assert np.abs(seen.boxes - face.boxes).max() < 0.2 * (face.boxes[0, 2] - face.boxes[0, 0])
    noise = np.random.default_rng(0).integers(0, 255, photo.shape, np.uint8)
    assert second.look(noise, replace(face, scores=half)).scores[0] < 0.2
    assert len(second.look(photo, face[:0])) == 0


def test_our_detectors_have_it_and_those_of_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = photographs().known
    ours = Settings(det=DetectSettings(size=320))
    assert isinstance(detectors.detector(ours), CascadeDetector)
    assert len(detectors.detector(ours).detect(photo)) == 1
    alone = ours.model_copy(update={"det": ours.det.model_copy(update={"cascade": False})})
    assert not isinstance(detectors.detector(alone), CascadeDetector)
    graphs = detectors.Graphs(ours)
    foreign = replace(graphs(None), described=dict(graphs(None).described) | {"recog.kind": ""})
    monkeypatch.setattr(detectors.Graphs, "__call__", lambda *_: foreign)
    assert not isinstance(detectors.detector(ours), CascadeDetector)


def test_a_file_that_is_something_else_is_refused() -> None:
    with pytest.raises(DetectorError, match="not the second stage"):
        SecondStage(Path(DEFAULT))
