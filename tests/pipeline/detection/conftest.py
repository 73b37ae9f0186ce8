"""Real YOLO graphs, made here: ultralytics' own descriptions, half as wide, untrained, exported to ONNX."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.detection.training.prepare import Photo, prepare
from pipeline.types import Detections, Image


@pytest.fixture(scope="session")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package, kept from the user's settings, the network and pip."""
    if importlib.util.find_spec("ultralytics") is None:  # to import it would write its settings
        pytest.skip("needs ultralytics: install recog[train]")
    from pipeline.detection.training.ultralytics import quiet_ultralytics

    with pytest.MonkeyPatch.context() as environment:
        for name in ("YOLO_CONFIG_DIR", "YOLO_AUTOINSTALL", "YOLO_OFFLINE"):
            environment.delenv(name, raising=False)  # what quiet_ultralytics sets ends with the session
        quiet_ultralytics(tmp_path_factory.mktemp("ultralytics"))
        import ultralytics as package
        from ultralytics.utils import LOGGER, torch_utils

        LOGGER.setLevel("ERROR")
        # Of each network it counts the operations, on a copy of it, for a line that is not shown here.
        environment.setattr(torch_utils, "get_flops", lambda *_: 0.0)
        yield package


@pytest.fixture(scope="session")
def weights(ultralytics: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes untrained weights whose scores and boxes differ from place to place, as a trained model's do."""
    import torch
    from ultralytics.utils import YAML

    def make(version: int, task: str, names: dict[int, str], likely: tuple[float, ...] = (-1.0,)) -> Path:
        folder = tmp_path_factory.mktemp("weights")
        suffix = "-pose" if task == "pose" else ""
        models = Path(ultralytics.__file__).parent / "cfg" / "models"
        description = YAML.load(models / str(version) / f"yolo{version}{suffix}.yaml")
        description.update(nc=len(names), kpt_shape=[5, 3], scales={"n": [0.33, 0.125, 256]})
        YAML.save(folder / f"yolo{version}n{suffix}.yaml", description)
        torch.manual_seed(0)
        model = ultralytics.YOLO(folder / f"yolo{version}n{suffix}.yaml", task=task, verbose=False)
        model.model.names = names
        # Without this the activations of an untrained network die away, and every score is the same.
        clouds = torch.nn.functional.interpolate(torch.rand(4, 3, 6, 8), size=(96, 128), mode="bilinear")
        for module in model.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        model.model.train()
        with torch.no_grad():
            for _ in range(3):
                model.model(clouds)
        head = model.model.model[-1]
        for branch in [head.cv3, *([head.one2one_cv3] if version == 26 else [])]:
            for scale in branch:
                torch.nn.init.normal_(scale[-1].weight, std=0.008)
                scale[-1].bias.data[:] = torch.tensor(likely)
        model.save(folder / "model.pt")
        return folder / "model.pt"

    return make


@pytest.fixture(scope="session")
def exported(ultralytics: Any) -> Callable[..., Path]:
    """Exports weights with ultralytics itself, with the given arguments."""

    def export(weights: Path, name: str, **arguments: Any) -> Path:
        settings = {"format": "onnx", "simplify": False, "opset": 17, "imgsz": 64, **arguments}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, on the exporter that ultralytics uses
            written = Path(ultralytics.YOLO(weights).export(**settings))
        return written.rename(weights.with_name(f"{name}.onnx"))

    return export


class Everywhere:
    """Proposes one face with its landmarks, in the middle, and doubts whether a corner shows another."""

    digest = "0" * 64

    def detect(self, image: Image) -> Detections:
        points = np.array([[26, 26], [38, 26], [32, 32], [27, 38], [37, 38]], np.float32)
        boxes = np.array([[20, 18, 44, 46], [2, 2, 14, 14]], np.float32)
        return Detections(boxes, np.array([1, 0.6], np.float32), np.stack([points, points / 4]))


def dataset(folder: Path) -> Path:
    """A training set of eight photographs of a disc with eyes on noise; 1 and 11 choose the epoch."""
    photos = []
    for number in (1, 2, 3, 4, 6, 7, 8, 11):
        image = np.random.default_rng(number).integers(0, 200, (64, 64, 3), np.uint8)
        cv2.circle(image, (32, 32), 13, (150, 180, 240), -1)
        for eye in (26, 38):
            cv2.circle(image, (eye, 26), 2, (20, 20, 20), -1)
        path = folder / "wild" / "images" / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
        photos.append(Photo(path, np.array([[20, 18, 44, 46]], np.float32)))
    prepare(photos, [], folder / "dataset", [Everywhere()])
    return folder / "dataset" / "dataset.yaml"


@pytest.fixture(scope="session")
def face_set() -> Callable[[Path], Path]:
    """Writes a training set of painted faces into a folder and returns its `dataset.yaml`."""
    return dataset
