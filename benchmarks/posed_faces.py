"""How detectors do on faces turned to the side, where people and not a detector marked the five points.

    uv run python benchmarks/posed_faces.py --images DIR --points new_testing.txt --yunet yunet.onnx

`--points` is a list as MTFL's: a file below `--images` and ten numbers, the columns of eyes, nose and corners
of the mouth, and then their rows, in pixels of the picture. One face fills each picture, so each gets a
border of a quarter of its side, and becomes 256 pixels large. A detector finds it where its surest box that
holds the nose scores the default confidence. Errors are mean distances of the five points from those of the
people, in distances from the middle of the eyes to that of the mouth, which a turn of the head leaves as it
is; of what scores 0.1, so that the points of a face that is little believed in count as well. How far a head
is turned is guessed from the points (`pipeline.faces.turn.py`). People are those of a set that no detector
of ours was trained on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.config import DetectSettings, Settings
from pipeline.detection.evaluation.evaluate import read_image
from pipeline.detection.files import model_file
from pipeline.detection.training.yunet import YuNet
from pipeline.detectors import detector as made_of
from pipeline.faces.turn import TURNS, turns
from pipeline.outputs.places import output_file
from pipeline.protocols import Detector
from pipeline.types import Floats, Image
from siamese.provenance import commit, machine, versions
from siamese.shipped import sha256

SIDE, BORDER = 256, 0.25
LEAST = 0.1  # score of a face whose points are judged


def marked(line: str) -> tuple[str, Floats]:
    """A file, and its points (5, 2) in pixels."""
    file, *numbers = line.split()
    return file, np.array(numbers, np.float32).reshape(2, 5).T


def framed(image: Image, points: Floats) -> tuple[Image, Floats]:
    """A picture with a border, SIDE pixels long, and the points in it."""
    height, width = image.shape[:2]
    down, across = round(BORDER * height), round(BORDER * width)
    wide = cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_REPLICATE)
    scale = SIDE / max(wide.shape[:2])
    corner = np.array([across, down], np.float32)
    return np.asarray(cv2.resize(wide, None, fx=scale, fy=scale), np.uint8), (points + corner) * scale


def look(detector: Detector, image: Image, points: Floats) -> tuple[float, float]:
    """Score and error of the surest face that holds the nose; 0 and NaN without one."""
    found = detector.detect(image)
    nose = points[2]
    holds = ((found.boxes[:, :2] <= nose) & (found.boxes[:, 2:] >= nose)).all(axis=1)
    if not holds.any():
        return 0.0, float("nan")
    row = np.flatnonzero(holds)[np.argmax(found.scores[holds])]
    span = np.linalg.norm(points[:2].mean(axis=0) - points[3:].mean(axis=0))
    error = np.linalg.norm(found.landmarks[row] - points, axis=1).mean() / span
    return float(found.scores[row]), float(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--detector", type=Path, action="append")
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--out", type=output_file, default="runs/posed-faces.json")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    lines = [marked(line) for line in given.points.read_text().splitlines() if line.strip()]
    faces = [framed(read_image(given.images / file), points) for file, points in lines]
    degrees = turns(np.stack([points for _, points in faces]))
    default = DetectSettings()
    models = {name.stem: model_file(name) for name in given.detector or [Path("face-n"), Path("face-p")]}
    figures: dict[str, Any] = {}
    for size in given.size or [320, default.size, 640]:
        detectors: dict[str, Detector] = {"yunet": YuNet(given.yunet, size, LEAST)}
        for name, file in models.items():
            det = DetectSettings(model=file, size=size, confidence=LEAST)
            detectors[name] = made_of(Settings(det=det))
        for name, detector in detectors.items():
            seen = np.array([look(detector, image, points) for image, points in faces])
            rows = {turn: (degrees >= low) & (degrees < high) for turn, (low, high) in TURNS.items()}
            figures[f"{name} {size}"] = {
                turn: {
                    "faces": int(row.sum()),
                    "found": round(float((seen[row, 0] >= default.confidence).mean()), 4),
                    f"found at {LEAST}": round(float((seen[row, 0] >= LEAST).mean()), 4),
                    "median_error": round(float(np.nanmedian(seen[row, 1])), 4),
                }
                for turn, row in rows.items()
                if row.any()
            }
            print(name, size, figures[f"{name} {size}"], flush=True)
    results = {
        "figures": figures,
        "confidence": default.confidence,
        "models": {name: sha256(file) for name, file in [*models.items(), ("yunet", given.yunet)]},
        "commit": commit(), "versions": versions(), "machine": machine(),
    }  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
