"""Our reading of a YOLO graph equals ultralytics' own, on real exported graphs of every layout."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import DetectSettings
from pipeline.detection.training.export import export
from pipeline.detection.yolo import YoloDetector, letterbox
from pipeline.errors import DetectorError
from pipeline.faces.boxes import nested
from pipeline.types import Floats, Image
from siamese.errors import ModelError
from siamese.session import open_session
from siamese.shipped import SUMS, record

FACE = {0: "face"}
MASKS = {0: "mask", 1: "Face"}
CONFIDENCE, OVERLAP = 0.3, 0.5


@pytest.fixture(scope="session")
def models(
    weights: Callable[..., Path], exported: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One file of each layout, by what is special about it."""
    folder = tmp_path_factory.mktemp("models")
    pose, boxes = weights(26, "pose", FACE), weights(11, "detect", FACE)
    # A box has one class for ultralytics; here the other one is never the likelier.
    two = weights(11, "pose", MASKS, (-1000.0, -1.0))
    end = exported(pose, "end", dynamic=True, nms=False)
    said = {"recog.kind": "face detector", "license": "of our own"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, on the exporter that ultralytics uses
        ours = export([pose], folder / "pose.onnx", said)
    return {
        "26, landmarks": ours,
        "26, end to end": end,
        # What ultralytics writes for `nms=True` has the same rows.
        "26, NMS inside": relabelled(end, folder / "inside.onnx", end2end="False", args="{'nms': True}"),
        "11, two classes, fixed": exported(two, "two", imgsz=(96, 128)),
        "11, boxes only": exported(boxes, "boxes", dynamic=True),
    }


def relabelled(model: Path, out: Path, **entries: str) -> Path:
    """The same graph under another description; an empty entry is left out."""
    import onnx

    graph = onnx.load(str(model))
    kept = {entry.key: entry.value for entry in graph.metadata_props}
    onnx.helper.set_model_props(graph, {key: text for key, text in (kept | entries).items() if text})
    onnx.save(graph, str(out))
    return out


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Coloured clouds."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def theirs(predictor: Any, image: Image, size: int | tuple[int, int], face: int) -> tuple[Floats, ...]:
    """Boxes (n, 4), scores (n,) and landmarks (n, 5, 2) of ultralytics' predictor, best first."""
    settings = {"conf": CONFIDENCE, "iou": OVERLAP, "max_det": 300, "classes": [face], "verbose": False}
    (result,) = predictor.predict(image, imgsz=size, **settings)
    boxes, scores = result.boxes.xyxy.numpy(), result.boxes.conf.numpy()
    points = np.full((len(boxes), 5, 2), np.nan, np.float32)
    if result.keypoints is not None:
        points = result.keypoints.data.numpy()[:, :, :2]
    inside = (boxes[:, 2] > boxes[:, 0]) & (
        boxes[:, 3] > boxes[:, 1]
    )  # not boxes in the padding: we drop them
    return boxes[inside], scores[inside], points[inside]


def described(model: Path) -> dict[str, str]:
    entries: dict[str, str] = open_session(model).get_modelmeta().custom_metadata_map
    return entries


LAYOUTS = ["26, landmarks", "26, end to end", "26, NMS inside", "11, two classes, fixed", "11, boxes only"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_faces_are_those_that_ultralytics_finds(
    ultralytics: Any, models: dict[str, Path], layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Warming up does no more than import torchvision, for an NMS that equals ultralytics' own.
    monkeypatch.setattr(ultralytics.nn.autobackend.AutoBackend, "warmup", lambda *_, **__: None)
    pose = layout != "11, boxes only"
    predictor = ultralytics.YOLO(models[layout], task="pose" if pose else "detect")
    detector = YoloDetector(
        models[layout],
        DetectSettings(size=128, confidence=CONFIDENCE, overlap=OVERLAP, max_faces=300),
        nested=2,
        average=False,
    )
    assert detector.has_landmarks == pose
    size, face = ((96, 128), 1) if layout == "11, two classes, fixed" else (128, 0)
    for height, width in [(96, 128), (90, 70), (150, 200)]:
        image = picture(height, width)
        found = detector.detect(image)
        boxes, scores, points = theirs(predictor, image, size, face)
        assert 3 < len(scores) < 200
        assert scores.std() > 0.01
        np.testing.assert_allclose(found.scores, scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes, boxes, atol=0.05)
        assert np.isfinite(found.landmarks).all() == pose
        # Ultralytics moves landmarks beyond the edge onto it; ours stay where they are.
        inside = np.clip(found.landmarks, 0, np.array([width, height], np.float32))
        np.testing.assert_allclose(inside, points, atol=0.05)


@pytest.mark.parametrize("layout", ["26, landmarks", "26, end to end"])
def test_a_narrow_strip_is_searched_too(models: dict[str, Path], layout: str) -> None:
    # 128 x 32 has fewer places than an end-to-end head lists.
    assert (
        len(YoloDetector(models[layout], DetectSettings(size=128, confidence=0.01)).detect(picture(20, 128)))
        > 0
    )


def test_a_box_inside_a_stronger_one_is_dropped(models: dict[str, Path]) -> None:
    image = picture(90, 125)
    every = YoloDetector(
        models["26, landmarks"],
        DetectSettings(size=128, confidence=0.05, overlap=0.9, max_faces=1000),
        nested=2,
    ).detect(image)
    apart = YoloDetector(
        models["26, landmarks"],
        DetectSettings(size=128, confidence=0.05, overlap=0.9, max_faces=1000),
        nested=0.5,
    ).detect(image)
    inside = nested(every.boxes, 0.5)
    assert inside.any()
    np.testing.assert_array_equal(apart.boxes, every.boxes[~inside])


def test_boxes_lie_in_the_frame_and_the_best_come_first(models: dict[str, Path]) -> None:
    found = YoloDetector(
        models["26, landmarks"], DetectSettings(size=128, confidence=0.05, overlap=0.9), nested=2
    ).detect(picture(90, 125))
    assert len(found) == 100
    assert (found.boxes >= 0).all()
    assert (found.boxes <= np.array([125, 90, 125, 90])).all()
    assert (np.diff(found.scores) <= 0).all()
    some = YoloDetector(
        models["26, landmarks"], DetectSettings(size=128, confidence=0.05, overlap=0.9, max_faces=7), nested=2
    ).detect(picture(90, 125))
    np.testing.assert_array_equal(some.scores, found.scores[:7])


@pytest.mark.parametrize(("version", "task"), [(26, "pose"), (11, "pose"), (11, "detect")])
def test_no_face_is_an_empty_answer(
    weights: Callable[..., Path], exported: Callable[..., Path], version: int, task: str
) -> None:
    # However large what an untrained network computes, no score of this one is above zero.
    never = exported(weights(version, task, FACE, (-1e9,)), "never", dynamic=True)
    found = YoloDetector(never, DetectSettings(size=128, confidence=0.001)).detect(picture(96, 128))
    assert len(found) == 0
    assert found.landmarks.shape == (0, 5, 2)


def test_what_we_say_of_a_model_travels_in_its_file(models: dict[str, Path]) -> None:
    entries = described(models["26, landmarks"])
    assert entries["recog.kind"] == "face detector"
    assert entries["license"] == "of our own"  # in place of what was there
    assert entries["names"] == "{0: 'face'}"


def test_exporting_leaves_nothing_beside_what_it_writes(models: dict[str, Path]) -> None:
    folder = models["26, landmarks"].parent
    assert {path.name for path in folder.iterdir()} == {"pose.onnx", "inside.onnx"}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"names": "{0: 'person', 1: 'bicycle', 2: 'car', 3: 'cat'}"},
            "finds person, bicycle, car... but no f",
        ),
        ({"names": "{0: 'person'}"}, "finds person but no faces"),
        ({"task": "segment"}, "for the task segment"),
        ({"names": ""}, "it names no classes"),
    ],
)
def test_a_model_that_is_not_for_faces_is_refused_in_one_line(
    models: dict[str, Path], tmp_path: Path, entries: dict[str, str], message: str
) -> None:
    model = relabelled(models["26, landmarks"], tmp_path / "other.onnx", **entries)
    with pytest.raises(DetectorError) as caught:
        YoloDetector(model)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(ModelError, match=r"text\.onnx: not an ONNX model") as caught:
        YoloDetector(tmp_path / "text.onnx")
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        YoloDetector(tmp_path / "none.onnx")


