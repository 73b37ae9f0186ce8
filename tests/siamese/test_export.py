"""The exported file says what the network says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from siamese.calibration import Calibration
from siamese.export import export
from siamese.model import Siamese
from siamese.runtime import BATCH, Embedder
from siamese.settings import ModelSettings
from siamese.shipped import SUMS, sha256


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2 * BATCH + 1, 112, 112, 3), np.uint8)


@pytest.mark.parametrize("count", [1, 2, 7, BATCH, BATCH + 1, 2 * BATCH + 1])
def test_onnx_and_torch_agree_whatever_the_size_of_the_batch(
    network: Siamese, exported: Path, crops: np.ndarray, count: int
) -> None:
    with torch.no_grad():
        expected = network.weighted(torch.from_numpy(crops[:count])).numpy()
    embeddings = Embedder(exported, threads=1).embed(crops[:count])
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected, atol=1e-4)


def test_the_plain_l1_distance_of_exported_embeddings_is_the_heads_verdict(
    network: Siamese, exported: Path, crops: np.ndarray
) -> None:
    embedder = Embedder(exported, threads=1)
    embeddings = embedder.embed(crops[:12])
    logits = embedder.bias - np.abs(embeddings[:, None] - embeddings[None]).sum(axis=2)
    with torch.no_grad():
        expected = network.head.every_pair(network(torch.from_numpy(crops[:12]))).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_file_describes_itself(network: Siamese, exported: Path) -> None:
    embedder = Embedder(exported)
    assert embedder.calibration == Calibration(4.0, 0.5, 7.0, 100, 3000)
    assert embedder.card["trained on"] == "coloured blobs"
    assert embedder.dimension == 16
    assert embedder.bias == pytest.approx(float(network.head.bias.detach()))
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    described = session.get_modelmeta().custom_metadata_map
    assert ModelSettings(**json.loads(described["recog.model"])) == network.settings
    taken, given = session.get_inputs()[0], session.get_outputs()[0]
    assert (taken.name, taken.type, taken.shape) == ("crops", "tensor(uint8)", ["n", 112, 112, 3])
    assert (given.name, given.type) == ("embeddings", "tensor(float)")


def test_the_file_is_whole_and_valid_and_nothing_else_is_left(exported: Path) -> None:
    onnx.checker.check_model(str(exported), full_check=True)
    assert os.listdir(exported.parent) == [exported.name]


def test_a_failed_export_leaves_the_model_there_was(
    network: Siamese, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model.onnx"
    out.write_bytes(b"the old one")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(onnx, "save", full)
    with pytest.raises(OSError, match="no space"):
        export(network, out, Calibration(1, 1, 1, 1, 1), {})
    assert out.read_bytes() == b"the old one"


def test_exporting_over_a_listed_file_keeps_the_list_in_step(network: Siamese, tmp_path: Path) -> None:
    (tmp_path / SUMS).write_text(f"{'0' * 64}  face.onnx\n")
    out = export(network, tmp_path / "face.onnx", Calibration(4.0, 0.5, 7.0, 100, 3000), {})
    assert (tmp_path / SUMS).read_text() == f"{sha256(out)}  face.onnx\n"
