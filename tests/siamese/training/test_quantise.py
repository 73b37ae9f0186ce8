"""A network in integers says nearly what it says in floats, in a quarter of the bytes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from siamese.crops import CropSet
from siamese.runtime import embed_by
from siamese.session import session_of
from siamese.settings import ModelSettings
from siamese.training.export import traced
from siamese.training.model import Siamese
from siamese.training.quantise import quantised


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, faces: CropSet) -> Path:
    torch.manual_seed(3)
    network = Siamese(ModelSettings(embedding=16, widths=(8, 8, 16, 32), blocks=(0, 1, 1, 1)))
    with torch.no_grad():
        for layer in network.modules():  # as after a training: embeddings of different faces differ
            if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        network.train()(torch.from_numpy(faces.images))
    path = traced(network, tmp_path_factory.mktemp("graph") / "plain.onnx")
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, {"recog.kind": "embedder"})
    onnx.save(graph, str(path))
    return path


@pytest.fixture(scope="module")
def faces(blobs: Callable[[int, int, int], CropSet]) -> CropSet:
    return blobs(12, 4, 5)


def test_distances_in_integers_are_nearly_those_in_floats(plain: Path, faces: CropSet) -> None:
    graph = quantised(plain, ({"crops": faces.images[[row]]} for row in range(0, len(faces), 2)))
    floats, integers = (
        embed_by(session_of(bytes_, "test"), faces.images)
        for bytes_ in (plain.read_bytes(), graph.SerializeToString())
    )
    distances = [np.abs(each[:, None] - each[None]).sum(axis=2)[np.triu_indices(len(faces), 1)]
                 for each in (floats, integers)]  # fmt: skip
    assert distances[0].std() > 0.1
    assert np.corrcoef(*distances)[0, 1] > 0.95
    assert not np.array_equal(*distances)


def test_the_description_stays_and_weights_are_seven_bits(plain: Path, faces: CropSet) -> None:
    graph = quantised(plain, ({"crops": faces.images[[row]]} for row in range(4)))
    assert {entry.key: entry.value for entry in graph.metadata_props} == {"recog.kind": "embedder"}
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    weights = [values for name, values in stored.items() if name.endswith("quantized") and values.ndim == 4]
    assert len(weights) > 5
    assert {values.dtype for values in weights} == {np.dtype(np.int8)}
    assert max(np.abs(values.astype(int)).max() for values in weights) == 64


def test_what_is_to_be_kept_stays_in_floats(plain: Path, faces: CropSet) -> None:
    graph = quantised(plain, ({"crops": faces.images[[row]]} for row in range(4)), lambda name: True)
    assert "QuantizeLinear" not in {node.op_type for node in graph.graph.node}


def test_logging_is_as_it_was(plain: Path, faces: CropSet) -> None:
    before = logging.root.manager.disable
    quantised(plain, iter([{"crops": faces.images[:1]}]))
    assert logging.root.manager.disable == before
