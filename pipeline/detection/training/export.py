"""A trained face detector as one ONNX file."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detection.training.dataset import training_images
from pipeline.detection.training.last_layers import Boxes, Kind, Landmarks, fit
from pipeline.detection.training.ultralytics import quiet_ultralytics, read, unusable
from pipeline.detection.training.whole import whole
from pipeline.detection.yolo import STRIDE, letterbox
from pipeline.errors import ConfigError, DetectorError
from pipeline.paths import expanded
from pipeline.progress import Progress, silent
from pipeline.sources.images import read_plain
from pipeline.types import Floats
from siamese.shipped import sha256

SCALE_IMAGES = 200  # by which the scales of an int8 graph are set


def input_shape(shape: str, size: int) -> tuple[int, int] | None:
    """Height and width of a graph's input; None for any.

    Args:
        shape: `dynamic`, `square`, or `wide` for 16:9.
        size: long side in pixels.

    Raises:
        ConfigError: the size is no multiple of the network's stride.
    """
    if shape == "dynamic":
        return None
    if size < STRIDE or size % STRIDE:
        raise ConfigError(f"--size {size}: not a multiple of {STRIDE}")
    return (size, size) if shape == "square" else (math.ceil(size * 9 / 16 / STRIDE) * STRIDE, size)


def export(
    weights: Sequence[Path],
    out: Path,
    metadata: dict[str, str],
    shape: tuple[int, int] | None = None,
    int8: tuple[Path, int] | None = None,
    landmarks: Path | None = None,
    boxes: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Write `weights` as an ONNX graph; `metadata` goes into the file.

    Args:
        weights: of one network; of several, which must have the same beginning, the mean is taken.
        shape: height and width of its input in pixels; None for a graph that takes any.
        int8: the data set (`dataset.yaml`) whose training images set the scales of a graph in eight-bit
            integers, and their long side in pixels; None for float32.
        landmarks: the data set on whose training images the layer of the landmarks is fitted again; None to
            leave it as it was trained.
        boxes: the same for the layer of the boxes.
        progress: is told how far it is where images are looked at.

    Raises:
        DetectorError: the weights are missing or are not an ultralytics model, the data set is missing, or
            `out` cannot be written.
    """
    for each in weights:
        if not each.is_file():
            raise DetectorError(f"{each}: no such weights; train them with: recog detector train")
    if not out.parent.is_dir():
        raise DetectorError(f"{out}: cannot be written, there is no folder {out.parent}")
    for dataset in filter(None, (int8 and int8[0], landmarks, boxes)):
        if not dataset.is_file():
            raise DetectorError(f"{dataset}: no such file; make it with: recog detector prepare")
    with tempfile.TemporaryDirectory() as scratch:
        quiet_ultralytics(Path(scratch) / "ultralytics")
        import onnx
        import torch

        # Ultralytics writes beside the weights; what else it leaves there goes with the folder.
        copy = shutil.copyfile(weights[0], Path(scratch) / "detector.pt")
        model = read(copy, weights[0])
        if len(weights) > 1:
            # Weights that began with an exported graph share scale out between a convolution and its
            # normalisation in another way than those before it: only what is fused can be averaged.
            model.model.float().fuse(verbose=False)
        for number, each in enumerate(weights[1:], 1):
            _blend(model.model, read(each).model.float().fuse(verbose=False), 1 / (number + 1), each)
        size = {"dynamic": True} if shape is None else {"imgsz": shape}
        with warnings.catch_warnings():  # torch warns of every branch that a fixed shape decides
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            try:
                written = model.export(format="onnx", simplify=False, opset=17, **size)
            except Exception as error:  # whatever an architecture of somebody else's raises
                raise unusable(weights[0], "export", error) from error
        graph: Any = onnx.load(str(written))
        if int8 is not None:
            graph = in_integers(Path(written), *int8, shape, progress)
        _fit(graph, shape, landmarks, boxes, progress)
        described = {entry.key: entry.value for entry in graph.metadata_props}
        described.pop("description", None)  # it names the path of the training data on this machine
        onnx.helper.set_model_props(graph, described | metadata)
        onnx.save(graph, str(written))
        _put(Path(written), out)
    return out


