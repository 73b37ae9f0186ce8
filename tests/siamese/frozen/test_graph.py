"""Frozen backbones: what is put before and behind somebody else's graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from siamese.calibration import Calibration
from siamese.errors import ModelError
from siamese.frozen.backbone import Backbone
from siamese.frozen.export import export_frozen
from siamese.frozen.settings import BackboneSettings
from siamese.frozen.verdict import Head
from siamese.runtime import Embedder

Make = Callable[..., Path]
D = 6  # as in conftest.py


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 112, 112, 3), np.uint8)


def by_hand(crops: np.ndarray, kernel: np.ndarray, settings: BackboneSettings) -> np.ndarray:
    """The slow obvious way: face by face, view by view."""

    def unit(vector: np.ndarray) -> np.ndarray:
        return vector / np.linalg.norm(vector) if settings.unit else vector

    rows = []
    for crop in crops.astype(np.float64):
        image = crop[:, :, ::-1] if settings.colour == "rgb" else crop
        views = [image, image[:, ::-1]] if settings.mirror else [image]
        planes = [(view.transpose(2, 0, 1) - settings.mean) / settings.scale for view in views]
        embedded = [unit((kernel * plane).sum(axis=(1, 2, 3))) for plane in planes]
        mean = np.mean(embedded, axis=0)
        rows.append(unit(mean) if settings.mirror else mean)
    return np.array(rows)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_colours_scale_mirror_and_length_are_as_set(
    make_backbone: Make, kernel: np.ndarray, crops: np.ndarray, colour: str, mirror: bool, unit: bool
) -> None:
    settings = BackboneSettings.model_validate(
        {"colour": colour, "mean": 100.0, "scale": 50.0, "mirror": mirror, "unit": unit}
    )
    backbone = Backbone(make_backbone(), settings, threads=1)
    assert backbone.dimension == D
    np.testing.assert_allclose(backbone.embed(crops), by_hand(crops, kernel, settings), atol=2e-4)


def test_a_backbone_that_says_it_takes_one_face_at_a_time_takes_many_where_it_can(
    make_backbone: Make, kernel: np.ndarray, crops: np.ndarray
) -> None:
    settings = BackboneSettings()
    embeddings = Backbone(make_backbone(batch=1), settings, threads=1).embed(crops)
    np.testing.assert_allclose(embeddings, by_hand(crops, kernel, settings), atol=1e-4)


@pytest.mark.parametrize(
    "made",
    [{"batch": 1, "fixed": True}, {"sides": "side"}, {"batch": 1, "fixed": True, "sides": "side"}],
    ids=str,
)
def test_a_graph_for_one_face_or_of_any_size_takes_faces_all_the_same(
    make_backbone: Make, kernel: np.ndarray, crops: np.ndarray, made: dict[str, Any]
) -> None:
    settings = BackboneSettings()
    embeddings = Backbone(make_backbone(**made), settings, threads=1).embed(crops)
    np.testing.assert_allclose(embeddings, by_hand(crops, kernel, settings), atol=1e-4)


def test_each_plane_may_have_a_mean_and_a_scale_of_its_own(
    make_backbone: Make, kernel: np.ndarray, crops: np.ndarray
) -> None:
    settings = BackboneSettings(mean=(120, 110, 100), scale=(60, 50, 40), mirror=False, unit=False)
    planes = (crops[..., ::-1] - np.array(settings.mean)) / np.array(settings.scale)
    expected = np.einsum("dchw,nhwc->nd", kernel, planes)
    embeddings = Backbone(make_backbone(), settings, threads=1).embed(crops)
    np.testing.assert_allclose(embeddings, expected, atol=1e-3)


@pytest.mark.parametrize("whiten", [True, False])
def test_the_exported_model_is_one_like_every_other(
    make_backbone: Make, crops: np.ndarray, tmp_path: Path, whiten: bool
) -> None:
    random = np.random.default_rng(2)
    matrix = random.normal(size=(D, D)).astype(np.float32) if whiten else None
    head = Head(matrix, random.random(D).astype(np.float32), 3.0, 0.1, 5, 9)
    backbone = Backbone(make_backbone(), BackboneSettings(), threads=1)
    out = export_frozen(
        backbone, head, tmp_path / "frozen.onnx", Calibration(1, 1, 1, 5, 9), {"outside data": "labelled"}
    )
    onnx.checker.check_model(str(out))
    embedder = Embedder(out, threads=1)
    np.testing.assert_allclose(embedder.embed(crops), head.apply(backbone.embed(crops)), atol=1e-4)
    assert (embedder.dimension, embedder.bias) == (D, 3.0)
    assert embedder.calibration == Calibration(1, 1, 1, 5, 9)
    assert embedder.card["category"] == "unrestricted, labelled outside data"
    assert "commit" in embedder.card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backbone.onnx", "frozen.onnx"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"size": 96}, r"takes \(n, 3, 112, 112\), not \(n, 3, 96, 96\)"),
        ({"finds": True}, r"gives \(\d, 2\) or \(\d, 2\).* for one face, not an embedding of one length"),
        ({"outputs": 2}, "one input and one output"),
        ({"mix": True}, "depends on who is embedded with it"),
    ],
    ids=str,
)
def test_what_is_no_face_embedder_is_refused(make_backbone: Make, made: dict[str, int], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        Backbone(make_backbone(**made), BackboneSettings(mirror=False), threads=1)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        Backbone(tmp_path / "text.onnx", BackboneSettings())
    with pytest.raises(ModelError, match="no such model"):
        Backbone(tmp_path / "none.onnx", BackboneSettings())
