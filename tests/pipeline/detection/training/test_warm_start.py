"""Weights of an exported graph, back in a network that can be trained: the same function, once more."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from pipeline.detection.training.export import export
from pipeline.detection.training.train import description
from pipeline.detection.training.warm_start import unfold
from pipeline.errors import DetectorError
from siamese.training.quantise import quantised

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def network(ultralytics: Any) -> Callable[[int], Any]:
    """Makes an untrained network of our smaller architecture whose normalisations have something to undo."""

    def make(seed: int) -> Any:
        torch.manual_seed(seed)
        model = ultralytics.YOLO(str(description("face-p")), task="pose", verbose=False)
        for module in model.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.8, 1.4)
                torch.nn.init.normal_(module.bias, std=0.1)
                torch.nn.init.normal_(module.running_mean, std=0.1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2)
        return model

    return make


@pytest.fixture(scope="module")
def graph(network: Callable[[int], Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """An exported graph, and the network it is of."""
    folder = tmp_path_factory.mktemp("graph")
    model = network(1)
    model.model.names = {0: "face"}
    model.save(folder / "weights.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export([folder / "weights.pt"], folder / "face.onnx", {}), model.model


def images(count: int = 2) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.rand(4, 3, 64, 64, generator=random) for _ in range(count)]


def answers(network: Any, batch: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        out = network.eval()(batch)
    return out[0] if isinstance(out, tuple) else out


def test_the_network_computes_what_the_graph_computed(
    graph: tuple[Path, Any], network: Callable[[int], Any]
) -> None:
    path, original = graph
    other = network(2).model
    batch = images()[0]
    assert not torch.allclose(answers(other, batch), answers(original, batch), atol=1e-2)
    loaded = unfold(path, other, images())
    assert loaded > 50
    assert other.names == {0: "face"}  # so that what is exported of it says so, too
    torch.testing.assert_close(answers(other, batch), answers(original, batch), atol=2e-3, rtol=2e-3)


def test_weights_in_integers_come_back_as_nearly_what_they_were(
    graph: tuple[Path, Any], network: Callable[[int], Any], tmp_path: Path
) -> None:
    path, original = graph
    some = ({"images": batch[:1].numpy()} for batch in images())
    onnx.save(quantised(path, some), str(tmp_path / "integers.onnx"))
    other = network(2).model
    unfold(tmp_path / "integers.onnx", other, images())
    batch = images(1)[0]
    expected, found = answers(original, batch)[:, :4], answers(other, batch)[:, :4]
    assert not torch.equal(expected, found)
    assert torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1] > 0.99


def test_its_normalisations_have_the_statistics_of_the_images(
    graph: tuple[Path, Any], network: Callable[[int], Any]
) -> None:
    other = network(2).model
    unfold(graph[0], other, images())
    first = next(module for module in other.modules() if isinstance(module, torch.nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for batch in images():
        answers(other, batch)
    values = torch.cat(seen)
    torch.testing.assert_close(first.running_mean, values.mean((0, 2, 3)), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(first.running_var, values.var((0, 2, 3), unbiased=False), atol=1e-4, rtol=1e-3)
    # Normalising by a batch is then nearly what normalising by these statistics is: training begins gently.
    assert float(first.weight.min()) > 0


def test_a_graph_of_another_architecture_is_refused_in_one_line(
    graph: tuple[Path, Any], ultralytics: Any
) -> None:
    wider = ultralytics.YOLO(str(description("face-n")), task="pose", verbose=False).model
    with pytest.raises(DetectorError, match="of another architecture") as caught:
        unfold(graph[0], wider, images(1))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, network: Callable[[int], Any]) -> None:
    (tmp_path / "text.onnx").write_text("this is no graph")
    with pytest.raises(DetectorError, match=r"text\.onnx: cannot be read as an ONNX graph"):
        unfold(tmp_path / "text.onnx", network(2).model, images(1))
    with pytest.raises(DetectorError, match=r"none\.onnx: cannot be read"):
        unfold(tmp_path / "none.onnx", network(2).model, images(1))


def test_our_architectures_have_one_head_and_the_smaller_one_few_parameters(
    network: Callable[[int], Any], ultralytics: Any
) -> None:
    pico = network(0).model
    nano = ultralytics.YOLO(str(description("face-n")), task="pose", verbose=False).model
    counts = [sum(p.numel() for p in model.parameters()) for model in (pico, nano)]
    assert counts[0] <= 800_000 < counts[1]
    for model in (pico, nano):
        assert not hasattr(model.model[-1], "one2one_cv2")
        assert np.isfinite(counts).all()