def fit_again(
    graph: Path,
    out: Path,
    landmarks: Path | None = None,
    boxes: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Write an exported graph with its last layers fitted anew; which faces it finds stays the same.

    Args:
        graph: written by `export`, in float32 or with integers.
        landmarks: the data set on whose training images the layer of the landmarks is fitted; None leaves it.
        boxes: the same for the layer of the boxes.
        progress: is told how far it is.

    Raises:
        DetectorError: the graph or a data set is missing or cannot be used, or `out` cannot be written.
    """
    if not graph.is_file():
        raise DetectorError(f"{graph}: no such graph")
    for dataset in filter(None, (landmarks, boxes)):
        if not dataset.is_file():
            raise DetectorError(f"{dataset}: no such file; make it with: recog detector prepare")
    import onnx

    try:
        model: Any = onnx.load(str(graph))
        height, width = (each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim[2:])
    except Exception as error:  # whatever parsing a foreign file raises
        raise DetectorError(f"{graph}: cannot be read as a detector in ONNX") from error
    _fit(model, (height, width) if height and width else None, landmarks, boxes, progress)
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "detector.onnx"
        onnx.save(model, str(written))
        _put(written, out)
    return out


def _fit(
    graph: Any, shape: tuple[int, int] | None, landmarks: Path | None, boxes: Path | None, progress: Progress
) -> None:
    wanted: list[tuple[Kind, Path | None]] = [(Landmarks, landmarks), (Boxes, boxes)]
    for dataset in dict.fromkeys(filter(None, (landmarks, boxes))):  # one look at each for all its layers
        fit(graph, dataset, [kind for kind, of in wanted if of == dataset], shape, progress)


def _put(written: Path, out: Path) -> None:
    """Copy a file to its place, where it is whole from the first moment on. Raises DetectorError."""
    with whole(out) as part:
        shutil.copyfile(written, part)


def _blend(network: Any, other: Any, share: float, weights: Path) -> None:
    """Move every weight and statistic of `network` a share of the way to that of `other`.

    Networks trained on from one beginning lie in one valley, whose middle is often lower than either
    (Wortsman et al., "Model soups", ICML 2022).
    """
    mine, others = network.state_dict(), other.state_dict()
    if {key: each.shape for key, each in mine.items()} != {key: each.shape for key, each in others.items()}:
        raise DetectorError(f"{weights}: of another architecture than the weights before it")
    for key, each in mine.items():
        if each.is_floating_point():
            each.lerp_(others[key].to(each.dtype), share)


def in_integers(
    graph: Path, dataset: Path, size: int, shape: tuple[int, int] | None, progress: Progress = silent
) -> Any:
    """The graph that ultralytics wrote as an `onnx.ModelProto` in eight-bit integers.

    The last convolutions, and what turns their outputs into boxes, stay in float32: coordinates of hundreds
    of pixels and scores of thousandths do not share one scale. So does the first layer, which has three
    channels to work on and is no faster in integers, but loses precision that no later layer gets back.
    """
    from siamese.training.quantise import quantised

    images = [read_plain(path) for path in training_images(dataset, SCALE_IMAGES)]
    shown = [np.asarray(image, np.uint8) for image in images if image is not None]

    def planes() -> Iterator[dict[str, Floats]]:
        for number, image in enumerate(shown):
            progress("finding the scales of integers", number, len(shown))
            yield {"images": letterbox(image, size, shape)[0]}

    kept = re.compile(rf"/model\.0/.*|/model\.{_last_layer(graph)}/.*(?<!/conv/Conv)(?<!/act/Relu)")
    return quantised(graph, planes(), lambda name: bool(kept.fullmatch(name)))


def _last_layer(graph: Path) -> int:
    """The number of the layer that makes boxes, as ultralytics counts them."""
    import onnx

    nodes = onnx.load(str(graph)).graph.node
    return max(int(found[1]) for node in nodes if (found := re.match(r"/model\.(\d+)/", node.name)))


CACHE = Path("~/.cache/recog/detectors")


def as_onnx(weights: Path, cache: Path | None = None) -> Path:
    """The ONNX graph of these weights, exported on first use.

    Opening a `.pt` can run code from it: know where it comes from.

    Raises:
        DetectorError: no such file, ultralytics is not installed, or it cannot read them.
    """
    if not weights.is_file():
        raise DetectorError(f"{weights}: no such weights")
    folder = expanded(cache or CACHE)
    exported = folder / f"{sha256(weights)[:16]}.onnx"
    seal = exported.with_suffix(".sha256")  # written last: a file without it may be half a file
    if exported.is_file() and seal.is_file() and seal.read_text().strip() == sha256(exported):
        return exported
    if importlib.util.find_spec("ultralytics") is None:
        raise DetectorError(
            f"{weights}: .pt weights need ultralytics (install recog[train]); or give an .onnx of them"
        )
    folder.mkdir(parents=True, exist_ok=True)
    export([weights], exported, {})
    seal.write_text(f"{sha256(exported)}\n")
    return exported
