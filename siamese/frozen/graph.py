"""Somebody else's face embedder as one of our models: input, backbone and head in one ONNX graph.

    crops (n, 112, 112, 3) uint8 BGR -> normalised planes -> [with their mirror images] -> the backbone
    -> [length one] -> [mean of both] -> [whitened, length one] -> times the head's weights
    -> embeddings (n, d) float32

Only operators that mean the same in every opset are added, so that the backbone's own opset is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siamese.errors import ModelError
from siamese.frozen.settings import BackboneSettings
from siamese.frozen.verdict import Head

SIZE = 112


def compose(backbone: Path, settings: BackboneSettings, head: Head | None = None) -> Any:
    """The graph as an `onnx.ModelProto`; without a head, embeddings are those before whitening.

    Raises:
        ModelError: not an ONNX file, or not a face embedder of the common kind.
    """
    import onnx
    import onnx.compose
    from onnx import numpy_helper

    try:
        # With a prefix, so that no name of its is one of ours.
        model = onnx.compose.add_prefix(onnx.load(str(backbone)), "backbone/")
    except Exception as error:  # a damaged file can fail anywhere inside protobuf
        raise ModelError(f"{backbone}: not an ONNX model that can be loaded, or damaged") from error
    graph = model.graph
    entrance, leaving = _ends(graph, backbone)
    constants: list[Any] = []

    def constant(name: str, values: npt.NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(values, f"recog/{name}"))
        return f"recog/{name}"

    before, after = _before(settings, entrance, constant), _after(settings, leaving, head, constant)
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:], model.metadata_props[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    crops = onnx.helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["n", SIZE, SIZE, 3])
    embeddings = onnx.helper.make_tensor_value_info("embeddings", onnx.TensorProto.FLOAT, ["n", None])
    graph.input.append(crops)
    # Before version 4 every weight was an input too; those were just taken away.
    model.ir_version = max(model.ir_version, 4)
    graph.output.append(embeddings)
    return model


def _ends(graph: Any, backbone: Path) -> tuple[str, str]:
    """The names of the backbone's input and output.

    Raises:
        ModelError: it has several, or takes no aligned faces.
    """
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]  # old files list weights as inputs
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(
            f"{backbone}: a face embedder has one input and one output, this has "
            f"{len(inputs)} and {len(graph.output)}"
        )
    shape = [dimension.dim_value for dimension in inputs[0].type.tensor_type.shape.dim]
    wanted = (3, SIZE, SIZE)
    # 0 stands for a side of any length; that it can be 112 shows when faces are embedded.
    if len(shape) != 4 or any(side not in (0, fit) for side, fit in zip(shape[1:], wanted, strict=True)):
        told = ", ".join(
            dimension.dim_param or str(dimension.dim_value or "?")
            for dimension in inputs[0].type.tensor_type.shape.dim
        )
        raise ModelError(f"{backbone}: a face embedder takes (n, 3, {SIZE}, {SIZE}), not ({told})")
    if shape[0] == 1:
        _free_rows(graph)
    return inputs[0].name, graph.output[0].name


def _free_rows(graph: Any) -> None:
    """Let a graph that was exported for one face take several: its reshapes keep the rows there are.

    Only shapes that are constants and begin with 1 are changed. Whether that was right for this graph,
    `Backbone` finds out: faces must come out the same together as alone.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            values = [attribute.t for attribute in node.attribute if attribute.name == "value"]
            constants |= dict(zip(node.output, values, strict=False))  # none where it is no tensor
    # A weight that is brought into shape has no rows of faces.
    shapes = {
        node.input[1]
        for node in graph.node
        if node.op_type == "Reshape" and node.input[0] not in constants and node.input[1] in constants
    }
    for name in shapes:
        tensor = constants[name]
        shape = numpy_helper.to_array(tensor)
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            kept = shape.copy()
            kept[0] = 0  # as many as come in
            tensor.CopyFrom(numpy_helper.from_array(kept, tensor.name))


def _before(settings: BackboneSettings, entrance: str, constant: Any) -> list[Any]:
    """From crops to what the backbone takes."""
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Cast", ["crops"], ["recog/float"], to=TensorProto.FLOAT)]
    last = "recog/float"
    if settings.colour == "rgb":
        order = constant("order", np.array([2, 1, 0]))
        nodes.append(helper.make_node("Gather", [last, order], ["recog/colour"], axis=3))
        last = "recog/colour"
    # A number for each plane is in the order of the planes, which are last here.
    mean, scale = (
        constant(name, np.array(value, np.float32))
        for name, value in (("mean", settings.mean), ("scale", settings.scale))
    )
    planes = "recog/planes" if settings.mirror else entrance
    nodes += [
        helper.make_node("Sub", [last, mean], ["recog/centred"]),
        helper.make_node("Div", ["recog/centred", scale], ["recog/scaled"]),
        helper.make_node("Transpose", ["recog/scaled"], [planes], perm=[0, 3, 1, 2]),
    ]
    if settings.mirror:
        backwards = constant("backwards", np.arange(SIZE)[::-1].copy())
        nodes += [
            helper.make_node("Gather", [planes, backwards], ["recog/mirrored"], axis=3),
            helper.make_node("Concat", [planes, "recog/mirrored"], [entrance], axis=0),
        ]
    return nodes


def _after(settings: BackboneSettings, leaving: str, head: Head | None, constant: Any) -> list[Any]:
    """From what the backbone gives to embeddings."""
    from onnx import helper

    nodes = [helper.make_node("Flatten", [leaving], ["recog/flat"], axis=1)]
    last = "recog/flat"
    if settings.unit:
        nodes.append(helper.make_node("LpNormalization", [last], ["recog/unit"], axis=1, p=2))
        last = "recog/unit"
    if settings.mirror:
        # The second half of the rows are the mirror images: (2 n, d) -> (2, n, d) -> their sum.
        nodes.append(helper.make_node("Shape", [last], ["recog/rows"]))
        width = constant("width at", np.array([1]))
        nodes.append(helper.make_node("Gather", ["recog/rows", width], ["recog/width"], axis=0))
        two = constant("two, any", np.array([2, -1]))
        nodes += [
            helper.make_node("Concat", [two, "recog/width"], ["recog/halves"], axis=0),
            helper.make_node("Reshape", [last, "recog/halves"], ["recog/both"]),
        ]
        for number, half in enumerate(("plain", "mirror")):
            at = constant(f"at {half}", np.array(number))
            nodes.append(helper.make_node("Gather", ["recog/both", at], [f"recog/{half}"], axis=0))
        nodes.append(helper.make_node("Add", ["recog/plain", "recog/mirror"], ["recog/sum"]))
        if settings.unit:
            nodes.append(helper.make_node("LpNormalization", ["recog/sum"], ["recog/average"], axis=1, p=2))
        else:
            half_ = constant("half", np.array(0.5, np.float32))
            nodes.append(helper.make_node("Mul", ["recog/sum", half_], ["recog/average"]))
        last = "recog/average"
    if head is None:
        return [*nodes, helper.make_node("Identity", [last], ["embeddings"])]
    if head.whitening is not None:
        whitening = constant("whitening", head.whitening)
        nodes += [
            helper.make_node("MatMul", [last, whitening], ["recog/white"]),
            helper.make_node("LpNormalization", ["recog/white"], ["recog/white unit"], axis=1, p=2),
        ]
        last = "recog/white unit"
    weighed = constant("weights", head.weights)
    return [*nodes, helper.make_node("Mul", [last, weighed], ["embeddings"])]
