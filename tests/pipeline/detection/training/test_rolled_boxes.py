"""Boxes of faces in rolled pictures, by hand and as ultralytics labels them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from pipeline.detection.training.rolled_boxes import of_ellipses, rolled_as_ellipses

SQUARE = np.array([[40, 40, 60, 60]], np.float32)


def rolled(degrees: float, scale: float = 1.0, by: tuple[float, float] = (0, 0)) -> np.ndarray:
    """A roll about the point 50, 50, with a scale and a shift: (3, 3)."""
    cosine, sine = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    linear = np.array([[cosine, -sine], [sine, cosine]])
    made = np.eye(3)
    made[:2, :2], made[:2, 2] = linear, np.array([50, 50]) - linear @ [50, 50] + by
    return made


@pytest.mark.parametrize("degrees", [0, 7, 45, 90])
def test_a_face_as_wide_as_high_keeps_its_box_however_it_is_rolled(degrees: float) -> None:
    np.testing.assert_allclose(of_ellipses(SQUARE, rolled(degrees)), SQUARE, atol=1e-4)


def test_it_follows_scale_and_shift() -> None:
    found = of_ellipses(SQUARE, rolled(30, scale=2, by=(5, -5)))
    np.testing.assert_allclose(found, [[35, 25, 75, 65]], atol=1e-4)


def test_a_long_face_lies_on_its_side_after_a_quarter_turn() -> None:
    tall = np.array([[40, 30, 60, 70]], np.float32)
    np.testing.assert_allclose(of_ellipses(tall, rolled(90)), [[30, 40, 70, 60]], atol=1e-4)
    assert of_ellipses(tall[:0], rolled(90)).shape == (0, 4)


def test_every_point_of_the_ellipse_is_within_and_some_on_each_edge() -> None:
    tall, map_ = np.array([[40, 30, 60, 70]], np.float32), rolled(25, scale=1.3)
    angles = np.linspace(0, 2 * np.pi, 720)
    points = np.stack([50 + 10 * np.cos(angles), 50 + 20 * np.sin(angles), np.ones_like(angles)])
    x, y, _ = map_ @ points
    np.testing.assert_allclose(of_ellipses(tall, map_)[0], [x.min(), y.min(), x.max(), y.max()], atol=0.01)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_ultralytics_labels_so_as_long_as_it_is_asked_to_and_larger_boxes_before_and_after(
    ultralytics: Any,
) -> None:
    from ultralytics.data.augment import RandomPerspective

    transform, map_ = RandomPerspective(), rolled(7.5).astype(np.float32)
    for _ in range(2):
        before = transform.apply_bboxes(SQUARE, map_)[0]
        assert np.prod(before[2:] - before[:2]) == pytest.approx(1.26 * 400, rel=0.01)
        with suppress(KeyError), rolled_as_ellipses():  # also where a training breaks off
            np.testing.assert_allclose(transform.apply_bboxes(SQUARE, map_), SQUARE, atol=1e-3)
            raise KeyError
