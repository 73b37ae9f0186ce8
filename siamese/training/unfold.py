"""From an exported graph back to a network that can be trained: its weights, and its normalisations.

Exporting folds each batch normalisation into the convolution before it; a network whose normalisations did
nothing would not train well. So the statistics that they should have are measured on some images, and the
normalisations are set to them and scaled to undo them: the same function, normalised again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

_INTEGERS = ("_quantized", "_scale", "_zero_point")  # what quantising makes of a tensor


def stored_weights(graph: Any) -> dict[str, npt.NDArray[Any]]:
    """The weights of an `onnx.GraphProto` by their names; those in integers as the floats they stand for."""
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {name: values for name, values in stored.items() if not name.endswith(_INTEGERS)}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values, scale, zero = (stored[name] for name in node.input)
            each = (-1, *[1] * (values.ndim - 1)) if scale.ndim else ()
            floats = (values.astype(np.float32) - zero.reshape(each)) * scale.reshape(each)
            weights[node.input[0].removesuffix("_quantized")] = floats.astype(np.float32)
    return weights


def normalise_again(
    network: Any, convolution_of: Callable[[str], str], images: Sequence[torch.Tensor]
) -> None:
    """Set every normalisation that sees the images to their statistics, without changing what is computed.

    Args:
        network: a `torch.nn.Module` whose convolutions hold the folded weights, whose `BatchNorm2d` hold the
            folded biases and are otherwise new; changed in place.
        convolution_of: the name of the convolution before the normalisation of a name.
        images: batches to measure the statistics on, each as `network` takes them.
    """
    import torch

    norms: dict[str, Any] = {
        name: module for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)
    }
    moments: dict[Any, list[torch.Tensor]] = {}

    def remember(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].double()
        moments.setdefault(norm, []).append(
            torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))])
        )

    for norm in norms.values():
        # Running mean and scale are still 0 and 1: so set, a normalisation only adds its bias.
        norm.running_var.fill_(1 - norm.eps)
    hooks = [norm.register_forward_pre_hook(remember) for norm in norms.values()]
    training = network.training
    network.eval()
    with torch.no_grad():
        for batch in images:
            network(batch)
    network.train(training)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for name, norm in norms.items():
            if norm in moments:
                mean, square = torch.stack(moments[norm]).mean(0)
                variance = (square - mean.square()).clamp(min=1e-6)
                _fit(network.get_submodule(convolution_of(name)), norm, mean.float(), variance.float())


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
