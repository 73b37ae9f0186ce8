"""What is made of a network's output: graphs whose head says the same of every picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pipeline.config import DetectSettings
from pipeline.detection.yolo import YoloDetector, agreement, letterbox, suppress
from pipeline.faces.boxes import iou
from pipeline.types import Floats, Image

WIDTH, HEIGHT = 128, 96
STRIDES = (8, 16, 32)
Head = Callable[..., Path]


@pytest.fixture
def head(tmp_path: Path) -> Head:
    """Writes a graph of our detectors' layout that says `output` (rows, places) whatever it is shown."""

    def make(output: Floats, side: object = "side", **entries: str) -> Path:
        constant = numpy_helper.from_array(np.asarray(output, np.float32)[None], "says")
        graph = helper.make_graph(
            [helper.make_node("Constant", [], ["out"], value=constant)],
            "head",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, *output.shape])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        described = {"task": "pose", "names": "{0: 'face'}", "kpt_shape": "[5, 3]", "end2end": "False"}
        helper.set_model_props(model, described | entries)
        onnx.save(model, str(tmp_path / "head.onnx"))
        return tmp_path / "head.onnx"

    return make


def places(width: int = WIDTH, height: int = HEIGHT) -> dict[int, slice]:
    """Which columns of a head's output belong to each stride."""
    counts = [(width // stride) * (height // stride) for stride in STRIDES]
    ends = np.cumsum(counts)
    return {stride: slice(int(e - n), int(e)) for stride, n, e in zip(STRIDES, counts, ends, strict=True)}


def nothing() -> Floats:
    """A head that sees nothing anywhere: (20, places), every score tiny."""
    output = np.zeros((20, max(part.stop for part in places().values())), np.float32)
    output[:4] = 10
    output[4] = 1e-4
    return output


def face(x: float, y: float, side: float, score: float) -> Floats:
    """A column: a square face around x, y, with its landmarks at its middle and corners."""
    offsets = np.array([(-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)], np.float32) * side / 4
    points = np.concatenate([offsets + np.array([x, y]), np.ones((5, 1))], axis=1)
    return np.array([x, y, side, side, score, *points.ravel()], np.float32)


def grey(height: int = HEIGHT, width: int = WIDTH) -> Image:
    return np.full((height, width, 3), 128, np.uint8)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("end", [0, -1])
def test_a_face_is_found_wherever_in_the_output_of_every_stride(head: Head, stride: int, end: int) -> None:
    output = nothing()
    part = places()[stride]
    output[:, range(part.start, part.stop)[end]] = face(60, 50, 2 * stride, 0.9)
    found = YoloDetector(head(output), DetectSettings(size=WIDTH)).detect(grey())
    np.testing.assert_allclose(found.boxes, [[60 - stride, 50 - stride, 60 + stride, 50 + stride]])
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-6)
    np.testing.assert_allclose(found.landmarks[0, 0], [60 - stride / 2, 50 - stride / 2])
    np.testing.assert_allclose(found.landmarks[0, 2], [60, 50])


def test_faces_of_all_strides_come_together_best_first(head: Head) -> None:
    output = nothing()
    for (stride, part), score in zip(places().items(), (0.5, 0.9, 0.7), strict=True):
        output[:, part.start] = face(stride * 3, 40, stride, score)
    found = YoloDetector(head(output), DetectSettings(size=WIDTH)).detect(grey())
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.landmarks[:, 2, 0], [48, 96, 24])


def test_an_empty_picture_has_no_faces(head: Head) -> None:
    detector = YoloDetector(head(nothing()), DetectSettings(size=WIDTH))
    for image in (grey(), grey(0, WIDTH), grey(HEIGHT, 0), grey(0, 0)):
        found = detector.detect(image)
        assert (found.boxes.shape, found.landmarks.shape) == ((0, 4), (0, 5, 2))


def test_coordinates_are_those_of_the_frame_whatever_its_size(head: Head) -> None:
    output = nothing()
    output[:, 3] = face(64, 48, 32, 0.9)  # the middle of the network's input
    model = head(output, side="side")
    for height, width in [(96, 128), (720, 960), (30, 40), (9, 12)]:
        found = YoloDetector(model, DetectSettings(size=WIDTH)).detect(grey(height, width))
        middle = np.array([width, height], np.float32) / 2
        np.testing.assert_allclose(found.landmarks[0, 2], middle, atol=0.2)
        np.testing.assert_allclose(found.boxes[0, 2:] - found.boxes[0, :2], np.full(2, width / 4), atol=0.2)


def test_a_picture_smaller_than_a_stride_is_searched(head: Head) -> None:
    output = nothing()
    output[:, 3] = face(64, 64, 64, 0.9)
    for side in (1, 2, 7, 31):
        found = YoloDetector(head(output), DetectSettings(size=WIDTH)).detect(grey(side, side))
        np.testing.assert_allclose(found.boxes, [[side / 4, side / 4, side * 3 / 4, side * 3 / 4]], rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(1, 2000), (2000, 1), (3, 900)])
def test_an_extreme_aspect_ratio_keeps_boxes_inside_the_frame(head: Head, height: int, width: int) -> None:
    output = nothing()
    output[:, 3] = face(WIDTH / 2, 16, 30, 0.9) if width > height else face(16, WIDTH / 2, 30, 0.9)
    (box,) = YoloDetector(head(output), DetectSettings(size=WIDTH)).detect(grey(height, width)).boxes
    assert box[0] >= 0
    assert box[1] >= 0
    assert box[2] <= width
    assert box[3] <= height
    assert (box[2] - box[0]) * (box[3] - box[1]) > 0


