"""The last layers, computed: what least squares find, and in a real graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.detection.training.export import export, fit_again
from pipeline.detection.training.last_layers import (
    ROLL,
    Boxes,
    Landmarks,
    faces,
    fit,
    least_distance,
    rolled,
)
from pipeline.detection.yolo import GREY, letterbox
from pipeline.errors import DetectorError
from pipeline.types import Floats
from siamese.session import session_of

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)


def made(count: int = 400, seed: int = 0) -> tuple[Floats, Floats, Any]:
    """Features, targets that depend on them linearly, and how."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 6)).astype(np.float32)
    truth = random.normal(size=(7, 10))
    targets = np.column_stack([features, np.ones(count)]) @ truth
    return features, targets.astype(np.float32), truth


def test_a_linear_dependence_is_found() -> None:
    features, targets, truth = made()
    found = least_distance(features, targets, np.ones(len(features), np.float32), np.zeros((7, 10)))
    np.testing.assert_allclose(found, truth, atol=1e-3)


def test_a_few_wrong_labels_change_little() -> None:
    features, targets, truth = made()
    targets[:40] += 30
    found = least_distance(features, targets, np.ones(len(features), np.float32), np.zeros((7, 10)))
    assert np.abs(found - truth).max() < 0.2
    plain = np.linalg.lstsq(np.column_stack([features, np.ones(len(features))]), targets, rcond=None)[0]
    assert np.abs(plain - truth).max() > 2


def test_what_has_no_weight_teaches_nothing_and_what_does_not_vary_stays() -> None:
    features, targets, truth = made()
    targets[:200] += 5
    features[:, 0] = 0
    weights = np.repeat(np.array([0, 1], np.float32), 200)
    before = np.full((7, 10), 3.0)
    targets -= np.outer(made()[0][:, 0], truth[0]).astype(np.float32)
    found = least_distance(features, targets, weights, before)
    np.testing.assert_allclose(found[1:], truth[1:], atol=1e-2)
    np.testing.assert_allclose(found[0], before[0], atol=1e-6)


def test_sure_faces_are_read_in_pixels_of_the_letterboxed_image() -> None:
    points = "0.4 0.4 2 0.6 0.4 2 0.5 0.5 2 0.4 0.6 2 0.6 0.6 2"
    label = f"0 0.5 0.5 0.4 0.8 {points}\n0 0.5 0.5 0.4 0.8 {points[:-1]}0\n1 0.1 0.1 0.1 0.1 {points}\n"
    face, partly = faces(label, (50, 100, 3), np.array([[2, 0, 0], [0, 2, 14]]))
    np.testing.assert_allclose(face.box, [60, 24, 140, 104], rtol=1e-5)
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks[[0, 4]], [[80, 54], [120, 74]], rtol=1e-5)
    np.testing.assert_allclose(partly.box, face.box)
    assert partly.landmarks is None


def test_a_rolled_image_shows_its_landmarks_where_the_map_says() -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    cv2.rectangle(image, (79, 29), (80, 30), (255, 255, 255), cv2.FILLED)  # a landmark at 80, 30
    shown, affine = rolled(image, 30)
    assert shown.shape == image.shape
    rows, columns = np.nonzero(shown[..., 0] > 128)
    found = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    np.testing.assert_allclose(affine @ [80, 30, 1], found, atol=0.5)
    assert found[0] > 80  # clockwise: what is above and right of the middle goes down and right
    assert found[1] > 30
    np.testing.assert_array_equal(shown[0, 0], GREY)


def test_the_box_of_a_rolled_face_is_that_of_its_ellipse() -> None:
    points = "0.5 0.4 2 0.5 0.6 2 0.5 0.5 2 0.4 0.6 2 0.6 0.6 2"
    label = f"0 0.5 0.5 0.2 0.4 {points}"
    _, affine = rolled(np.zeros((100, 100, 3), np.uint8), 90)
    (face,) = faces(label, (100, 100, 3), affine)
    np.testing.assert_allclose(face.box, [30, 40, 70, 60], atol=1e-3)
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks[:2], [[60, 50], [40, 50]], atol=1e-3)
    _, affine = rolled(np.zeros((100, 100, 3), np.uint8), 45)
    (face,) = faces(label, (100, 100, 3), affine)
    side = 2 * np.sqrt((10**2 + 20**2) / 2)
    np.testing.assert_allclose(face.box[2:] - face.box[:2], side, rtol=1e-5)


FIRST = {8: 27, 16: 64 + 5, 32: 64 + 16}  # one place of each stride that finds the painted face


