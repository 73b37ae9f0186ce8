"""What an int8 graph of a detector loses in precision and wins in time; and which shape of input is fastest.

All graphs are exported from the same trained weights, as `recog detector export` does. Precision is measured
on the test fifths; time, with one thread and with all, on whole calls of a 640 x 360 frame at --size.

    uv run python benchmarks/detector_graphs.py --weights best.pt --data dataset.yaml --wild ilc448
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from pipeline.detection.evaluation.evaluate import Detector, compare, held_out, read_image
from pipeline.detection.evaluation.timing import in_rounds, ratio
from pipeline.detection.training.export import export, input_shape
from pipeline.detection.yolo import YoloDetector
from pipeline.drawing.sheet import letterbox as fit
from pipeline.outputs.places import output_folder
from siamese.provenance import commit, machine, versions
from siamese.shipped import sha256


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True, help="trained weights (.pt)")
    parser.add_argument("--data", type=Path, required=True, help="dataset.yaml of `recog detector prepare`")
    parser.add_argument("--wild", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--size", type=int, default=320, help="long side of the input, pixels")
    parser.add_argument("--photos", type=int, help="only so many photographs of each test fifth")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the timing")
    parser.add_argument("--out", type=output_folder, default="runs/detector-graphs")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    size, weights = arguments.size, arguments.weights
    graphs = {}
    for shape in ("dynamic", "wide", "square"):
        for kind, scales in (("float32", None), ("int8", (arguments.data, size))):
            out = arguments.out / f"{weights.stem}-{shape}-{kind}.onnx"
            graphs[f"{kind}, {shape}"] = export([weights], out, {}, input_shape(shape, size), scales)

    def maker(path: Path, confidence: float, threads: int = 0) -> Callable[[], Detector]:
        return partial(YoloDetector, path, size, confidence, max_faces=1000, threads=threads)

    precisions = {}
    photos = {folder.name: held_out([folder])[: arguments.photos] for folder in arguments.wild}
    for name, of in photos.items():
        free = {name: path for name, path in graphs.items() if name.endswith("dynamic")}
        reports = compare({graph: maker(path, 0.01) for graph, path in free.items()}, of)
        precisions[name] = {
            graph: {"ap50": r.ap50, "interval": r.ap50_interval} for graph, r in reports.items()
        }

    frame = fit(read_image(next(iter(photos.values()))[0].path), (640, 360))
    times = {}
    for threads in (0, 1):
        made = {graph: maker(path, 0.4, threads) for graph, path in graphs.items()}
        rounds = in_rounds(made, frame, arguments.rounds)
        times["one thread" if threads else "all threads"] = {
            graph: of.as_dict() | {"times float32": ratio(of, rounds["float32, dynamic"])}
            for graph, of in rounds.items()
        }
    results = {
        "weights": {"file": weights.name, "sha256": sha256(weights)},
        "size": size,
        "photographs": {name: len(of) for name, of in photos.items()},
        "average precision": precisions,
        "milliseconds of a call": times,
        "bytes": {graph: path.stat().st_size for graph, path in graphs.items()},
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }
    (arguments.out / f"detector-graphs-{weights.stem}.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
