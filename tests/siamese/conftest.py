"""Small networks and faces that are no faces: everything that training needs, in seconds."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.settings import ModelSettings, TrainSettings
from siamese.training.export import export
from siamese.training.faces import Faces
from siamese.training.model import Siamese
from siamese.training.teacher import unit
from siamese.training.train import Step, train

CARD = {"trained on": "coloured blobs", "outside data": "none", "protocol": "unrestricted"}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small() -> ModelSettings:
    return ModelSettings(embedding=16, widths=(4, 4, 8, 8), blocks=(0, 1, 1, 1))


@pytest.fixture(scope="session")
def network(small: ModelSettings) -> Siamese:
    """A network with weights that differ from each other, as a trained one's do. Not to be trained."""
    torch.manual_seed(7)
    made = Siamese(small)
    with torch.no_grad():
        made.head.raw.uniform_(-2, 2)
        for name, buffer in made.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
    return made.eval()


@pytest.fixture(scope="session")
def exported(network: Siamese, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as the file that running uses."""
    calibration = Calibration(4.0, 0.5, 7.0, 100, 3000)
    return export(network, tmp_path_factory.mktemp("model") / "small.onnx", calibration, CARD)


Blobs = Callable[[int, int, int], CropSet]


@pytest.fixture(scope="session")
def blobs() -> Blobs:
    """Makes `images` pictures of each of `people`: two colours a person, at changing places and in noise."""

    def make(people: int, images: int, seed: int) -> CropSet:
        random = np.random.default_rng(seed)
        made, names = [], []
        for person in range(people):
            behind, blob = random.integers(30, 226, (2, 3))
            for _ in range(images):
                image = np.tile(behind, (112, 112, 1)).astype(np.float64)
                top, left = random.integers(15, 45, 2)
                image[top : top + 50, left : left + 50] = blob
                made.append(np.clip(image + random.normal(0, 8, image.shape), 0, 255).astype(np.uint8))
                names.append(f"P{seed}_{person}")
        files = tuple(f"{name}/{name}_{number:04d}.jpg" for number, name in enumerate(names))
        return CropSet(np.stack(made), files, tuple(names), np.ones(len(made), np.bool_), "blobs")

    return make


@pytest.fixture(scope="session")
def faces(blobs: Blobs) -> Faces:
    """Eight people with three images each, to learn from, and what one teacher says of them."""
    crops = blobs(8, 3, 1)
    random = np.random.default_rng(0)
    return Faces(crops.images, crops.labels(), [unit(random.normal(size=(24, 6)).astype(np.float32))])


@pytest.fixture(scope="session")
def validation(blobs: Blobs) -> CropSet:
    return blobs(4, 3, 2)


@pytest.fixture
def run(small: ModelSettings, faces: Faces, validation: CropSet) -> Callable[..., Path]:
    """`train` with small faces and short, where nothing else is said."""

    def start(out: Path, changes: Mapping[str, Any] | None = None, **others: Any) -> Path:
        plain = TrainSettings(batch=8, epochs=2, augment="affine", threads=1, averaging=0.9)
        given = {"faces": faces, "validation": validation, "model_settings": small} | others
        return train(settings=plain.model_copy(update=changes), out=out, **given)

    return start


@pytest.fixture(scope="session")
def interrupt_at() -> Callable[[int], Callable[[Step], None]]:
    """Makes a progress display during which somebody presses Ctrl-C, at this step."""

    def make(number: int) -> Callable[[Step], None]:
        def show(now: Step) -> None:
            if now.step == number:
                signal.raise_signal(signal.SIGINT)

        return show

    return make
