"""People with their faces: on real exported graphs of COCO's classes, and on a made-up film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import build, detectors
from pipeline.config import DetectSettings, Settings
from pipeline.detection.person import PersonDetector, grow, owners
from pipeline.detection.second_stage import CascadeDetector
from pipeline.detection.yolo import YoloDetector
from pipeline.errors import DetectorError
from pipeline.models import describe
from pipeline.types import Detections, Image
from siamese.session import onnx_runtime

COCO = {number: {0: "person", 1: "bicycle", 2: "car"}.get(number, f"thing {number}") for number in range(80)}
CONFIDENCE, OVERLAP = 0.2, 0.55


class NoFaces:
    """Finds none, and remembers the sizes of what it was given."""

    digest = "0" * 64

    def __init__(self) -> None:
        self.looked: list[tuple[int, int]] = []

    def detect(self, image: Image) -> Detections:
        self.looked.append((image.shape[1], image.shape[0]))
        return Detections.empty()


@pytest.fixture(scope="session")
def models(weights: Callable[..., Path], exported: Callable[..., Path]) -> dict[str, Path]:
    """Graphs as ultralytics exports its COCO models; in the untrained ones people are the likeliest."""
    likely = (-1.0, *[-1000.0] * 79)
    newer, older = weights(26, "detect", COCO, likely), weights(11, "detect", COCO, likely)
    return {
        "26, end to end": exported(newer, "end", imgsz=(96, 128), nms=False),
        "11, any size": exported(older, "plain", dynamic=True),
        "11, NMS inside": exported(older, "inside", imgsz=(96, 128), nms=True, iou=OVERLAP, conf=CONFIDENCE),
    }


LAYOUTS = ["26, end to end", "11, any size", "11, NMS inside"]


def relabelled(model: Path, out: Path, **entries: str) -> Path:
    """The same graph under another description; an empty entry is left out."""
    import onnx

    graph = onnx.load(str(model))
    kept = {entry.key: entry.value for entry in graph.metadata_props} | entries
    onnx.helper.set_model_props(graph, {key: text for key, text in kept.items() if text})
    onnx.save(graph, str(out))
    return out


def picture(height: int, width: int) -> Image:
    """Coloured clouds."""
    small = np.random.default_rng(0).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_people_are_those_that_ultralytics_finds(
    ultralytics: Any, models: dict[str, Path], layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Warming up does no more than import torchvision, for an NMS that equals ultralytics' own.
    monkeypatch.setattr(ultralytics.nn.autobackend.AutoBackend, "warmup", lambda *_, **__: None)
    predictor = ultralytics.YOLO(models[layout], task="detect")
    detector = PersonDetector(
        models[layout],
        NoFaces(),
        DetectSettings(person_size=128, person_confidence=CONFIDENCE, max_faces=300),
        overlap=OVERLAP,
    )
    size = 128 if "any size" in layout else (96, 128)
    people = 0
    for height, width in [(96, 128), (90, 70), (150, 200)]:
        image = picture(height, width)
        asked = {"imgsz": size, "conf": CONFIDENCE, "iou": OVERLAP, "classes": [0], "verbose": False}
        (result,) = predictor.predict(image, max_det=300, **asked)
        boxes, scores = result.boxes.xyxy.numpy(), result.boxes.conf.numpy()
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])  # ours has none in the padding
        found = detector.detect(image)
        np.testing.assert_allclose(found.scores, scores[inside], atol=1e-3)
        np.testing.assert_allclose(found.boxes, boxes[inside], atol=0.05)
        assert not found.shown().any()
        people += len(found)
    assert people > 10


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_model_of_cocos_classes_is_known_as_one_for_people(models: dict[str, Path], layout: str) -> None:
    assert describe.kind(describe.read(models[layout])) == "person detector"
    with pytest.raises(DetectorError, match=r"finds person, bicycle, car\.\.\. but no faces"):
        YoloDetector(models[layout])


def test_finished_boxes_are_known_even_if_an_older_export_does_not_say(
    models: dict[str, Path], tmp_path: Path
) -> None:
    old_model = relabelled(models["26, end to end"], tmp_path / "old.onnx", end2end="", args="")
    image = picture(96, 128)
    old = PersonDetector(
        old_model, NoFaces(), DetectSettings(person_size=128, person_confidence=CONFIDENCE)
    ).detect(image)
    new = PersonDetector(
        models["26, end to end"], NoFaces(), DetectSettings(person_size=128, person_confidence=CONFIDENCE)
    ).detect(image)
    assert len(old) > 3
    np.testing.assert_array_equal(old.boxes, new.boxes)


def test_a_model_without_people_is_refused_in_one_line(models: dict[str, Path], tmp_path: Path) -> None:
    cats = relabelled(models["11, any size"], tmp_path / "cats.onnx", names="{0: 'cat', 1: 'dog'}")
    assert describe.kind(describe.read(cats)) == "object detector"
    with pytest.raises(DetectorError, match="finds cat, dog but no persons; give a YOLO model with a class"):
        PersonDetector(cats, NoFaces())


def scene(world: Any, *people: tuple[int, int, Any]) -> Image:
    """A frame of people: dark bodies of 50 x 150 at x, y, with a face of a colour, or None for the back."""
    image: Image = world.empty()
    for x, y, colour in people:
        image[y : y + 150, x : x + 50] = 40
        if colour is not None:
            world.face(image, colour, x + 9, y + 8, 32)
    return image


@pytest.fixture
def find(people_model: Path, detector: Any) -> Any:
    """People by the made-up graph, faces by the detector of squares, put together as `recog run` does."""
    settings = Settings(det=DetectSettings(model=people_model, person_size=320))
    return detectors.finder(settings, detectors.detector(settings))


def test_each_person_has_the_face_that_is_seen_of_them(world: Any, find: Any) -> None:
    image = scene(world, (40, 30, world.RED), (230, 60, None))
    found = find.detect(image)
    np.testing.assert_allclose(found.boxes, [[40, 30, 90, 180], [230, 60, 280, 210]], atol=1.5)
    assert found.shown().tolist() == [True, False]
    np.testing.assert_allclose(found.faces[0], [49, 38, 81, 70], atol=1.5)
    assert np.isfinite(found.landmarks[0]).all()
    assert np.isnan(found.landmarks[1]).all()
    assert np.isnan(found.faces[1]).all()
    both = found[[1, 0]]
    np.testing.assert_array_equal(both.faces, found.faces[[1, 0]])
    np.testing.assert_array_equal(found.as_faces().boxes[0], found.faces[0])


def test_where_nobody_is_no_face_is_looked_for(world: Any, find: Any, detector: Any) -> None:
    assert len(find.detect(world.face(world.empty(), world.RED, 100, 60))) == 0  # a face, but nobody's
    assert detector.frames == 0


def test_faces_are_looked_for_once_and_only_where_people_are(world: Any, people_model: Path) -> None:
    faces = NoFaces()
    finder = PersonDetector(people_model, faces, DetectSettings(person_size=320))
    finder.detect(scene(world, (40, 30, None)))
    finder.detect(scene(world, (40, 30, None), (230, 60, None)))
    (one, tall), (two, taller) = faces.looked  # all that is looked at, a little larger than the people
    assert (one, tall) == (pytest.approx(55, abs=4), pytest.approx(165, abs=4))
    assert (two, taller) == (pytest.approx(245, abs=4), pytest.approx(195, abs=4))


def test_people_at_the_edge_of_the_frame_have_faces_too(world: Any, find: Any) -> None:
    found = find.detect(scene(world, (0, 0, world.RED), (270, 90, world.GREEN)))
    assert found.shown().all()
    assert (found.boxes >= 0).all()


def test_a_face_goes_to_whose_head_is_there() -> None:
    before, behind = [100, 100, 200, 400], [150, 60, 250, 360]  # overlapping, one before the other
    people = np.array([before, behind], np.float32)
    front, back = [130, 115, 170, 160], [185, 75, 215, 115]
    assert owners(people, np.array([back, front], np.float32)).tolist() == [1, 0]
    assert owners(people, np.array([front], np.float32)).tolist() == [0]
    at_the_feet, beside = [130, 350, 170, 395], [300, 100, 340, 140]
    assert owners(people, np.array([at_the_feet, beside], np.float32)).tolist() == [-1, -1]


def test_nobody_has_two_faces_and_no_face_two_owners() -> None:
    people = np.array([[0, 0, 100, 300]], np.float32)
    faces = np.array([[5, 40, 35, 80], [35, 10, 65, 50]], np.float32)
    assert owners(people, faces).tolist() == [-1, 0]
    assert owners(np.repeat(people, 2, axis=0), faces[1:]).tolist() in ([0], [1])
    assert owners(people, faces[:0]).tolist() == []
    assert owners(people[:0], faces).tolist() == [-1, -1]


def test_each_model_is_opened_once(
    people_model: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    onnxruntime = onnx_runtime()
    session = onnxruntime.InferenceSession

    def count(model: str, *rest: Any, **others: Any) -> Any:
        opened.append(Path(model).name)
        return session(model, *rest, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", count)
    detectors.tracking_detector(Settings(det=DetectSettings(model=people_model)))
    assert opened == [people_model.name, "face-n.onnx", "second-stage.onnx"]
    opened.clear()
    build.looker(Settings(), embedder, quick=True)
    assert opened == ["face-n.onnx", "second-stage.onnx"]


def test_boxes_grow_by_a_share_of_their_own_size() -> None:
    np.testing.assert_allclose(grow(np.array([[10, 20, 30, 60]], np.float32), 0.5), [[0, 0, 40, 80]])


def test_a_region_of_the_frame_is_one_for_people_and_their_faces_alike(
    world: Any, people_model: Path, detector: Any
) -> None:
    settings = Settings(det=DetectSettings(model=people_model, person_size=320, roi=(0.5, 0.0, 1.0, 1.0)))
    find = detectors.finder(settings, detectors.detector(settings))
    found = find.detect(scene(world, (40, 30, world.RED), (170, 60, world.GREEN)))
    np.testing.assert_allclose(found.boxes, [[170, 60, 220, 210]], atol=1.5)
    np.testing.assert_allclose(found.faces, [[179, 68, 211, 100]], atol=1.5)


def test_the_face_detector_inside_people_is_ours_or_another_and_leaves_the_region_to_them(
    people_model: Path,
) -> None:
    det = DetectSettings(model=people_model, roi=(0.5, 0.0, 1.0, 1.0), size=96)
    ours = detectors.detector(Settings(det=det))
    assert isinstance(ours, CascadeDetector)
    assert isinstance(ours.first, YoloDetector)
    assert (ours.first.size, ours.first.has_landmarks) == (96, True)
    with pytest.raises(DetectorError, match="finds person, thing 1"):
        detectors.detector(Settings(det=det.model_copy(update={"person_faces": people_model})))
