"""Graphs in eight-bit integers: a third to a half of the time, a quarter of the bytes, on CPUs that can.

Statically quantised by onnxruntime, with scales of the activations from inputs like those in use (Jacob et
al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018).
Pays where a network has ReLU and nothing else between its convolutions: every other function goes through
floats and back.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamese.session import onnx_runtime

# What is exact or nearly so on integers. Everything else stays in float32.
OPERATORS = ["Add", "Concat", "Conv", "MaxPool", "Relu", "Resize", "Split"]


def quantised(
    model: Path,
    inputs: Iterator[Mapping[str, np.ndarray[Any, Any]]],
    keep: Callable[[str], bool] | None = None,
) -> Any:
    """An `onnx.ModelProto` like that in `model`, with its description, whose `OPERATORS` work on integers.

    Args:
        inputs: what the graph takes, by name: some hundred examples like those in use.
        keep: whether the node of this name stays in float32.
    """
    import onnx

    onnx_runtime()  # before anybody imports it
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(inputs, None)

    plain = onnx.load(str(model))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.onnx"
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it logs advice for its own developers
        try:
            # Its preparing pass is left out: there is nothing to fold here, and it renames the weights.
            quantize_static(
                str(model), str(made), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                # Weights of seven bits: with eight, sums overflow on CPUs without VNNI, and two machines
                # disagree about a face (measured: docs/decisions/0008).
                reduce_range=True,
                op_types_to_quantize=OPERATORS,
                nodes_to_exclude=[node.name for node in plain.graph.node if keep and keep(node.name)],
            )  # fmt: skip
        finally:
            logging.disable(before)
        graph = onnx.load(str(made))
    described = {entry.key: entry.value for entry in plain.metadata_props}
    onnx.helper.set_model_props(graph, described)
    return graph