@pytest.fixture
def graph() -> Any:
    """Finds the painted face at one place of each stride, with landmarks anywhere, in pictures of 64 x 64."""
    boxes = np.zeros((1, 5, 84), np.float32)
    boxes[0, :4] = np.array([32, 32, 24, 28], np.float32)[:, None]
    boxes[0, 4, list(FIRST.values())] = 0.9
    nodes, stored = [], {"found": boxes, "places": np.array([1, 15, -1], np.int64)}
    for level, stride in enumerate(FIRST):
        stored[f"weight{level}"] = np.zeros((15, 3, 1, 1), np.float32)
        stored[f"bias{level}"] = np.arange(15, dtype=np.float32)
        stored[f"edge weight{level}"] = np.zeros((4, 3, 1, 1), np.float32)
        stored[f"edge bias{level}"] = np.ones(4, np.float32)
        pool, flat = f"pooled{level}", f"flat{level}"
        sides = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        layer = [pool, f"weight{level}", f"bias{level}"]
        nodes += [
            helper.make_node("AveragePool", ["images"], [pool], **sides),
            helper.make_node("Conv", layer, [f"points{level}"], name=f"/model.23/cv4_kpts.{level}/Conv"),
            helper.make_node(
                "Conv",
                [pool, f"edge weight{level}", f"edge bias{level}"],
                [f"edges{level}"],
                name=f"/model.23/cv2.{level}/cv2.{level}.2/Conv",
            ),
            helper.make_node("Reshape", [f"points{level}", "places"], [flat]),
        ]
    nodes += [
        helper.make_node("Concat", [f"flat{level}" for level in range(3)], ["points"], axis=2),
        helper.make_node("Concat", ["found", "points"], ["out"], axis=1),
    ]
    made = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 20, 84])],
        [numpy_helper.from_array(values, name) for name, values in stored.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def layer_of(graph: Any, level: int) -> tuple[Floats, Floats]:
    stored = {each.name: numpy_helper.to_array(each) for each in graph.graph.initializer}
    return stored[f"weight{level}"], stored[f"bias{level}"]


def test_in_a_graph_every_stride_gives_the_landmarks_of_the_labels(
    graph: Any, face_set: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.detection.training.last_layers.ENOUGH", 1)  # the set has six pictures
    monkeypatch.setattr(
        "pipeline.detection.training.last_layers.ROLL", 0.0
    )  # its face is always found upright
    taught = fit(graph, face_set(tmp_path), [Landmarks], (64, 64))
    assert taught == {"landmarks": [12, 12, 12]}
    expected = np.array([[26, 26], [38, 26], [32, 32], [27, 38], [37, 38]], np.float32)
    session = session_of(graph.SerializeToString(), "graph")
    # The other images show nobody.
    for path in sorted((tmp_path / "dataset" / "images" / "train").glob("*.png")):
        planes = letterbox(np.asarray(cv2.imread(str(path)), np.uint8), 64, (64, 64))[0]
        (output,) = session.run(None, {"images": planes})
        for stride, first, place in zip(FIRST, (0, 64, 80), FIRST.values(), strict=True):
            row, column = divmod(place - first, 64 // stride)
            points = output[0, 5:, place].reshape(5, 3)[:, :2] + (column + 0.5, row + 0.5)
            np.testing.assert_allclose(points * stride, expected, atol=0.02)
    np.testing.assert_array_equal(layer_of(graph, 0)[1][2::3], np.arange(2, 15, 3))  # "visible" stays


def test_in_a_graph_every_stride_gives_the_edges_of_the_boxes_of_the_labels(
    graph: Any, face_set: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.detection.training.last_layers.ENOUGH", 1)
    monkeypatch.setattr("pipeline.detection.training.last_layers.ROLL", 0.0)
    data = face_set(tmp_path)
    label = next(each for each in (data.parent / "labels" / "train").iterdir() if each.read_text())
    (face,) = faces(label.read_text(), (64, 64, 3), np.eye(2, 3))
    assert fit(graph, data, [Boxes], (64, 64)) == {"boxes": [12, 12, 12]}
    assert not layer_of(graph, 0)[0].any()  # landmarks stay as they are
    for level in range(3):
        graph.graph.output.append(helper.make_tensor_value_info(f"edges{level}", TensorProto.FLOAT, None))
    session = session_of(graph.SerializeToString(), "graph")
    for path in sorted((tmp_path / "dataset" / "images" / "train").glob("*.png")):
        planes = letterbox(np.asarray(cv2.imread(str(path)), np.uint8), 64, (64, 64))[0]
        _, *edges = session.run(None, {"images": planes})
        for each, (stride, place), first in zip(edges, FIRST.items(), (0, 64, 80), strict=True):
            row, column = divmod(place - first, 64 // stride)
            left, top, right, bottom = each[0, :, row, column] * stride
            middle = np.array([column + 0.5, row + 0.5]) * stride
            found = np.concatenate([middle - (left, top), np.add(middle, (right, bottom))])
            np.testing.assert_allclose(found, face.box, atol=0.05)


def test_each_image_is_shown_as_it_is_and_rolled_to_either_side(
    graph: Any, face_set: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[float] = []

    def noted(image: Any, degrees: float) -> Any:
        shown.append(degrees)
        return rolled(image, degrees)

    monkeypatch.setattr("pipeline.detection.training.last_layers.rolled", noted)
    fit(graph, face_set(tmp_path), [Landmarks], (64, 64))
    assert len(shown) >= 6
    assert -ROLL <= min(shown) < 0 < max(shown) <= ROLL


def test_a_layer_that_too_few_places_taught_stays_as_it_was(
    graph: Any, face_set: Any, tmp_path: Path
) -> None:
    fit(graph, face_set(tmp_path), [Landmarks], (64, 64))
    assert not layer_of(graph, 1)[0].any()
    np.testing.assert_array_equal(layer_of(graph, 1)[1], np.arange(15))


def test_what_has_no_such_layers_or_finds_nothing_is_refused(
    graph: Any, face_set: Any, tmp_path: Path
) -> None:
    data = face_set(tmp_path)
    for label in (data.parent / "labels" / "train").iterdir():
        label.write_text("")
    with pytest.raises(DetectorError, match="in none of its training images the detector finds landmarks"):
        fit(graph, data, [Landmarks], (64, 64))
    for node in graph.graph.node:
        node.name = "something else"
    with pytest.raises(DetectorError, match="landmarks cannot be fitted"):
        fit(graph, data, [Landmarks], (64, 64))
    with pytest.raises(DetectorError, match="boxes cannot be fitted"):
        fit(graph, data, [Boxes], (64, 64))


def test_an_export_fits_the_last_layers_of_weights(
    weights: Any, face_set: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, best = face_set(tmp_path), weights(26, "pose", {0: "face"}, likely=(2.0,))
    monkeypatch.setattr("pipeline.detection.training.last_layers.FIT", 0.0)  # untrained boxes fit nothing
    monkeypatch.setattr("pipeline.detection.training.last_layers.ENOUGH", 1)
    layers = []
    for name, fitted in (("plain", None), ("fitted", data)):
        written = export([best], tmp_path / f"{name}.onnx", {}, landmarks=fitted, boxes=fitted)
        stored = {
            each.name: numpy_helper.to_array(each) for each in onnx.load(str(written)).graph.initializer
        }
        layers.append(stored)
    assert layers[0].keys() <= layers[1].keys()
    for last in ("cv4_kpts", "cv2"):
        changed = [name for name in layers[0] if not np.array_equal(layers[0][name], layers[1][name])]
        assert any(last in name for name in changed)
    with pytest.raises(DetectorError, match="recog detector prepare"):
        export([best], tmp_path / "face.onnx", {}, landmarks=tmp_path / "none.yaml")


def test_an_exported_detector_is_fitted_again_and_nothing_else_changes(
    graph: Any, face_set: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.detection.training.last_layers.ENOUGH", 1)
    data, file = face_set(tmp_path), tmp_path / "face.onnx"
    onnx.save(graph, str(file))
    told: list[tuple[str, int, int | None]] = []
    written = fit_again(file, tmp_path / "again.onnx", data, data, lambda *each: told.append(each))
    assert [what for what, number, _ in told if number == 0] == [
        "fitting the last layers"
    ]  # one look for both
    before, after = (
        {each.name: numpy_helper.to_array(each) for each in onnx.load(str(path)).graph.initializer}
        for path in (file, written)
    )
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    parts = ("weight", "bias", "edge weight", "edge bias")
    assert changed == {f"{part}{level}" for part in parts for level in range(3)}


def test_what_is_no_exported_detector_cannot_be_fitted_again(face_set: Any, tmp_path: Path) -> None:
    data, text = face_set(tmp_path), tmp_path / "text.onnx"
    text.write_text("no graph")
    with pytest.raises(DetectorError, match=r"text\.onnx: ") as caught:
        fit_again(text, tmp_path / "out.onnx", data)
    assert "\n" not in str(caught.value)
    with pytest.raises(DetectorError, match=r"none\.onnx: no such graph"):
        fit_again(tmp_path / "none.onnx", tmp_path / "out.onnx", data)
    with pytest.raises(DetectorError, match="recog detector prepare"):
        fit_again(text, tmp_path / "out.onnx", boxes=tmp_path / "none.yaml")
    assert not (tmp_path / "out.onnx").exists()
