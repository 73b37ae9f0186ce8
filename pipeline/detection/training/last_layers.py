"""The last layers for landmarks and for boxes, fitted again in an exported graph by weighted least squares.

The end of a training leaves landmarks with offsets of a few hundredths of the distance of the eyes, and
rounding to integers adds others. Boxes come out too large: where ultralytics rolls an image it takes the box
around the rolled box for a label, which is a quarter larger at 7 degrees. These layers are linear: what they
should be, given the layers below as they are in the graph, can be computed.

Each image is shown twice, once of the two rolled. Of upright heads alone the layer learns to draw the eyes'
line towards level: of a head rolled by 20 degrees it showed 10, where the training's own had shown 15
(docs/experiments.md).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.detection.training.dataset import training_images
from pipeline.detection.training.prepare import FACE_CLASS
from pipeline.detection.training.rolled_boxes import of_ellipses
from pipeline.detection.yolo import GREY, STRIDE, letterbox
from pipeline.errors import DetectorError
from pipeline.faces.boxes import iou
from pipeline.progress import Progress, silent
from pipeline.sources.images import read_plain
from pipeline.types import Floats, Image
from siamese.session import session_of

STRIDES = (8, 16, STRIDE)
SIZES = (256, 320, 384, 448, 512, 640)  # long sides the images are shown at, pixels: each at two of them
IMAGES = 3000  # at most, spread evenly over the training set
EYES = 5.0  # pixels of the network's input; of faces with less between the eyes, landmarks are guesses
SIDE = 8.0  # pixels likewise; of smaller faces labels are
SCORE, FIT = 0.3, 0.5  # score and IoU from which a place of the grid found a face
ENOUGH = 500  # places from which a layer of some 25 inputs is computed; with fewer it stays as it was
ROLL = 25.0  # degrees, to either side, by which one view of each image is rolled at most
ROUNDS = 15  # of least squares, reweighted towards the mean distance


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a training image, in pixels of the network's input."""

    box: Floats  # (4,) x1 y1 x2 y2
    landmarks: Floats | None  # (5, 2); None where not all are known


@dataclass(frozen=True, slots=True)
class _Sample:
    """What one layer sees where it should find a face."""

    features: Floats  # (channels,)
    target: Floats  # (2 * points,) in strides from the middle of the cell
    weight: float  # one stride in distances of the eyes, or sides of the face


class Landmarks:
    """What the layer of the landmarks should say: five points from the middle of a cell."""

    layer = r"/model\.\d+/cv4_kpts\.(\d)/Conv"
    names = "landmarks"

    @staticmethod
    def rows(count: int) -> list[int]:
        """Of x, y, visible of each landmark those of x and y."""
        return [row for row in range(count) if row % 3 != 2]

    @staticmethod
    def target(face: Face, middle: Floats) -> tuple[Floats, float] | None:
        """The points (5, 2) from `middle` in pixels and what distances are measured by; None of no use."""
        if face.landmarks is None:
            return None
        eyes = float(np.linalg.norm(face.landmarks[0] - face.landmarks[1]))
        return None if eyes < EYES else (face.landmarks - middle, eyes)


class Boxes:
    """What the layer of the boxes should say: how far their edges are from the middle of a cell."""

    layer = r"/model\.\d+/cv2\.(\d)/cv2\.\d\.2/Conv"
    names = "boxes"

    @staticmethod
    def rows(count: int) -> list[int]:
        """All four: left, top, right, bottom."""
        return list(range(count))

    @staticmethod
    def target(face: Face, middle: Floats) -> tuple[Floats, float] | None:
        """The corners (2, 2), outwards from `middle` in pixels, and the side of the face."""
        side = float(np.sqrt(np.prod(face.box[2:] - face.box[:2])))
        return None if side < SIDE else (np.stack([middle - face.box[:2], face.box[2:] - middle]), side)


Kind = type[Landmarks] | type[Boxes]


@dataclass(frozen=True, slots=True)
class _Fit:
    """One kind of layer of three strides, and what it is to learn from."""

    kind: Kind
    layers: list[Any]  # nodes of the graph
    samples: list[list[_Sample]]  # of each stride


