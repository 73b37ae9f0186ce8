"""Going on from an exported detector: the weights of an ONNX graph, back in a network that can be trained.

An exported graph is all that is kept of a training (a checkpoint is ten times as large, and opening one can
run code). Exporting folds each batch normalisation into the convolution before it; a network whose
normalisations did nothing would not train well. So the statistics that they should have are measured on some
images, and the normalisations are set to them and scaled to undo them: the same function, normalised again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DetectorError

if TYPE_CHECKING:
    import torch

# The export keeps one of YOLO26's two heads, under these names; the other starts as its copy.
_HEADS = ("cv2", "cv3", "cv4", "cv4_kpts", "cv4_sigma")

_INTEGERS = ("_quantized", "_scale", "_zero_point")  # what quantising makes of a tensor


def unfold(graph: Path, network: Any, images: Sequence[torch.Tensor]) -> int:
    """Load the weights of `graph` into an ultralytics network of the same architecture; return how many.

    Args:
        graph: written by `recog detector export` from a network with batch normalisation.
        network: `ultralytics.nn.tasks.PoseModel`, as built from its description; changed in place.
        images: batches (n, 3, h, w) float32 RGB in 0..1 to measure the statistics on.

    Raises:
        DetectorError: not a readable graph, or one of another architecture.
    """
    import onnx
    import torch

    try:
        tensors = _tensors(onnx.load(str(graph)).graph)
    except Exception as error:  # whatever parsing a foreign file raises
        raise DetectorError(f"{graph}: cannot be read as an ONNX graph") from error
    state = network.state_dict()
    loaded: dict[str, torch.Tensor] = {}
    for name, values in tensors.items():
        norm = name.removesuffix(".conv.bias") + ".bn.bias"
        target = norm if name not in state and norm in state else name
        if target not in state or state[target].shape != values.shape:
            raise DetectorError(f"{graph}: {name} is of another architecture than the one to train")
        loaded[target] = torch.from_numpy(values.copy())
    network.load_state_dict(loaded, strict=False)
    for norm in _norms(network).values():
        # Running mean and scale are still 0 and 1: so set, a normalisation only adds its bias.
        norm.running_var.fill_(1 - norm.eps)
    _normalise(network, images)
    _copy_head(network)
    return len(loaded)


def _tensors(graph: Any) -> dict[str, Any]:
    """The weights of an `onnx.GraphProto` by their names; those in integers as the floats they stand for."""
    import numpy as np
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    tensors = {name: values for name, values in stored.items() if not name.endswith(_INTEGERS)}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values, scale, zero = (stored[name] for name in node.input)
            each = (-1, *[1] * (values.ndim - 1)) if scale.ndim else ()
            floats = (values.astype(np.float32) - zero.reshape(each)) * scale.reshape(each)
            tensors[node.input[0].removesuffix("_quantized")] = floats.astype(np.float32)
    return tensors


def _norms(network: Any) -> dict[str, Any]:
    import torch

    modules = network.named_modules()
    return {name: module for name, module in modules if isinstance(module, torch.nn.BatchNorm2d)}


def _normalise(network: Any, images: Sequence[torch.Tensor]) -> None:
    """Set every normalisation that sees the images to their statistics, without changing what it computes."""
    import torch

    moments: dict[Any, list[torch.Tensor]] = {}

    def remember(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].double()
        moments.setdefault(norm, []).append(
            torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))])
        )

    hooks = [norm.register_forward_pre_hook(remember) for norm in _norms(network).values()]
    training = network.training
    network.eval()
    with torch.no_grad():
        for batch in images:
            network(batch)
    network.train(training)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for name, norm in _norms(network).items():
            if norm in moments:
                mean, square = torch.stack(moments[norm]).mean(0)
                convolution = network.get_submodule(name.removesuffix("bn") + "conv")
                _fit(convolution, norm, mean.float(), (square - mean.square()).clamp(min=1e-6).float())


def _fit(convolution: Any, norm: Any, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Give a normalisation the statistics of what its convolution puts out; both together compute the same.

    Folding left each filter at some size of its own. A normalisation makes that size meaningless, but AdamW's
    steps do not follow it: so each filter gets the size that a fresh one has, for which the rate was chosen.
    """
    weight = convolution.weight
    size = weight.square().mean(dim=(1, 2, 3)).sqrt().clamp(min=1e-8)
    grow = (3 * weight[0].numel()) ** -0.5 / size  # torch begins with a deviation of 1 / sqrt(3 inputs)
    weight.mul_(grow.view(-1, 1, 1, 1))
    norm.running_mean.copy_(mean * grow)
    norm.running_var.copy_(variance * grow.square())
    norm.weight.copy_((norm.running_var + norm.eps).sqrt() / grow)
    norm.bias.add_(mean)


def _copy_head(network: Any) -> None:
    head = network.model[-1]
    for name in _HEADS:
        if hasattr(head, name) and hasattr(head, f"one2one_{name}"):
            getattr(head, f"one2one_{name}").load_state_dict(getattr(head, name).state_dict())
