"""A face embedder in ONNX that is no face embedder: weighted means of the planes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

D = 6
Make = Callable[..., Path]


@pytest.fixture(scope="session")
def kernel() -> np.ndarray:
    """What the embedder multiplies the planes (3 x 112 x 112) with, (d, 3, 112, 112)."""
    return (np.random.default_rng(0).normal(size=(D, 3, 112, 112)) / 1000).astype(np.float32)


@pytest.fixture
def make_backbone(tmp_path: Path, kernel: np.ndarray) -> Make:
    """Write the embedder; its names clash with ours, on purpose."""

    def make(
        size: int = 112,
        batch: int | str = "n",
        outputs: int = 1,
        mix: bool = False,
        fixed: bool = False,
        sides: int | str | None = None,
        finds: bool = False,
    ) -> Path:
        """
        Args:
            mix: each face's embedding depends on the others'.
            fixed: reshapes to one row, as graphs do that were exported for one face.
            sides: what it says of its input's height and width, if not what they are.
            finds: it gives a row for each plane that is bright enough, like a detector.
        """
        weights = numpy_helper.from_array(kernel[:, :, :size, :size].reshape(D, -1).T.copy(), "recog/weights")
        flat = helper.make_node("Reshape", ["crops", "one row"], ["recog/flat"])
        nodes = [
            flat if fixed else helper.make_node("Flatten", ["crops"], ["recog/flat"], axis=1),
            helper.make_node("MatMul", ["recog/flat", "recog/weights"], ["sums"]),
        ]
        if mix:
            nodes.append(helper.make_node("CumSum", ["sums", "zero"], ["embeddings"]))
        elif finds:
            nodes += [
                helper.make_node("Greater", ["sums", "limit"], ["bright"]),
                helper.make_node("NonZero", ["bright"], ["places"]),
                helper.make_node("Transpose", ["places"], ["rows"]),
                helper.make_node("Cast", ["rows"], ["embeddings"], to=TensorProto.FLOAT),
            ]
        else:
            nodes.append(helper.make_node("Identity", ["sums"], ["embeddings"]))
        constants = [
            numpy_helper.from_array(np.array(0), "zero"),
            numpy_helper.from_array(np.array([1, -1]), "one row"),
            numpy_helper.from_array(np.array(0.0, np.float32), "limit"),
        ]
        said = size if sides is None else sides
        taken = helper.make_tensor_value_info("crops", TensorProto.FLOAT, [batch, 3, said, said])
        given = [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [batch, D])]
        given += [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [batch, D])] * (outputs - 1)
        graph = helper.make_graph(nodes, "planes", [taken], given, [weights, *constants])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
        path = tmp_path / "backbone.onnx"
        onnx.save(model, str(path))
        return path

    return make
