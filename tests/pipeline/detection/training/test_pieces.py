"""Pieces of images: where their faces are afterwards, told by what was painted there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipeline.detection.training.pieces import Piece

RED, BLUE = (0, 0, 255), (255, 0, 0)  # BGR


def piece(*faces: tuple[int, int, int, int]) -> Piece:
    """A grey image of 300 x 200 with red faces; landmarks in the middle of each."""
    image = np.full((200, 300, 3), 90, np.uint8)
    for x1, y1, x2, y2 in faces:
        image[y1:y2, x1:x2] = RED
    boxes = np.array(faces, np.float32).reshape(-1, 4)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return Piece(image, boxes, np.repeat(middles[:, None], 5, axis=1))


def red(of: Piece) -> tuple[float, float, float, float]:
    """The box around all that is red."""
    y, x = np.nonzero((of.image[:, :, 2] > 150) & (of.image[:, :, 0] < 60))
    return float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)


def test_a_part_has_the_faces_that_lie_in_it_and_those_it_cuts_are_unsure() -> None:
    part = piece((50, 50, 90, 90), (150, 60, 190, 100)).cut(40, 30, 160, 130)
    np.testing.assert_allclose(part.unsure, [[110, 30, 120, 70]])
    assert part.image.shape == (100, 120, 3)
    np.testing.assert_allclose(part.boxes, [[10, 20, 50, 60]])
    np.testing.assert_allclose(part.landmarks[0, 0], [30, 40])


def test_a_face_that_is_mostly_in_a_part_ends_where_the_part_ends() -> None:
    part = piece((50, 50, 90, 90)).cut(0, 0, 80, 200)
    np.testing.assert_allclose(part.boxes, [[50, 50, 80, 90]])


@pytest.mark.parametrize("long", [150, 300, 450])
def test_at_another_size_a_face_is_where_it_is_seen(long: int) -> None:
    scaled = piece((50, 50, 90, 90)).at(long)
    assert max(scaled.image.shape) == long
    np.testing.assert_allclose(scaled.boxes[0], red(scaled), atol=1.5)
    np.testing.assert_allclose(scaled.landmarks[0, 0], scaled.boxes[0].reshape(2, 2).mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("degrees", [-90, -30, 45, 90])
def test_turned_a_round_face_is_where_it_is_seen(degrees: float) -> None:
    plain = piece()
    image = plain.image.copy()
    cv2.ellipse(image, (80, 60), (20, 30), 0, 0, 360, RED, -1)
    box = np.array([[60, 30, 100, 90]], np.float32)
    turned = Piece(image, box, np.full((1, 5, 2), (80, 60), np.float32)).turned(degrees)
    np.testing.assert_allclose(turned.boxes[0], red(turned), atol=2)
    np.testing.assert_allclose(turned.landmarks[0, 0], turned.boxes[0].reshape(2, 2).mean(axis=0), atol=1e-3)


def test_what_is_unsure_is_painted_over_but_for_the_faces_it_overlaps() -> None:
    whole = replace(piece((50, 50, 90, 90)), unsure=np.array([[80, 40, 140, 120]], np.float32))
    whole.image[40:120, 100:140] = BLUE
    painted = whole.painted()
    assert not len(painted.unsure)
    assert (painted.image[50:90, 50:90] == RED).all()
    assert not (painted.image[:, 110:130] == BLUE).all(axis=2).all()
    assert (whole.image[60:100, 110:130] == BLUE).all()  # the original stays


def test_what_is_unsure_goes_where_the_faces_go() -> None:
    place = (50, 50, 90, 90)
    whole = replace(piece(place), unsure=np.array([place, (200, 150, 240, 190)], np.float32))
    part = whole.cut(40, 30, 160, 130)
    np.testing.assert_allclose(part.unsure, part.boxes)  # the other one lies outside
    for moved in (whole.at(150), whole.turned(30)):
        np.testing.assert_allclose(moved.unsure[0], moved.boxes[0])
        assert len(moved.unsure) == 2