def test_a_file_that_changed_after_its_sum_was_written_is_refused(
    models: dict[str, Path], tmp_path: Path
) -> None:
    model = relabelled(models["26, landmarks"], tmp_path / "face.onnx")
    (tmp_path / SUMS).touch()
    record(model)
    assert len(YoloDetector(model).digest) == 64
    relabelled(model, model, author="somebody else")
    with pytest.raises(ModelError, match="wrong checksum"):
        YoloDetector(model)


sides = st.integers(1, 700)


@given(sides, sides, st.sampled_from([64, 320, 640]), st.sampled_from([None, (96, 128), (640, 640)]))
def test_a_point_of_the_frame_is_found_again_after_letterboxing(
    height: int, width: int, size: int, fixed: tuple[int, int] | None
) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    planes, scale, left, top = letterbox(image, size, fixed)
    padded_height, padded_width = planes.shape[2:]
    assert planes.dtype == np.float32
    if fixed:
        assert (padded_height, padded_width) == fixed
    else:
        assert padded_height % 32 == padded_width % 32 == 0
        assert max(padded_height, padded_width) == size
    # What is not padding is the frame: its corners return exactly.
    rows, columns = np.nonzero(planes[0, 0] == 0)
    corners = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]])
    np.testing.assert_allclose((corners - (left, top)) / scale, [(0, 0), (width, height)], atol=1e-3)
    # Faces keep their shape, but for the rounding to whole pixels.
    exact = min(fixed[0] / height, fixed[1] / width) if fixed else size / max(height, width)
    whole = np.maximum(1, exact * np.array([width, height]))
    np.testing.assert_allclose(corners[1] - corners[0], whole, atol=0.501)
    # Padding is even: at most one pixel more at the right and the bottom.
    assert 0 <= padded_width - (columns.max() + 1) - left <= 1
    assert 0 <= padded_height - (rows.max() + 1) - top <= 1


def test_the_network_sees_red_green_blue_in_shares() -> None:
    image = np.full((64, 64, 3), (255, 51, 0), np.uint8)  # blue, green, red
    planes, scale, left, top = letterbox(image, 64)
    assert (planes.shape, scale.tolist(), left, top) == ((1, 3, 64, 64), [1, 1], 0, 0)
    np.testing.assert_allclose(planes[0, :, 32, 32], [0, 0.2, 1])
