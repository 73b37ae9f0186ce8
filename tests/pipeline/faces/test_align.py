"""Similarities recover what was done to the points, and crops put the landmarks where the template says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.faces import align
from pipeline.faces.align import SIZE, TEMPLATE, center_crop, crop, similarity
from pipeline.types import Floats, Image

NO_LANDMARKS = np.full((1, 5, 2), np.nan, np.float32)


def transform(angle: float, scale: float, shift: tuple[float, float]) -> Floats:
    """The 2 x 3 matrix: turn by `angle` radians, scale, then shift."""
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]], np.float32)


def apply(matrix: Floats, points: Floats) -> Floats:
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def around(points: Floats) -> Floats:
    """A box (1, 4) around the points."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])[None].astype(np.float32)


def clouds(height: int, width: int, cell: int) -> Image:
    """A smooth coloured picture whose detail is about `cell` pixels."""
    small = np.random.default_rng(0).integers(0, 256, (height // cell + 2, width // cell + 2, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


angles, scales = st.floats(-3.14, 3.14), st.floats(0.05, 20)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@given(angles, scales, shifts)
def test_a_similarity_recovers_what_was_done_to_the_points(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    matrix = transform(angle, scale, shift)
    np.testing.assert_allclose(similarity(TEMPLATE, apply(matrix, TEMPLATE)), matrix, rtol=1e-3, atol=2e-2)


@given(st.integers(0, 2**32 - 1))
def test_no_other_similarity_brings_the_points_closer(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = (TEMPLATE * 3 + random.normal(0, 15, (5, 2))).astype(np.float32)
    best = similarity(points, TEMPLATE)

    def distance(matrix: Floats) -> float:
        return float(((apply(matrix, points) - TEMPLATE) ** 2).sum())

    for _ in range(20):
        near = best + transform(0, 0, (0, 0))
        a, b = random.normal(0, 0.01, 2)
        near = near + np.array([[a, -b, 0], [b, a, 0]], np.float32)
        near[:, 2] += random.normal(0, 1, 2)
        assert distance(best) <= distance(near.astype(np.float32)) * (1 + 1e-4) + 1e-3


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = TEMPLATE * np.array([-1, 1], np.float32)
    assert np.linalg.det(similarity(mirrored, TEMPLATE)[:, :2]) > 0


@pytest.mark.parametrize(("scale", "angle"), [(0.6, 0.0), (1.0, 0.5), (1.9, -2.0), (3.5, 0.5), (8.0, 2.5)])
def test_the_crop_puts_the_landmarks_on_the_template(scale: float, angle: float) -> None:
    points = apply(transform(angle, scale, (600, 600)), TEMPLATE - 56)
    image = np.zeros((1200, 1200, 3), np.uint8)
    y, x = np.mgrid[:1200, :1200]
    for point in points:
        far = ((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * scale) ** 2
        image[..., :] = np.maximum(image, (255 * np.exp(-far / 2))[..., None].astype(np.uint8))
    cropped = crop(image, around(points), points[None])[0, :, :, 0].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for point in TEMPLATE:
        near = cropped * (np.hypot(columns - point[0], rows - point[1]) < 8)
        center = np.array([(near * columns).sum(), (near * rows).sum()]) / near.sum()
        np.testing.assert_allclose(center, point, atol=0.12)


@pytest.mark.parametrize("scale", [2.1, 3.7, 9.0])
def test_shrinking_first_gives_what_the_direct_way_gives(scale: float) -> None:
    # The picture is so smooth that the direct way does not alias: only a shift could tell the two apart.
    image = clouds(1300, 1300, 160)
    points = apply(transform(0.3, scale, (640.3, 655.8)), TEMPLATE - 56)
    cropped = crop(image, around(points), points[None])[0]
    direct = cv2.warpAffine(image, similarity(points, TEMPLATE), (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    difference = np.abs(cropped.astype(int) - direct.astype(int))[3:-3, 3:-3]
    assert difference.mean() < 1
    assert difference.max() <= 6
    shifted = np.abs(np.roll(cropped, 1, axis=1).astype(int) - direct.astype(int))[3:-3, 3:-3]
    assert shifted.mean() > 2 * difference.mean()


def test_shrinking_averages_where_the_direct_way_would_alias() -> None:
    image = np.zeros((1200, 1200, 3), np.uint8)
    image[::2, ::2] = 255
    image[1::2, 1::2] = 255  # a chessboard of single pixels, half of them white
    points = apply(transform(0.1, 7.3, (600, 600)), TEMPLATE - 56)
    cropped = crop(image, around(points), points[None])[0]
    assert np.abs(cropped.astype(int)[5:-5, 5:-5] - 127).max() < 40
    assert cropped.mean() == pytest.approx(127.5, abs=3)


@pytest.mark.parametrize("side", [30, 94, 188, 500])
def test_without_landmarks_the_box_is_put_where_boxes_lie(side: int) -> None:
    image = np.zeros((900, 900, 3), np.uint8)
    image[300 : 300 + side, 400 : 400 + side] = 200
    box = np.array([[400, 300, 400 + side, 300 + side]], np.float32)
    rows, columns = np.nonzero(crop(image, box, NO_LANDMARKS)[0, :, :, 0] > 100)
    # Chins reach below the crop: such a box is cut there, and a square one is wider than the crop.
    assert (rows.min(), rows.max() + 1) == pytest.approx((4, 112), abs=2)
    assert (columns.min(), columns.max() + 1) == (0, 112)


def test_without_landmarks_a_box_of_a_faces_shape_keeps_its_shape() -> None:
    image = np.zeros((900, 900, 3), np.uint8)
    image[300:420, 400:487] = 200
    box = np.array([[400, 300, 487, 420]], np.float32)
    _, columns = np.nonzero(crop(image, box, NO_LANDMARKS)[0, :, :, 0] > 100)
    assert (columns.min(), columns.max() + 1) == pytest.approx((12, 99), abs=2)


def test_without_landmarks_a_wide_box_is_not_squeezed() -> None:
    image = clouds(300, 400, 20)
    narrow = np.array([[150, 80, 210, 200]], np.float32)
    wide = np.array([[120, 80, 240, 200]], np.float32)
    np.testing.assert_array_equal(crop(image, narrow, NO_LANDMARKS), crop(image, wide, NO_LANDMARKS))


def test_a_single_unknown_landmark_makes_the_box_decide() -> None:
    image, box = clouds(200, 200, 20), np.array([[60, 50, 130, 150]], np.float32)
    points = apply(transform(0.4, 1, (100, 100)), TEMPLATE - 56)[None].copy()
    points[0, 3, 1] = np.nan
    np.testing.assert_array_equal(crop(image, box, points), crop(image, box, NO_LANDMARKS))


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("center", [(0, 0), (299, 0), (150, 199), (-400, 100), (1000, 1000)])
def test_a_face_at_or_beyond_the_edge_is_black_where_there_is_no_image(
    center: tuple[int, int], scale: float
) -> None:
    image = np.full((200, 300, 3), 180, np.uint8)
    points = apply(transform(0, scale, center), TEMPLATE - 56)
    cropped = crop(image, around(points), points[None])[0]
    matrix = similarity(points, TEMPLATE)
    inside = cv2.warpAffine(np.full((200, 300), 255, np.uint8), matrix, (SIZE, SIZE))
    apart = cv2.erode(inside, np.ones((5, 5))) > 0, cv2.dilate(inside, np.ones((5, 5))) == 0
    assert (cropped[apart[0]] == 180).all()
    assert (cropped[apart[1]] == 0).all()


def test_points_that_fall_together_and_empty_boxes_do_not_fail() -> None:
    image = clouds(100, 100, 20)
    together = np.full((1, 5, 2), 40, np.float32)
    nothing = np.array([[40, 40, 40, 40]], np.float32)
    assert crop(image, nothing, together).shape == (1, SIZE, SIZE, 3)
    assert crop(image, nothing, NO_LANDMARKS).shape == (1, SIZE, SIZE, 3)


def test_rows_of_crops_are_the_faces_in_order_and_none_gives_none() -> None:
    image = clouds(300, 300, 20)
    points = np.stack([apply(transform(a, 1, (100 + 50 * a, 120)), TEMPLATE - 56) for a in (0, 0.5, 1)])
    boxes = np.concatenate([around(row) for row in points])
    together = crop(image, boxes, points)
    for row in range(3):
        np.testing.assert_array_equal(together[row], crop(image, boxes[[row]], points[[row]])[0])
    none = crop(image, np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32))
    assert none.shape == (0, SIZE, SIZE, 3)
    assert none.dtype == np.uint8


@pytest.mark.parametrize(("height", "width"), [(250, 250), (100, 300), (1, 1)])
def test_where_no_face_was_found_the_middle_is_taken(height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image[top : top + side, left : left + side] = 100
    quarter = side // 4 + 1
    image[
        height // 2 - quarter : height // 2 + quarter + 1, width // 2 - quarter : width // 2 + quarter + 1
    ] = 200
    assert (center_crop(image) == 200).all()
    assert center_crop(image, 1.0).shape == (SIZE, SIZE, 3)


def test_the_template_is_upright_and_inside_the_crop() -> None:
    assert ((TEMPLATE > 0) & (TEMPLATE < SIZE)).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = TEMPLATE
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]
    assert align.VERSION
