"""Going on from another training: what `recog train --start` takes from a checkpoint or an exported network.

An exported network is all that is shipped. Its weights are in integers, its normalisations are folded, and
what was learned of the teachers is not in it: the first are taken as they are, the second undone, the third
fitted again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from siamese.errors import ModelError
from siamese.settings import ModelSettings
from siamese.training import checkpoint
from siamese.training.augment import planes
from siamese.training.faces import Faces
from siamese.training.model import Residual, Siamese
from siamese.training.unfold import normalise_again, stored_weights

SAMPLE = 2048  # faces by which normalisations and guesses are fitted
BATCH = 64
FITTED = 12_000  # faces by which the last layer is solved


def beginning(path: Path, faces: Faces) -> dict[str, Any]:
    """What a training begins with, in the form of a checkpoint.

    Args:
        path: a checkpoint (`.pt`), or a network that `recog export` wrote (`.onnx`).
        faces: what will be learned from.

    Raises:
        ModelError: neither.
    """
    return from_export(path, faces) if path.suffix == ".onnx" else checkpoint.load(path)


def provenance_of(path: Path) -> dict[str, Any]:
    """What a checkpoint, or an exported network, says of how it was made.

    Raises:
        ModelError: neither.
    """
    if path.suffix != ".onnx":
        found: dict[str, Any] = checkpoint.load(path)["provenance"]
        return found
    try:
        card: dict[str, Any] = json.loads(_described(path, _read(path))["recog.card"])
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: does not say how it was made; export it again") from error
    return card


def settings_of(path: Path) -> ModelSettings:
    """What the network of a checkpoint, or an exported one, looks like.

    Raises:
        ModelError: neither, or no network that can be trained on.
    """
    try:
        if path.suffix != ".onnx":
            return ModelSettings.model_validate(checkpoint.load(path)["model_settings"])
        return ModelSettings.model_validate(json.loads(_described(path, _read(path))["recog.model"]))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: holds no network that can be trained on") from error


def from_export(path: Path, faces: Faces) -> dict[str, Any]:
    """What a checkpoint of the exported network would hold for another training to begin with.

    Args:
        path: a residual network with ReLU that `recog export` wrote.
        faces: what will be learned from; on some of them normalisations and guesses are fitted.

    Raises:
        ModelError: not such a file.
    """
    model = _read(path)
    described = _described(path, model)
    try:
        settings = ModelSettings.model_validate(json.loads(described["recog.model"]))
        network = Siamese(settings)
        if (settings.backbone, settings.activation) != ("residual", "relu"):
            raise ValueError("not a network that is shipped")
        network.load_state_dict(_weights(model.graph, network), strict=False)
        network.head.bias.data.fill_(float(described["recog.bias"]))
    except (KeyError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: holds no network that can be trained on; start from a checkpoint"
        ) from error
    rows = np.linspace(0, len(faces.images) - 1, min(SAMPLE, len(faces.images))).astype(np.int64)
    batches = [torch.from_numpy(faces.images[rows[i : i + BATCH]]) for i in range(0, len(rows), BATCH)]
    normalise_again(network, _convolution_of, batches)
    network.eval()
    with torch.no_grad():
        embeddings = torch.cat([network(batch) for batch in batches])
    return {
        "model_settings": settings.model_dump(),
        "averaged": network.state_dict(),
        "guess": _guesses(embeddings, [torch.from_numpy(target[rows]) for target in faces.targets]),
    }


def fit_last_layer(network: Siamese, faces: Faces) -> None:
    """Solve the last layer by least squares onto the faces' only target, (n, embedding).

    It is linear: its best weights for what the layers below say can be computed.
    """
    backbone = network.backbone
    assert isinstance(backbone, Residual)
    rows = np.linspace(0, len(faces.images) - 1, min(FITTED, len(faces.images))).astype(np.int64)
    target = torch.from_numpy(faces.targets[0][rows]).double()
    training = network.training
    network.eval()
    device = network.head.bias.device
    with torch.no_grad():
        parts = []
        for i in range(0, len(rows), BATCH):
            seen = planes(torch.from_numpy(faces.images[rows[i : i + BATCH]])).to(device)
            parts.append(backbone.gather(backbone.features(seen)).flatten(1).cpu())
        inputs = torch.cat([torch.cat(parts), torch.ones(len(rows), 1)], dim=1).double()
        square = inputs.T @ inputs
        ridge = 1e-6 * float(square.diagonal().mean()) * torch.eye(len(square), dtype=torch.float64)
        solved = torch.linalg.solve(square + ridge, inputs.T @ target)
        weights, bias = solved[:-1].T, solved[-1]
        outputs = inputs[:, :-1] @ weights.T
        norm = backbone.normalise
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None
        assert variance is not None
        mean.copy_(outputs.mean(0))
        variance.copy_(outputs.var(0, correction=0))
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(outputs.mean(0) + bias)
        backbone.project.weight.copy_(weights)
    network.train(training)


def _read(path: Path) -> Any:
    import onnx

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        return onnx.load(str(path))
    except Exception as error:  # whatever parsing a foreign file raises
        raise ModelError(f"{path}: cannot be read as an ONNX graph") from error


def _described(path: Path, model: Any) -> dict[str, str]:
    described = {entry.key: entry.value for entry in model.metadata_props}
    if described.get("recog.kind") != "embedder":
        raise ModelError(f"{path}: not an embedder that recog export wrote")
    return described


def _weights(graph: Any, network: Siamese) -> dict[str, Tensor]:
    """The graph's weights under the names that `network` has for them; convolutions lost them by folding.

    Raises:
        KeyError, ValueError: they are not those of such a network.
    """
    stored, state = stored_weights(graph), network.state_dict()
    found = {name.removeprefix("network."): values for name, values in stored.items()}
    for node in graph.node:
        if node.name.startswith("/network/backbone/") and node.op_type in ("Conv", "MatMul"):
            module = _module_of(node.name)
            weight = stored[node.input[1].removesuffix("_DequantizeLinear_Output")]
            found[f"{module}.weight"] = weight if node.op_type == "Conv" else weight.T
            if node.op_type == "Conv":
                found[f"{_norm_of(module)}.bias"] = stored[node.input[2]]
    if any(name not in found for name, value in state.items() if value.ndim > 1 or name == "head.raw"):
        raise ValueError("weights are missing")
    if any(found[name].shape != tuple(value.shape) for name, value in state.items() if name in found):
        raise ValueError("weights are of other shapes")
    return {name: torch.from_numpy(found[name].copy()) for name in state if name in found}


def _module_of(node: str) -> str:
    """The module that a node was traced from: "/network/backbone/features/features.3/body/body.0/Conv"."""
    parts = node.split("/")[2:-1]
    last = [*parts[1:], ""]
    return ".".join(part for part, after in zip(parts, last, strict=True) if not after.startswith(f"{part}."))


def _norm_of(convolution: str) -> str:
    stem, _, place = convolution.rpartition(".")
    return f"{stem}.{int(place) + 1}"


def _convolution_of(norm: str) -> str:
    stem, _, place = norm.rpartition(".")
    return f"{stem}.{int(place) - 1}"


def _guesses(embeddings: Tensor, targets: list[Tensor]) -> dict[str, Tensor]:
    """The linear layers that guess teachers best, by least squares: else they would pull at good weights."""
    inputs = torch.cat([embeddings, torch.ones(len(embeddings), 1)], dim=1).double()
    layers = nn.ModuleList(nn.Linear(embeddings.shape[1], target.shape[1]) for target in targets)
    for layer, target in zip(layers, targets, strict=True):
        solved = torch.linalg.lstsq(inputs, target.double()).solution.float()
        assert isinstance(layer, nn.Linear)
        layer.weight.data, layer.bias.data = solved[:-1].T.contiguous(), solved[-1]
    return layers.state_dict()
