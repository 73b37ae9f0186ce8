"""What limits a look, on faces of known size, sharpness and turn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.faces.align import TEMPLATE
from pipeline.faces.quality import Quality, measure, turn
from pipeline.types import Floats, Image

FRAME = np.zeros((200, 300, 3), np.uint8)


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def crops(*blurs: float) -> Image:
    """The same noisy crop at several degrees of blur, in pixels."""
    sharp = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    return np.stack([cv2.GaussianBlur(sharp, (0, 0), blur) if blur else sharp for blur in blurs]).astype(
        np.uint8
    )


def nose_at(share: float) -> Floats:
    """Landmarks (5, 2) whose nose lies at this share of the way from the left eye to the right."""
    points = TEMPLATE.copy()
    points[2] = points[0] + share * (points[1] - points[0]) + np.array([0, 20], np.float32)
    return points


def one(**values: float) -> Quality:
    usual = {"side": 80.0, "sharpness": 40.0, "turn": 0.0, "cut": 0.0} | values
    return Quality(**{name: np.array([value], np.float32) for name, value in usual.items()})


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 0), (0.25, 0.5), (0.75, 0.5), (0.0, 1), (1.0, 1), (1.7, 1), (-0.5, 1)]
)
def test_the_nose_between_the_eyes_tells_how_far_a_head_is_turned(share: float, expected: float) -> None:
    assert turn(nose_at(share)[None])[0] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("degrees", [-60, 15, 170])
def test_a_head_that_is_tilted_is_not_turned(degrees: float) -> None:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    straight, tilted = nose_at(0.35), (nose_at(0.35) @ rotation.T).astype(np.float32)
    np.testing.assert_allclose(turn(tilted[None]), turn(straight[None]), atol=1e-4)


def test_without_landmarks_a_head_counts_as_half_turned_and_eyes_that_meet_do_no_harm() -> None:
    unknown, together = np.full((5, 2), np.nan, np.float32), np.zeros((5, 2), np.float32)
    turned = turn(np.stack([unknown, together]))
    assert turned[0] == 0.5
    assert np.isfinite(turned[1])


def test_the_shorter_side_of_the_box_is_the_size() -> None:
    measured = measure(
        FRAME, boxes((10, 10, 50, 80), (20, 20, 120, 60)), np.zeros((2, 5, 2), np.float32), crops(0, 0)
    )
    np.testing.assert_array_equal(measured.side, [40, 40])


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((50, 50, 90, 90), 0),
        ((2, 2, 90, 90), 0),
        ((0, 50, 40, 90), 1),
        ((50, 1, 90, 40), 1),
        ((260, 50, 300, 90), 1),
        ((50, 160, 90, 199), 1),
    ],
)
def test_a_face_at_the_edge_of_the_frame_is_cut(box: tuple[float, float, float, float], cut: int) -> None:
    measured = measure(FRAME, boxes(box), np.zeros((1, 5, 2), np.float32), crops(0))
    np.testing.assert_array_equal(measured.cut, [cut])


def test_blur_lowers_sharpness_and_rows_stay_aligned() -> None:
    four = boxes(*[(10, 10, 60, 60)] * 4)
    measured = measure(FRAME, four, np.stack([nose_at(0.5)] * 4), crops(2.0, 0, 1.0, 5.0))
    assert np.argsort(-measured.sharpness).tolist() == [1, 2, 0, 3]
    assert np.argsort(-measured.score()).tolist()[-1] == 3


def test_the_background_of_a_crop_says_nothing_of_the_face() -> None:
    framed = np.full((1, 112, 112, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (112, 15, 3), np.uint8)
    framed[0, :, :15], framed[0, :, -15:] = noise, noise
    assert measure(FRAME, boxes((10, 10, 60, 60)), nose_at(0.5)[None], framed).sharpness[0] == 0


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"side": 24}, {"side": 60}),
        ({"sharpness": 8}, {"sharpness": 30}),
        ({"turn": 0.9}, {"turn": 0.4}),
        ({"cut": 1}, {"cut": 0}),
    ],
)
def test_a_worse_look_scores_lower(worse: dict[str, float], better: dict[str, float]) -> None:
    assert one(**worse).score()[0] < one(**better).score()[0]


@pytest.mark.parametrize("side", [1.0, 5000.0])
@pytest.mark.parametrize("sharpness", [0.0, 500.0])
@pytest.mark.parametrize("turned", [0.0, 1.0])
@pytest.mark.parametrize("cut", [0.0, 1.0])
def test_every_score_lies_between_nothing_and_one(
    side: float, sharpness: float, turned: float, cut: float
) -> None:
    score = one(side=side, sharpness=sharpness, turn=turned, cut=cut).score()[0]
    assert 0 < score <= 1


def test_no_faces_have_no_quality() -> None:
    none = measure(FRAME, boxes(), np.zeros((0, 5, 2), np.float32), np.zeros((0, 112, 112, 3), np.uint8))
    assert none.score().shape == (0,)
    assert none.score().dtype == np.float32
