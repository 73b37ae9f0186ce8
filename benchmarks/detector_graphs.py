"""What an int8 graph of a detector loses in precision and wins in time; and which shape of input is fastest.

Quantised statically by onnxruntime, convolutions only: one scale for coordinates and scores together, as the
last layers would get, leaves nothing of the scores. Calibrated on images of the training split, measured on
the test fifths and, for time, on whole calls of a 640 x 360 frame at --size.

    uv run python benchmarks/detector_graphs.py --model face-n --train data/detector --wild ilc448

With `--weights best.pt`, of which graphs of each shape are exported, shapes are compared as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from pipeline.detector.evaluate import Detector, compare, held_out, read_image
from pipeline.detector.shipped import model_file
from pipeline.detector.timing import in_rounds, ratio
from pipeline.detector.train import export, input_shape
from pipeline.detector.yolo import YoloDetector, letterbox
from pipeline.sheet import letterbox as fit
from siamese.provenance import commit, machine, versions
from siamese.shipped import sha256


class Letterboxed(CalibrationDataReader):  # type: ignore[misc]
    """Training images as the network sees them."""

    def __init__(self, images: list[Path], size: int) -> None:
        self._planes: Iterator[Any] = (letterbox(read_image(path), size, (size, size))[0] for path in images)

    def get_next(self) -> dict[str, Any] | None:
        planes = next(self._planes, None)
        return None if planes is None else {"images": planes}


def quantise(model: Path, out: Path, images: list[Path], size: int) -> Path:
    """Write an int8 graph of `model`, with the description it has."""
    quantize_static(
        str(model), str(out), Letterboxed(images, size), quant_format=QuantFormat.QDQ, per_channel=True,
        op_types_to_quantize=["Conv"], activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    graph = onnx.load(str(out))
    described = {entry.key: entry.value for entry in onnx.load(str(model)).metadata_props}
    onnx.helper.set_model_props(graph, described)
    onnx.save(graph, str(out))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("face-n"), help="face-n, face-p or an .onnx")
    parser.add_argument("--train", type=Path, required=True, help="folder of `recog detector prepare`")
    parser.add_argument("--wild", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--weights", type=Path, help="trained weights (.pt), to compare shapes of the input")
    parser.add_argument("--size", type=int, default=320, help="long side of the input, pixels")
    parser.add_argument("--images", type=int, default=200, help="how many images to calibrate on")
    parser.add_argument("--photos", type=int, help="only so many photographs of each test fifth")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the timing")
    parser.add_argument("--out", type=Path, default=Path("runs/detector-graphs"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    size = arguments.size

    every = sorted((arguments.train / "images" / "train").iterdir())
    chosen = [every[int(place)] for place in np.linspace(0, len(every) - 1, arguments.images)]
    model = model_file(arguments.model)
    graphs = {
        "float32": model,
        "int8": quantise(model, arguments.out / f"{model.stem}-int8.onnx", chosen, size),
    }

    def maker(path: Path, confidence: float) -> Callable[[], Detector]:
        return partial(YoloDetector, path, size, confidence, max_faces=1000)

    precisions = {}
    photos = {folder.name: held_out([folder])[: arguments.photos] for folder in arguments.wild}
    for name, of in photos.items():
        reports = compare({graph: maker(path, 0.01) for graph, path in graphs.items()}, of)
        precisions[name] = {
            graph: {"ap50": r.ap50, "interval": r.ap50_interval} for graph, r in reports.items()
        }

    if arguments.weights is not None:
        for shape in ("dynamic", "wide", "square"):
            out = arguments.out / f"{arguments.weights.stem}-{shape}.onnx"
            graphs[f"weights, {shape}"] = export(arguments.weights, out, {}, input_shape(shape, size))
    frame = fit(read_image(next(iter(photos.values()))[0].path), (640, 360))
    times = in_rounds({graph: maker(path, 0.4) for graph, path in graphs.items()}, frame, arguments.rounds)
    results = {
        "model": {"file": model.name, "sha256": sha256(model)},
        "size": size,
        "calibration images": len(chosen),
        "photographs": {name: len(of) for name, of in photos.items()},
        "average precision": precisions,
        "milliseconds of a call": {
            graph: of.as_dict() | {"times float32": ratio(of, times["float32"])}
            for graph, of in times.items()
        },
        "bytes": {graph: path.stat().st_size for graph, path in graphs.items()},
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }
    (arguments.out / f"detector-graphs-{model.stem}.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
