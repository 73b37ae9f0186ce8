"""What else a picture could have been: where its labels are in each view, and what is seen of them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detection.training.prepare import FACE_CLASS, UNSURE_CLASS
from pipeline.detection.training.views import LARGE, SMALL, SOFT, softened, turned
from pipeline.types import Floats, Image

NOBODY: Floats = np.zeros((0, 5), np.float32)


def portrait(side: float = 0.5) -> tuple[Image, Floats]:
    """A grey picture, 400 x 300, with a bright face left of its middle, and somebody unsure on the right."""
    image = np.full((300, 400, 3), 90, np.uint8)
    wide, high = round(side * 300), round(side * 300)
    image[150 - high // 2 : 150 + high // 2, 140 - wide // 2 : 140 + wide // 2] = 250
    rows = [(FACE_CLASS, 140 / 400, 0.5, wide / 400, high / 300), (UNSURE_CLASS, 0.9, 0.5, 0.1, 0.1)]
    return image, np.array(rows, np.float32)


def test_a_picture_without_anybody_is_also_shown_turned_and_in_pieces() -> None:
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    views = [view for view, _ in turned(image, NOBODY, np.random.default_rng(0))]
    assert [view.shape[:2] for view in views[:4]] == [(20, 30), (30, 20), (20, 30), (30, 20)]
    assert (views[0] == image).all()
    assert (views[2] == image[::-1, ::-1]).all()
    for piece in views[4:]:
        assert 8 <= min(piece.shape[:2]) <= 15
        assert 12 <= max(piece.shape[:2]) <= 23
    assert len(turned(image[:1, :1], NOBODY, np.random.default_rng(0))) == len(views)


def test_a_picture_with_somebody_is_not_turned() -> None:
    with pytest.raises(ValueError, match="of nobody"):
        turned(*portrait(), np.random.default_rng(0))


def test_a_large_face_is_also_shown_soft_and_its_label_lies_on_it() -> None:
    image, labels = portrait()
    for seed in range(30):
        (plain, same), (soft, moved) = softened(image, labels, np.random.default_rng(seed))
        assert plain is image
        assert same is labels
        assert SOFT[0] - 1 <= max(soft.shape[:2]) <= SOFT[1] + 1
        rows, columns = np.nonzero(soft[:, :, 0] > 170)
        height, width = soft.shape[:2]
        x, y, wide, high = moved[0, 1:] * [width, height, width, height]
        blur = 2 * SOFT[1] / SMALL[0]  # two pixels of the small picture
        expected = [max(0, x - wide / 2), max(0, y - high / 2), min(width, x + wide / 2)]
        assert [columns.min(), rows.min(), columns.max()] == pytest.approx(expected, abs=blur)
        assert moved[:, 0].tolist() == labels[:, 0].tolist()


def test_without_a_large_face_a_picture_is_shown_as_it_is() -> None:
    random = np.random.default_rng(0)
    for image, labels in (portrait(LARGE * 0.9), (portrait()[0], portrait()[1][1:]), (portrait()[0], NOBODY)):
        assert len(softened(image, labels, random)) == 1


def test_a_face_of_a_few_pixels_is_not_made_large() -> None:
    image, labels = portrait()
    assert len(softened(image[::20, ::20], labels, np.random.default_rng(0))) == 1