def test_a_face_in_the_padding_is_none(head: Head) -> None:
    output = nothing()
    output[:, 3] = face(64, 2, 3, 0.9)  # 128 x 64 is padded to 128 x 64 + 2 x 16 where the input is fixed
    model = head(output, side=128)
    assert len(YoloDetector(model, DetectSettings(size=128)).detect(grey(64, 128))) == 0
    assert len(YoloDetector(model, DetectSettings(size=128)).detect(grey(128, 128))) == 1


@pytest.mark.parametrize("shape", [(96, 128), (96, 128, 1), (96, 128, 4), (96, 128, 2), (1, 96, 128, 3)])
def test_what_is_no_bgr_picture_is_refused_with_what_to_do(head: Head, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"takes BGR images \(height, width, 3\) uint8.*cv2\.cvtColor"):
        YoloDetector(head(nothing()), DetectSettings(size=WIDTH)).detect(np.zeros(shape, np.uint8))


def test_a_picture_of_floats_is_refused(head: Head) -> None:
    with pytest.raises(ValueError, match=r"not .* float32"):
        YoloDetector(head(nothing()), DetectSettings(size=WIDTH)).detect(np.zeros((96, 128, 3), np.float32))  # type: ignore[arg-type]


def test_what_overlaps_becomes_its_mean_weighted_by_squared_score_with_that_of_the_surest(head: Head) -> None:
    output = nothing()
    output[:, 5], output[:, 9] = face(60, 50, 30, 0.8), face(66, 46, 33, 0.4)
    output[:, 11], output[:, 12] = face(20, 30, 20, 0.6), face(60, 50, 30, 0.3)  # another, and too unsure
    found = YoloDetector(head(output), DetectSettings(size=WIDTH, confidence=0.35)).detect(grey())
    np.testing.assert_allclose(found.scores, [0.8, 0.6], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[45.9, 33.9, 76.5, 64.5], [10, 20, 30, 40]], atol=1e-2)
    np.testing.assert_allclose(found.landmarks[:, 2], [[61.2, 49.2], [20, 30]], atol=1e-2)
    np.testing.assert_allclose(found.landmarks[0, 1], [61.2 + 30.6 / 4, 49.2 - 30.6 / 4], atol=1e-2)


def test_without_averaging_the_surest_is_given_and_of_equals_the_first(head: Head) -> None:
    output = nothing()
    output[:, 5], output[:, 9] = face(60, 50, 30, 0.8), face(62, 50, 30, 0.8)
    found = YoloDetector(head(output), DetectSettings(size=WIDTH), average=False).detect(grey())
    np.testing.assert_allclose(found.landmarks[:, 2], [[60, 50]])


def test_a_box_that_is_inside_out_suppresses_nobody(head: Head) -> None:
    output = nothing()
    output[:, 5], output[:, 9] = face(60, 50, 30, 0.8), face(60, 50, 30, 0.9)
    output[2:4, 9] = -30
    found = YoloDetector(head(output), DetectSettings(size=WIDTH)).detect(grey())
    np.testing.assert_allclose(found.scores, [0.8], rtol=1e-6)


def test_thousands_of_sure_candidates_are_one_face(head: Head) -> None:
    output = np.repeat(face(60, 50, 30, 0.8)[:, None], 6000, axis=1)
    assert len(YoloDetector(head(output), DetectSettings(size=WIDTH)).detect(grey())) == 1


def slow_suppress(boxes: Floats, scores: Floats, overlap: float) -> list[int]:
    """Box by box: the best that is left, and away with what overlaps it."""
    left = sorted(range(len(boxes)), key=lambda row: -scores[row])
    left = [row for row in left if (boxes[row, 2:] > boxes[row, :2]).all()]
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        for row in list(left):
            a, b = boxes[best].astype(float), boxes[row].astype(float)
            w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            shared = max(w, 0) * max(h, 0)
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
            if shared / union > overlap:
                left.remove(row)
    return kept


corner = st.integers(0, 12)
rows = st.lists(st.tuples(corner, corner, corner, corner, st.integers(1, 4)), max_size=12)


@settings(deadline=None)
@given(rows, st.sampled_from([0.31, 0.52, 0.73]))
def test_suppression_is_what_its_definition_says_ties_included(
    table: list[tuple[int, ...]], overlap: float
) -> None:
    values = np.array(table, np.float32).reshape(-1, 5)
    kept = suppress(values[:, :4], values[:, 4], overlap)
    assert kept.tolist() == slow_suppress(values[:, :4], values[:, 4], overlap)


@settings(deadline=None)
@given(rows)
def test_a_mean_is_of_what_overlaps_and_its_shares_sum_to_one(table: list[tuple[int, ...]]) -> None:
    values = np.array(table, np.float32).reshape(-1, 5)
    boxes, scores = values[:, :4], values[:, 4]
    kept = suppress(boxes, scores, 0.52)
    shares = agreement(boxes, scores, kept, 0.52)
    np.testing.assert_allclose(shares.sum(axis=1), np.ones(len(kept)), rtol=1e-5)
    np.testing.assert_array_equal(shares > 0, iou(boxes[kept], boxes) > 0.52)


@settings(deadline=None)
@given(st.integers(1, 900), st.integers(1, 900), st.floats(0, 1), st.floats(0, 1))
def test_what_letterboxing_does_to_a_point_decoding_undoes(
    height: int, width: int, across: float, down: float
) -> None:
    planes, scale, left, top = letterbox(grey(height, width), 320)
    point = np.array([across * width, down * height])
    seen = point * scale + (left, top)
    assert (seen >= -1e-3).all()
    assert (seen <= np.array(planes.shape[:1:-1]) + 1e-3).all()
    np.testing.assert_allclose((seen - (left, top)) / scale, point, atol=1e-3)