def fit(
    graph: Any,
    dataset: Path,
    kinds: Sequence[Kind],
    shape: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> dict[str, list[int]]:
    """Replace the weights of these layers of an `onnx.ModelProto`; return how many places taught each.

    Over the training images the mean distance from the labels is made least: of the five points, in distances
    of the eyes, or of two corners of the box, in sides of the face. Least squares, each time weighted by one
    over the distance before (Weiszfeld, 1937).

    Args:
        graph: of `recog detector export`, in float32 or with integers; changed in place.
        dataset: `dataset.yaml` of `recog detector prepare`, whose training images are shown to it.
        kinds: which layers, each of three strides.
        shape: height and width of its input in pixels; None where it takes any.
        progress: is told how many images were shown.

    Raises:
        DetectorError: it has no such layers, or the images show no face that can teach them.
    """
    fits = [_Fit(kind, _layers(graph, kind), [[], [], []]) for kind in kinds]
    _collect(fits, graph, dataset, shape, progress)
    for each in fits:
        if not any(each.samples):
            raise DetectorError(
                f"{dataset}: in none of its training images the detector finds {each.kind.names} to fit"
            )
    for each in fits:
        _part(graph.graph, {name for layer in each.layers for name in layer.input[1:3]})
        stored = {every.name: every for every in graph.graph.initializer}
        for layer, samples in zip(each.layers, each.samples, strict=True):
            if len(samples) >= ENOUGH:
                weight, bias = (stored[name] for name in layer.input[1:3])
                _replace(each.kind, weight, bias, samples)
    return {each.kind.names: [len(samples) for samples in each.samples] for each in fits}


def _layers(graph: Any, kind: Kind) -> list[Any]:
    """The nodes of the layers of three strides. Raises DetectorError where there are none."""
    layers = {
        int(found[1]): node
        for node in graph.graph.node
        if (found := re.fullmatch(kind.layer, node.name)) and node.op_type == "Conv"
    }
    if sorted(layers) != [0, 1, 2]:
        raise DetectorError(f"{kind.names} cannot be fitted: these weights are not of a YOLO26 for poses")
    return [layers[level] for level in range(3)]


def _part(graph: Any, names: set[str]) -> None:
    """Give each of these weights values of its own: torch exports equal ones once."""
    stored = {each.name: each for each in graph.initializer}
    for node in [each for each in graph.node if each.op_type == "Identity" and each.output[0] in names]:
        graph.initializer.add().CopyFrom(stored[node.input[0]])
        graph.initializer[-1].name = node.output[0]
        graph.node.remove(node)


def faces(label: str, shape: tuple[int, ...], affine: Any) -> Iterator[Face]:
    """The sure faces of a label file, as an affine map takes them from the image.

    A face is taken for an ellipse that fills its box: the box of a rolled one is the box of what it becomes.

    Args:
        label: lines `class cx cy w h` and five `x y visible`, as shares of an image of `shape`.
        affine: (2, 3), from pixels of the image.
    """
    size, linear, offset = np.array([shape[1], shape[0]]), affine[:, :2], affine[:, 2]
    for line in label.splitlines():
        kind, *rest = line.split()
        if int(kind) != FACE_CLASS:
            continue
        values = np.array(rest, np.float64)
        middle, half = values[:2] * size, values[2:4] * size / 2
        box = of_ellipses(np.concatenate([middle - half, middle + half])[None], affine)[0].astype(np.float32)
        points = values[4:].reshape(5, 3)
        landmarks = (points[:, :2] * size @ linear.T + offset).astype(np.float32)
        yield Face(box, landmarks if points[:, 2].all() else None)


def rolled(image: Image, degrees: float) -> tuple[Image, Any]:
    """An image rolled clockwise about its middle, at its own size, and the affine map (2, 3) of it."""
    height, width = image.shape[:2]
    # OpenCV counts from the middle of the first pixel, labels from its edge.
    counted = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1)
    turned = cv2.warpAffine(image, counted, (width, height), borderValue=(GREY, GREY, GREY))
    return np.asarray(turned, np.uint8), cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)


