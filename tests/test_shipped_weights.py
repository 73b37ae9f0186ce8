"""The weights in the repository: whole, small enough, described, and usable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.detection import yolo
from siamese import runtime
from siamese.shipped import SUMS, sha256

MODELS = [path for default in (yolo.DEFAULT, runtime.DEFAULT) for path in default.parent.glob("*.onnx")]


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_every_model_has_its_checksum_and_its_card(model: Path) -> None:
    listed = dict(reversed(line.split()) for line in (model.parent / SUMS).read_text().splitlines())
    assert listed[model.name] == sha256(model)
    assert model.name in (model.parent / "README.md").read_text()
    assert model.stat().st_size <= 12_000_000


def test_the_embedder_says_what_it_was_trained_on() -> None:
    embedder = runtime.Embedder()
    assert "LFW" in embedder.card["data"]
    assert embedder.card["licence"] == "MIT"
    assert embedder.calibration.impostor > 100_000


def test_an_embedding_does_not_depend_on_who_is_embedded_with_it() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    embedder = runtime.Embedder()
    together, alone = embedder.embed(crops), embedder.embed(crops[3:4])
    assert together.shape == (5, embedder.dimension)
    np.testing.assert_allclose(together[3], alone[0], atol=1e-4)


def test_the_detector_finds_the_face_of_a_portrait_and_its_eyes() -> None:
    from pipeline.outputs.demo_film import photographs

    photo = photographs().known
    faces = yolo.YoloDetector().detect(photo)
    assert len(faces) == 1
    left_eye, right_eye, nose, *mouth = faces.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(corner[1] for corner in mouth)
