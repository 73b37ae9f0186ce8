"""Trained weights become one file that any detector takes, in floats or in integers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from pipeline.config import DetectSettings
from pipeline.detection.training.export import export, input_shape
from pipeline.detection.training.train import description
from pipeline.detection.yolo import YoloDetector, letterbox
from pipeline.errors import ConfigError, DetectorError
from siamese.session import open_session

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def best(weights: Callable[..., Path]) -> Path:
    return weights(26, "pose", {0: "face"})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of clouds; only its pictures count here."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "images" / "train").mkdir(parents=True)
    for number in range(8):
        clouds = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        path = folder / "images" / "train" / f"{number}.png"
        cv2.imwrite(str(path), cv2.resize(clouds, (128, 96), interpolation=cv2.INTER_CUBIC))
    (folder / "dataset.yaml").touch()
    return folder / "dataset.yaml"


def test_trained_weights_become_a_detector(best: Path, tmp_path: Path) -> None:
    before = files(best.parent)
    written = export([best], tmp_path / "face.onnx", {"recog.kind": "face detector"})
    assert files(best.parent) == before
    assert files(tmp_path) == {"face.onnx"}
    detector = YoloDetector(written, DetectSettings(size=64, confidence=1e-06, max_faces=5), nested=2)
    assert detector.has_landmarks
    assert len(detector.detect(np.zeros((48, 64, 3), np.uint8))) == 5


def test_weights_that_are_missing_or_are_none_cannot_be_exported(ultralytics: Any, tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="no such weights"):
        export([tmp_path / "none.pt"], tmp_path / "face.onnx", {})
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(DetectorError, match=r"text\.pt: ultralytics cannot read") as caught:
        export([tmp_path / "text.pt"], tmp_path / "face.onnx", {})
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == {"text.pt"}


def shifted(ultralytics: Any, weights: Path, by: float, out: Path) -> Any:
    """The weights with all biases a little greater, written to `out` and returned as a network."""
    model = ultralytics.YOLO(str(weights))
    for name, tensor in model.model.state_dict().items():
        if name.endswith(".bias"):
            tensor += by
    model.save(out)
    return model.model.eval().float()


def test_of_several_trainings_the_mean_is_exported(best: Path, ultralytics: Any, tmp_path: Path) -> None:
    import torch

    files = [tmp_path / f"{number}.pt" for number in range(4)]
    networks = [
        shifted(ultralytics, best, by, file) for by, file in zip((0.1, 0.2, 0.6, 0.3), files, strict=True)
    ]
    planes = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    written = export(files[:3], tmp_path / "face.onnx", {}, (64, 64))
    mean = open_session(written).run(None, {"images": planes})[0]
    with torch.no_grad():
        first, _, last, middle = (network(torch.from_numpy(planes))[0].numpy() for network in networks)
    # A mean of means would be 0.375.
    np.testing.assert_allclose(mean, middle, rtol=1e-2, atol=0.5)  # weights are kept as halves
    assert min(np.abs(mean - first).max(), np.abs(mean - last).max()) > 1


def test_weights_that_began_with_an_exported_graph_have_a_mean_with_others(
    best: Path, ultralytics: Any, tmp_path: Path
) -> None:
    """A graph does not tell what was in a convolution and what in the normalisation after it."""
    model = ultralytics.YOLO(str(best))
    for block in model.model.modules():
        if hasattr(block, "conv") and hasattr(block, "bn"):
            block.conv.weight.data.mul_(3.0)
            block.bn.running_mean.mul_(3.0)
            block.bn.running_var.mul_(9.0).add_(8.0 * block.bn.eps)
    model.save(tmp_path / "scaled.pt")
    planes = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    one, mean = (
        open_session(export(files, tmp_path / f"{len(files)}.onnx", {}, (64, 64))).run(
            None, {"images": planes}
        )[0]
        for files in ([best], [best, tmp_path / "scaled.pt", tmp_path / "scaled.pt"])
    )
    assert np.abs(mean - one).mean() < 0.01 * np.abs(one).mean()  # weights are kept as halves


def test_weights_of_two_architectures_have_no_mean(
    best: Path, weights: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(DetectorError, match="another architecture"):
        export([best, weights(11, "pose", {0: "face"})], tmp_path / "face.onnx", {})
    assert files(tmp_path) == set()


def test_fixed_inputs_are_squares_or_sixteen_to_nine_in_whole_strides() -> None:
    assert input_shape("dynamic", 100) is None
    assert input_shape("square", 320) == (320, 320)
    assert [input_shape("wide", size) for size in (320, 640, 1280)] == [(192, 320), (384, 640), (736, 1280)]
    with pytest.raises(ConfigError, match="--size 100: not a multiple of 32"):
        input_shape("wide", 100)


def test_a_graph_of_a_fixed_shape_takes_any_frame(best: Path, tmp_path: Path) -> None:
    written = export([best], tmp_path / "face.onnx", {}, (64, 96))
    detector = YoloDetector(written, DetectSettings(size=320, confidence=1e-06, max_faces=5), nested=2)
    assert detector._fixed == (64, 96)
    found = detector.detect(np.zeros((100, 70, 3), np.uint8))
    assert 1 <= len(found) <= 5
    assert (found.boxes <= np.array([70, 100, 70, 100])).all()


def test_a_folder_that_is_not_there_is_said_before_any_work(best: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="there is no folder"):
        export([best], tmp_path / "nowhere" / "face.onnx", {})


def test_in_integers_a_detector_of_ours_finds_nearly_the_same(
    ultralytics: Any, dataset: Path, tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(0)
    model = ultralytics.YOLO(str(description("face-p")), task="pose", verbose=False)
    with torch.no_grad():  # with random statistics, activations neither die away nor explode
        for module in model.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        clouds = torch.nn.functional.interpolate(torch.rand(4, 3, 6, 8), size=(96, 128), mode="bilinear")
        model.model.train()(clouds)
    model.save(tmp_path / "weights.pt")
    metadata = {"recog.kind": "face detector"}
    floats = export([tmp_path / "weights.pt"], tmp_path / "floats.onnx", metadata)
    integers = export([tmp_path / "weights.pt"], tmp_path / "integers.onnx", metadata, None, (dataset, 128))
    assert integers.stat().st_size < 0.5 * floats.stat().st_size
    graph = onnx.load(str(integers))
    assert {entry.key: entry.value for entry in graph.metadata_props}["recog.kind"] == "face detector"
    scaled = {name for node in graph.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    convolutions = [node for node in graph.graph.node if node.op_type == "Conv"]
    plain = [node.name for node in convolutions if node.input[1] not in scaled]
    assert len(convolutions) > 50
    assert sorted(name.rsplit("/", 2)[1] for name in plain) == [
        "conv",
        *("cv2.0.2", "cv2.1.2", "cv2.2.2", "cv3.0.2", "cv3.1.2", "cv3.2.2"),
        *("cv4_kpts.0", "cv4_kpts.1", "cv4_kpts.2"),
    ]  # the first one, and the last ones, which make boxes, scores and points
    image = cv2.imread(str(dataset.parent / "images" / "train" / "3.png"))
    planes = letterbox(np.asarray(image, np.uint8), 128)[0]
    expected, found = (open_session(file).run(None, {"images": planes})[0][0] for file in (floats, integers))
    # Scores are left out: those of a network without training are all or nothing, and rounding decides which.
    for row, least in ((0, 0.9), (1, 0.85), (5, 0.8)):  # the middle of a box, its first point
        assert np.corrcoef(expected[row], found[row])[0, 1] > least


def test_integers_need_the_training_set(best: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="no such file; make it with: recog detector prepare"):
        export([best], tmp_path / "face.onnx", {}, None, (tmp_path / "dataset.yaml", 320))
    (tmp_path / "dataset.yaml").touch()
    with pytest.raises(DetectorError, match="no training images"):
        export([best], tmp_path / "face.onnx", {}, None, (tmp_path / "dataset.yaml", 320))
    assert files(tmp_path) == {"dataset.yaml"}


def test_a_conversion_that_was_cut_short_is_made_again_and_a_whole_one_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that a full disk or a killed process left half done must not be believed for ever."""
    from pipeline.detection.training import export as module
    from siamese.shipped import sha256

    weights, cache, made = tmp_path / "face.pt", tmp_path / "cache", []
    weights.write_bytes(b"weights")

    def convert(weights: list[Path], out: Path, metadata: dict[str, str]) -> Path:
        made.append(out)
        out.write_bytes(b"a whole graph")
        return out

    monkeypatch.setattr(module, "export", convert)
    cache.mkdir()
    (cache / f"{sha256(weights)[:16]}.onnx").write_bytes(b"a who")
    assert module.as_onnx(weights, cache).read_bytes() == b"a whole graph"
    assert module.as_onnx(weights, cache).read_bytes() == b"a whole graph"
    assert len(made) == 1
    made[0].write_bytes(b"a who")
    assert module.as_onnx(weights, cache).read_bytes() == b"a whole graph"
    assert len(made) == 2
