"""Tiles of a frame: where they lie, and that a face is found once, whichever see it."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import DetectSettings
from pipeline.detection.region import RegionDetector
from pipeline.detection.tiles import TiledDetector, spans
from pipeline.detection.yolo import YoloDetector
from pipeline.faces.boxes import iou
from pipeline.outputs.demo_film import photographs
from pipeline.types import Detections, Floats, Image


class Bright:
    """Finds white squares, if they take up enough of the picture's width; cut ones as they are."""

    digest = "0" * 64

    def __init__(self, least: float = 0.0) -> None:
        self.least = least
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, image: Image) -> Detections:
        self.shapes.append(image.shape)
        bright = np.ascontiguousarray(image[:, :, 0] == 255).astype(np.uint8)
        _, _, parts, _ = cv2.connectedComponentsWithStats(bright)
        found = [(x, y, x + w, y + h) for x, y, w, h, _ in parts[1:] if w >= self.least * image.shape[1]]
        boxes = np.array(found, np.float32).reshape(-1, 4)
        # Larger in its picture is surer, as with real detectors.
        scores = np.clip((boxes[:, 2] - boxes[:, 0]) / image.shape[1], 0.01, 0.99)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        return Detections(boxes, scores.astype(np.float32), np.repeat(middles[:, None], 5, axis=1))


def frame(*squares: tuple[int, int, int], width: int = 640, height: int = 360) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, side in squares:
        image[y : y + side, x : x + side] = 255
    return image


def in_order(boxes: Floats) -> list[list[float]]:
    return sorted(boxes.tolist())


@given(st.integers(8, 5000), st.integers(1, 8), st.sampled_from([0.0, 0.1, 0.2, 0.5]))
def test_pieces_cover_a_side_are_equally_long_and_overlap(length: int, count: int, shared: float) -> None:
    pieces = spans(length, count, shared)
    assert len(pieces) == count
    assert (pieces[0][0], pieces[-1][1]) == (0, length)
    sides = [end - start for start, end in pieces]
    assert max(sides) - min(sides) <= 2
    for (_, end), (start, _) in pairwise(pieces):
        assert end - start == pytest.approx(shared * sides[0], abs=2)


def test_a_face_too_small_for_the_whole_frame_is_found_in_a_tile() -> None:
    small = frame((100, 60, 24))
    assert len(Bright(0.05).detect(small)) == 0
    found = TiledDetector(Bright(0.05), DetectSettings(tiles=2)).detect(small)
    assert in_order(found.boxes) == [[100, 60, 124, 84]]
    np.testing.assert_array_equal(found.landmarks[0, 0], [112, 72])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 600), st.integers(0, 320), st.integers(6, 40), st.sampled_from([2, 3, 4]))
def test_a_face_is_found_once_and_whole_wherever_the_seams_run(x: int, y: int, side: int, tiles: int) -> None:
    found = TiledDetector(Bright(), DetectSettings(tiles=tiles)).detect(frame((x, y, side)))
    assert in_order(found.boxes) == [[x, y, min(x + side, 640), min(y + side, 360)]]


def test_a_face_larger_than_what_tiles_share_is_taken_from_the_whole_frame() -> None:
    found = TiledDetector(Bright(), DetectSettings(tiles=2)).detect(frame((200, 60, 240)))
    assert in_order(found.boxes) == [[200, 60, 440, 300]]


def test_a_face_at_the_edge_of_the_frame_is_cut_by_no_seam() -> None:
    found = TiledDetector(Bright(), DetectSettings(tiles=2)).detect(frame((0, 0, 20), (620, 340, 20)))
    assert in_order(found.boxes) == [[0, 0, 20, 20], [620, 340, 640, 360]]


def test_the_best_faces_of_all_tiles_are_kept_and_come_first() -> None:
    found = TiledDetector(Bright(), DetectSettings(tiles=2, max_faces=2)).detect(
        frame((10, 10, 20), (500, 20, 30), (40, 300, 25))
    )
    assert [box[2] - box[0] for box in found.boxes.tolist()] == [30, 25]


def test_each_tile_has_the_frames_proportions_and_the_whole_is_looked_at_once() -> None:
    bright = Bright()
    TiledDetector(bright, DetectSettings(tiles=3)).detect(frame())
    assert bright.shapes[0] == (360, 640, 3)
    assert len(bright.shapes) == 10
    for height, width, _ in bright.shapes[1:]:
        assert width / height == pytest.approx(640 / 360, rel=0.02)


def test_no_face_anywhere_is_an_empty_answer() -> None:
    found = TiledDetector(Bright(), DetectSettings(tiles=2)).detect(frame())
    assert (found.boxes.shape, found.landmarks.shape) == ((0, 4), (0, 5, 2))


def test_only_the_region_is_searched_and_coordinates_are_the_frames() -> None:
    bright = Bright()
    found = RegionDetector(bright, (0.5, 0.25, 1.0, 1.0)).detect(frame((10, 10, 20), (400, 200, 30)))
    assert in_order(found.boxes) == [[400, 200, 430, 230]]
    np.testing.assert_array_equal(found.landmarks[0, 0], [415, 215])
    assert bright.shapes == [(270, 320, 3)]


def test_a_region_of_a_tiny_frame_is_at_least_a_pixel() -> None:
    bright = Bright()
    RegionDetector(bright, (0.4, 0.4, 0.5, 0.5)).detect(frame(width=2, height=2))
    assert bright.shapes == [(1, 1, 3)]


def test_real_faces_that_are_tiny_in_a_large_frame_are_found_in_tiles() -> None:
    face = cv2.resize(photographs().known, (96, 96), interpolation=cv2.INTER_AREA)
    large = np.full((1080, 1920, 3), 90, np.uint8)
    # In the middle of a tile, on its seams, and in the corner where four of them meet.
    corners = [(200, 150), (1600, 800), (912, 200), (300, 492), (912, 492)]
    for x, y in corners:
        large[y : y + 96, x : x + 96] = face
    whole = YoloDetector(settings=DetectSettings(size=320))
    assert len(whole.detect(large)) < len(corners)
    found = TiledDetector(whole, DetectSettings(tiles=3)).detect(large)
    assert len(found) == len(corners)
    height, width = photographs().known.shape[:2]
    alone = whole.detect(photographs().known).boxes[0] * np.tile([96 / width, 96 / height], 2)
    expected = np.array([alone + np.tile(corner, 2) for corner in corners], np.float32)
    assert (iou(expected, found.boxes).max(axis=1) > 0.5).all()
