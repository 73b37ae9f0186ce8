"""The exported file says what the network says."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import cv2
import faiss
import numpy as np
import onnx
import pytest
import torch

from siamese.calibration import Calibration
from siamese.runtime import BATCH, Embedder
from siamese.session import open_session
from siamese.settings import ModelSettings
from siamese.shipped import SUMS, sha256
from siamese.training.export import export
from siamese.training.model import Siamese


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
        images = torch.from_numpy(crops[:12])
        expected = network.head.every_pair((network(images) + network(images.flip(2))) / 2).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_file_describes_itself(network: Siamese, exported: Path) -> None:
    embedder = Embedder(exported)
    assert embedder.calibration == Calibration(4.0, 0.5, 7.0, 100, 3000)
    assert embedder.card["trained on"] == "coloured blobs"
    assert embedder.dimension == 16
    assert embedder.bias == pytest.approx(float(network.head.bias.detach()))
    session = open_session(exported)
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


def test_real_faces_rank_the_same_in_torch_onnx_and_faiss(shared: Path, tmp_path: Path) -> None:
    photos = []
    with tarfile.open(shared / "celeba" / "celeba-10k.tgz") as archive:
        for member in archive:
            if member.isfile() and len(photos) < 40:
                packed = np.frombuffer(archive.extractfile(member).read(), np.uint8)  # type: ignore[union-attr]
                photos.append(cv2.resize(cv2.imdecode(packed, cv2.IMREAD_COLOR), (112, 112)))
            elif len(photos) == 40:
                break
    faces = np.stack(photos)
    torch.manual_seed(1)
    network = Siamese(ModelSettings())
    with torch.no_grad():
        network.head.raw.uniform_(-2, 2)
        for layer in network.modules():  # as after a training: embeddings of different faces differ
            if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        images = torch.from_numpy(faces)
        network.train()(images)
        network.eval()
        logits = network.head.every_pair((network(images) + network(images.flip(2))) / 2).numpy()
    path = export(network, tmp_path / "model.onnx", Calibration(4.0, 0.5, 7.0, 100, 3000), {})
    embedder = Embedder(path, threads=1)
    embeddings = embedder.embed(faces)
    index = faiss.IndexFlat(embeddings.shape[1], faiss.METRIC_L1)
    index.add(embeddings)
    distances, found = index.search(embeddings, len(faces))
    assert (found[:, 0] == np.arange(len(faces))).all()
    assert float(logits.std()) > 0.1
    np.testing.assert_allclose(
        embedder.bias - distances, np.take_along_axis(logits, found, axis=1), atol=1e-3
    )
    clear = np.diff(np.sort(-logits, axis=1), axis=1) > 1e-3  # neighbours that rounding cannot exchange
    place = clear[:, :-1] & clear[:, 1:]
    assert place.mean() > 0.5
    assert (found[:, 1:-1] == np.argsort(-logits, axis=1)[:, 1:-1])[place].all()
