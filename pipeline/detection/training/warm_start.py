"""Going on from an exported detector: the weights of an ONNX graph, back in a network that can be trained.

An exported graph is all that is kept of a training: a checkpoint is ten times as large, and opening one can
run code.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DetectorError
from siamese.training.unfold import normalise_again, stored_weights

if TYPE_CHECKING:
    import torch

# The export keeps one of YOLO26's two heads, under these names; the other starts as its copy.
_HEADS = ("cv2", "cv3", "cv4", "cv4_kpts", "cv4_sigma")


def unfold(graph: Path, network: Any, images: Sequence[torch.Tensor]) -> int:
    """Load the weights of `graph` and its class's name into an ultralytics network of the same kind.

    Returns how many tensors were loaded.

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
        model = onnx.load(str(graph))
        tensors = stored_weights(model.graph)
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
    normalise_again(network, lambda norm: norm.removesuffix("bn") + "conv", images)
    _copy_head(network)
    described = {entry.key: entry.value for entry in model.metadata_props}
    if "names" in described:  # a fresh network calls its classes by numbers
        network.names = ast.literal_eval(described["names"])
    return len(loaded)


def _copy_head(network: Any) -> None:
    head = network.model[-1]
    for name in _HEADS:
        if hasattr(head, name) and hasattr(head, f"one2one_{name}"):
            getattr(head, f"one2one_{name}").load_state_dict(getattr(head, name).state_dict())
