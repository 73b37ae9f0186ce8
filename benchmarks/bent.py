"""How near bent prints come to what `recog auth` asks of the pixels around a nose, all else being granted.

Photographs of LFW are bent around cylinders of any axis before the camera of benchmarks/attacks.py,
shown from the front, turned to the left, from the front and turned to the right. In whole attempts most are
refused for something else before (benchmarks/authentication.py); this tells what `relief` does alone.

    uv run python benchmarks/bent.py --lfw DIR --out benchmarks/results/bent.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from attacks import Flat, Sheet
from authentication import sheets_of
from camera import FPS
from films import Bench

from gallery.calibration import upper_bound
from pipeline import detectors
from pipeline.authentication.attempt import SHARE, SHARE_EACH
from pipeline.faces.choose import choose
from pipeline.liveness.challenge import Move
from pipeline.liveness.relief import Turned, crop, together
from pipeline.outputs.places import output_file
from pipeline.protocols import Detector
from siamese.provenance import commit, machine, versions

PLAN = ((None, 0.8), (Move.LEFT, 1.5), (None, 1.2), (Move.RIGHT, 1.5))  # what is asked, and for how long
RADII = 0.7, 2.0  # of the cylinders, distances of the eyes


def shares(
    detector: Detector, sheet: Sheet, random: np.random.Generator, upright: bool
) -> list[float] | None:
    """The share that all turns have together, whichever frame is left out, and the least of one turn; None
    where the nose could not be followed through each."""
    radius = float(random.uniform(*RADII))
    flat = Flat(
        sheet, random, turns=True, bend=radius, axis=0.0 if upright else float(random.uniform(-90, 90))
    )
    front, turned, index = None, list[Turned](), 0
    for asked, seconds in PLAN:
        if asked is not None and front is not None:
            turned.append(Turned(front, asked is Move.LEFT))
        for _ in range(round(seconds * FPS)):
            image = flat.image(index / FPS, asked)
            index += 1
            found = detector.detect(image)
            row, _ = choose(found, image.shape[1], image.shape[0])
            face = None if row is None else crop(image, found.landmarks[row])
            if face is None:
                continue
            if asked is None:
                front = face
            elif turned:
                turned[-1].see(face)
    known = [each for each in (turn.relief() for turn in turned) if each is not None]
    if not known or len(known) < len(turned):
        return None
    return [together(known).share_low, min(each.share for each in known)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path, required=True, help="folder of lfw-deepfunneled/ and its lists")
    parser.add_argument("--development", action="store_true", help="the half by which thresholds are chosen")
    parser.add_argument("--tries", type=int, default=132, help="prints; every third around something upright")
    parser.add_argument("--people", type=int, default=66, help="whose photographs are printed")
    parser.add_argument("--seed", type=int, default=1977)
    parser.add_argument("--out", type=output_file, default="runs/bent.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    bench = Bench()
    detector = detectors.of_authentication(bench.settings)
    sheets = sheets_of(bench, arguments.lfw, arguments.development, arguments.people)
    found = []
    for number in range(arguments.tries):
        random = np.random.default_rng([arguments.seed, number])
        found.append(shares(detector, sheets[number % len(sheets)][0], random, number % 3 == 0))
    followed = [each for each in found if each is not None]
    passed = [
        number
        for number, each in enumerate(found)
        if each is not None and each[0] >= SHARE and each[1] >= SHARE_EACH
    ]
    enough = len(passed)
    told = {
        "half": "development" if arguments.development else "reported",
        "prints": len(found),
        "photographs": len(sheets),
        "followed": len(followed),
        "asked": {"together": SHARE, "in each turn": SHARE_EACH},
        "enough": enough,
        "passed": [
            {"number": number, "photograph": number % len(sheets), "shares": found[number]}
            for number in passed
        ],
        "upper_95": upper_bound(enough, len(found), 0.95),
        "largest": {
            "together": sorted((both for both, _ in followed), reverse=True)[:5],
            "in each turn": sorted((least for _, least in followed), reverse=True)[:5],
        },
        "seed": arguments.seed,
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }
    arguments.out.write_text(json.dumps(told, indent=2) + "\n")
    print(f"{enough} of {len(found)} bent prints have relief; {len(followed)} could be followed")
    print(told["largest"])


if __name__ == "__main__":
    main()
