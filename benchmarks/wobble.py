"""How much boxes and landmarks wobble from frame to frame: the surest of what overlaps, its mean, cascade.

Of a face in three frames after each other (boxes overlap by more than 0.6), the middle one's distance from
the mean of its neighbours: movement that is even over three frames counts for nothing. Of each three the
median over its points is taken, then the median over all threes, scaled so that independent errors of
standard deviation s along x and y give about s, in distances of the eyes.

    uv run python benchmarks/wobble.py friends.mp4 hamilton.mp4 --frames 240
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from pipeline import detectors
from pipeline.config import DetectSettings, Settings
from pipeline.detection.yolo import YoloDetector
from pipeline.faces.boxes import iou
from pipeline.outputs.places import output_file
from pipeline.protocols import Detector
from pipeline.types import Detections
from siamese.provenance import commit, machine, versions
from siamese.shipped import sha256

SAME = 0.6
EYES = 6.0  # pixels between the eyes from which a face counts
# The length of a - 2 b + c over two dimensions has the median sqrt(6) s sqrt(2 ln 2).
SCALE = np.sqrt(6) * np.sqrt(2 * np.log(2))


def wobble(before: Detections, now: Detections, after: Detections) -> list[tuple[float, float]]:
    """Of each face in all three frames, that of its landmarks and that of its box's corners."""
    if not (len(before) and len(now) and len(after)):
        return []
    there, then = iou(now.boxes, before.boxes), iou(now.boxes, after.boxes)
    values = []
    for face in np.flatnonzero((there.max(axis=1) > SAME) & (then.max(axis=1) > SAME)):
        a, c = there[face].argmax(), then[face].argmax()
        eyes = float(np.linalg.norm(now.landmarks[face, 0] - now.landmarks[face, 1]))
        if eyes < EYES:
            continue
        points = before.landmarks[a] - 2 * now.landmarks[face] + after.landmarks[c]
        corners = (before.boxes[a] - 2 * now.boxes[face] + after.boxes[c]).reshape(2, 2)
        both = (np.median(np.linalg.norm(each, axis=1)) for each in (points, corners))
        landmark, corner = (float(each / (SCALE * eyes)) for each in both)
        values.append((landmark, corner))
    return values


def frames(video: Path, count: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(video))
    read = (capture.read() for _ in range(count))
    return [frame for ok, frame in read if ok]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--detector", type=Path, default=Path("face-n"))
    parser.add_argument("--size", type=int, default=480, help="long side of the input, pixels")
    parser.add_argument("--frames", type=int, default=240, help="how many of each, from the beginning")
    parser.add_argument("--out", type=output_file, default="runs/wobble.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = detectors.detector_file(arguments.detector)
    films: dict[str, dict[str, dict[str, float]]] = {}
    for video in arguments.videos:
        seen = frames(video, arguments.frames)
        films[video.name] = {}
        det = DetectSettings(model=model, size=arguments.size)
        kinds: dict[str, Detector] = {
            "surest": YoloDetector(model, det, average=False),
            "mean": YoloDetector(model, det),
            "mean, cascade": detectors.detector(Settings(det=det)),
        }
        for name, detector in kinds.items():
            found = [detector.detect(frame) for frame in seen]
            threes = zip(found, found[1:], found[2:], strict=False)
            values = np.array([value for three in threes for value in wobble(*three)])
            landmarks, boxes = np.median(values, axis=0)
            films[video.name][name] = {
                "threes": len(values),
                "landmarks": float(landmarks),
                "boxes": float(boxes),
            }
    results = {
        "detector": {"file": model.name, "sha256": sha256(model)},
        "size": arguments.size,
        "films": films,
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
