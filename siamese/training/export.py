"""Writing a trained network as one ONNX file: preprocessing and head inside, and its own description."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import torch

from siamese.calibration import Calibration
from siamese.describe import describe
from siamese.shipped import record
from siamese.training.model import Siamese


class Exported(torch.nn.Module):
    """What the file computes: crops (n, 112, 112, 3) uint8 BGR -> weighted embeddings (n, d) float32."""

    def __init__(self, network: Siamese) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.network.weighted(crops)


def traced(network: Siamese, out: Path) -> Path:
    """Write the bare graph of `network`, which says nothing of itself yet, in float32."""
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but needs no further package and writes the same graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Exported(network).eval().cpu(),
            (torch.zeros(2, 112, 112, 3, dtype=torch.uint8),),
            str(out),
            input_names=["crops"],
            output_names=["embeddings"],
            dynamic_axes={"crops": {0: "n"}, "embeddings": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    return out


def export(
    network: Siamese, out: Path, calibration: Calibration, card: dict[str, Any], graph: Any = None
) -> Path:
    """Write `network` to `out`, and its checksum into the list of checksums where one stands beside it.

    Args:
        calibration: on people that the network never saw.
        card: what travels with the weights: training data, split, teachers, figures, licence.
        graph: an `onnx.ModelProto` to write for the network; None for what `traced` makes of it.
    """
    import onnx

    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_suffix(".tmp")
    if graph is None:
        graph = onnx.load(str(traced(network, temporary)))
    describe(
        graph,
        architecture=network.settings.model_dump(),
        dimension=network.backbone.dimension,
        bias=float(network.head.bias.detach()),
        calibration=calibration,
        card=card,
    )
    onnx.save(graph, str(temporary))
    os.replace(temporary, out)
    record(out)
    return out