def _collect(
    fits: Sequence[_Fit], graph: Any, dataset: Path, shape: tuple[int, int] | None, progress: Progress
) -> None:
    """Show the training images to the graph, and add to each fit what its layers see of their faces."""
    import onnx

    probe = copy.deepcopy(graph)
    inputs = [layer.input[0] for each in fits for layer in each.layers]
    for name in dict.fromkeys(inputs):
        probe.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = session_of(probe.SerializeToString(), "the detector with its features")
    found_in, taken = session.get_outputs()[0].name, session.get_inputs()[0].name
    random = np.random.default_rng(0)
    images = training_images(dataset, IMAGES)
    for number, path in enumerate(images):
        progress("fitting the last layers", number, len(images))
        label = dataset.parent / "labels" / "train" / f"{path.stem}.txt"
        image = read_plain(path)
        if image is None or not label.is_file():
            continue
        for turn, degrees in enumerate((0.0, float(random.uniform(-ROLL, ROLL)))):
            size = SIZES[(number + turn * len(SIZES) // 2) % len(SIZES)]
            shown, roll = rolled(np.asarray(image, np.uint8), degrees) if degrees else (image, np.eye(2, 3))
            planes, scale, left, top = letterbox(shown, size, shape)
            affine = roll * scale[:, None] + np.array([[0, 0, left], [0, 0, top]])
            found = list(faces(label.read_text(), image.shape, affine))
            if found:
                output, *features = session.run([found_in, *inputs], {taken: planes})
                for face in found:
                    places = _finding(face, output[0])
                    for place, each in enumerate(fits):
                        _learn_from(each, face, places, features[3 * place : 3 * place + 3])


def _finding(face: Face, output: Floats) -> list[int]:
    """The places of the grid that found a face: the detector answers with their mean."""
    half, scores = output[2:4] / 2, output[4]
    likely = np.flatnonzero(scores >= SCORE)
    boxes = np.concatenate([output[:2] - half, output[:2] + half])[:, likely].T
    return [int(place) for place in likely[iou(boxes, face.box[None])[:, 0] >= FIT]]


def _learn_from(fit: _Fit, face: Face, places: Sequence[int], features: Sequence[Floats]) -> None:
    """Add what the layers see at the places that found the face."""
    for place in places:
        level, cell = 0, place
        while cell >= (cells := features[level].shape[2] * features[level].shape[3]):
            level, cell = level + 1, cell - cells
        row, column = divmod(cell, features[level].shape[3])
        wanted = fit.kind.target(face, np.array([column + 0.5, row + 0.5], np.float32) * STRIDES[level])
        if wanted is None:
            return
        points, unit = wanted
        target = (points / STRIDES[level]).ravel().astype(np.float32)
        seen = features[level][0, :, row, column].copy()
        fit.samples[level].append(_Sample(seen, target, STRIDES[level] / unit))


def _replace(kind: Kind, weight: Any, bias: Any, samples: Sequence[_Sample]) -> None:
    """Put the best coefficients into the rows of a layer."""
    from onnx import numpy_helper

    weights, offsets = (numpy_helper.to_array(each).copy() for each in (weight, bias))
    rows = kind.rows(len(offsets))
    before = np.column_stack([weights[rows, :, 0, 0], offsets[rows]]).T.astype(np.float64)
    best = least_distance(
        np.array([each.features for each in samples]),
        np.array([each.target for each in samples]),
        np.array([each.weight for each in samples]),
        before,
    )
    weights[rows, :, 0, 0], offsets[rows] = best[:-1].T, best[-1]
    weight.CopyFrom(numpy_helper.from_array(weights, weight.name))
    bias.CopyFrom(numpy_helper.from_array(offsets, bias.name))


def least_distance(features: Floats, targets: Floats, weights: Floats, before: Any) -> Any:
    """Coefficients (channels + 1, 2 * points) that give the least sum of weighted distances of points.

    Args:
        features: (n, channels).
        targets: (n, 2 * points), x and y of each point.
        weights: (n,), by which distances count.
        before: coefficients to begin with, the last row added to all; a trace of them keeps directions in
            which the features do not vary as they were.
    """
    known = np.column_stack([features, np.ones(len(features))]).astype(np.float64)
    current = np.array(before, np.float64)
    for _ in range(ROUNDS):
        distances = np.linalg.norm((known @ current - targets).reshape(len(known), -1, 2), axis=2)
        for point in range(distances.shape[1]):
            # Nearer than two hundredths of the eyes' distance all count alike: labels are no better.
            far = np.maximum(distances[:, point] * weights, 0.02)
            weighted = known * (weights**2 / far)[:, None]
            moments = known.T @ weighted
            trace = 1e-5 * np.trace(moments) / len(moments)
            columns = slice(2 * point, 2 * point + 2)
            wanted = weighted.T @ targets[:, columns] + trace * current[:, columns]
            current[:, columns] = np.linalg.solve(moments + trace * np.eye(len(moments)), wanted)
    return current
