"""Photographs turned by quarters: how many faces are found, which way up they are taken, and what it costs.

    python benchmarks/turned.py --root data/lfw --out benchmarks/results/turned.json

Looks at the first photograph of people of LFW's View 1 test half, and none of them took part in choosing the
limits of `pipeline.faces.upright` (they were chosen on 700 people of the training half).
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import cv2
import numpy as np

from pipeline import detectors
from pipeline.build import QUICK
from pipeline.config import Settings
from pipeline.outputs.places import output_file
from pipeline.recognition.bench import environment
from pipeline.types import Detections, Image

DOWN = {0: (0, 1), 90: (1, 0), 180: (0, -1), 270: (-1, 0)}  # from the eyes to the mouth, after turning


class Counting:
    """Counts the looks of another detector."""

    def __init__(self, size: int) -> None:
        settings = Settings()
        det = settings.det.model_copy(update={"size": size})
        self.turning = detectors.of_photographs(settings.model_copy(update={"det": det}))
        self._inner, self.turning._detector, self.looks = self.turning._detector, self, 0
        self.digest = self._inner.digest

    def detect(self, image: Image) -> Detections:
        self.looks += 1
        return self._inner.detect(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of LFW")
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=output_file, default="runs/turned.json")
    wanted = parser.parse_args()
    names = [line.split()[0] for line in (wanted.root / "peopleDevTest.txt").read_text().splitlines()[1:]]
    chosen = random.Random(wanted.seed).sample(names, wanted.people)
    rows = []
    for size in (Settings().det.size, QUICK):
        detector = Counting(size)
        for degrees, down in DOWN.items():
            detector.looks = 0
            count = dict.fromkeys(("found", "right", "doubtful", "wrong"), 0)
            for name in chosen:
                image = cv2.imread(str(wanted.root / "lfw-deepfunneled" / name / f"{name}_0001.jpg"))
                turned = np.ascontiguousarray(np.rot90(image, degrees // 90))
                found = detector.turning.detect(turned)
                if not len(found):
                    continue
                count["found"] += 1
                best = int(found.scores.argmax())
                points = found.landmarks[best]
                face = points[3:].mean(axis=0) - points[:2].mean(axis=0)
                right = float(face @ np.array(down)) > 0.7 * float(np.linalg.norm(face))
                doubtful = bool(found.unsure()[best])
                count["doubtful" if doubtful else "right" if right else "wrong"] += 1
            looks = round(detector.looks / len(chosen), 2)
            rows.append({"size": size, "degrees": degrees, "photos": len(chosen), **count, "looks": looks})
            print(rows[-1], flush=True)
    result = {
        "command": vars(wanted) | {"root": None, "out": None},
        "environment": environment(),
        "turned": rows,
    }
    wanted.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
