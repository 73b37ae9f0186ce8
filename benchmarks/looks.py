"""What several looks at one face are worth, and whether strangers gain by them too.

Strangers and enrolled people are of those of LFW on whom the model is reported. A probe is one look, or
several pooled as the looks of a track are: other photographs of the person, taken in other years and light,
or one photograph distorted as frames of a video differ (landmarks, size, light, noise). A track's looks lie
between.
Each probe is judged as a track is: nearest people, log-likelihood ratios, posterior, target. Given are the
share of strangers who get a name, over all draws, and of the enrolled who get their own.

    uv run python benchmarks/looks.py --root data/lfw --out benchmarks/results/looks.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from lfw_people import Reported, reported_people

from gallery.calibration import to_people
from gallery.pooled import pool
from pipeline.config import EvidenceSettings
from pipeline.identity.evidence import posterior
from pipeline.identity.judge import NEAREST
from pipeline.outputs.places import output_file
from siamese.provenance import commit, versions
from siamese.runtime import DEFAULT, Embedder

PEOPLE, PHOTOS = (4, 100, 1000), (1, 3)
LOOKS = {"other photographs": (1, 3, 5), "one photograph distorted": (1, 3, 10)}
EYES = 35.2  # pixels between the eyes of a crop


def distorted(crop: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """As the same face might look in another frame of a video: other landmarks, size and light."""
    turn, zoom = dice.normal(0, 0.03), 1 + dice.normal(0, 0.03)
    moved = np.array(
        [[zoom * np.cos(turn), -zoom * np.sin(turn), 0], [zoom * np.sin(turn), zoom * np.cos(turn), 0]]
    )
    moved[:, 2] = 56 - moved[:, :2] @ [56, 56] + dice.normal(0, 0.03 * EYES, 2)
    side = round(112 * dice.uniform(0.35, 1))
    image = cv2.warpAffine(crop, moved, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    lit = image.astype(np.float32) * dice.uniform(0.7, 1.3) + dice.normal(0, 3, image.shape)
    return cv2.resize(np.clip(lit, 0, 255).astype(np.uint8), (112, 112), interpolation=cv2.INTER_LINEAR)


def probes(data: Reported, frames: np.ndarray, rows: list[np.ndarray], kind: str, looks: int) -> np.ndarray:
    """Pooled embeddings (n, d): of the first `looks` of each of `rows`, or of as many frames of its first."""
    if kind == "other photographs":
        return np.stack([pool(data.embeddings[each[:looks]]) for each in rows])
    return np.stack([pool(frames[each[0], :looks]) for each in rows])


def named(distances: np.ndarray, calibration: Any, people: int) -> np.ndarray:
    """The person that each probe is given the name of, or -1, after its distances (n, people)."""
    nearest = np.argsort(distances, axis=1)[:, :NEAREST]
    ratios = calibration.of_people(np.take_along_axis(distances, nearest, axis=1))
    chances, _ = posterior(ratios, people)
    sure = chances[:, 0] >= 1 - EvidenceSettings().target_fpir
    return np.where(sure, nearest[:, 0], -1)


def trial(
    data: Reported,
    frames: np.ndarray,
    calibration: Any,
    people: int,
    photos: int,
    kind: str,
    looks: int,
    seed: int,
) -> tuple[int, int, int, int]:
    """Strangers named, strangers, enrolled people rightly named, enrolled people who were probes."""
    random = np.random.default_rng([seed, people, photos])
    rows = {person: random.permutation(data.photos(person)) for person in random.permutation(data.count)}
    used = looks if kind == "other photographs" else 1
    # Half of those with photographs to spare at most: the strangers shall not all be people with few.
    many = [person for person, each in rows.items() if len(each) >= photos + max(LOOKS["other photographs"])]
    known = many[: min(people, len(many) // 2)]
    enrolled = known + [person for person in rows if person not in many][: people - len(known)]
    strangers = [each for person, each in rows.items() if person not in set(enrolled) and len(each) >= used]
    templates = [rows[person][:photos] for person in enrolled]
    owners = np.concatenate([np.full(len(each), place, np.int64) for place, each in enumerate(templates)])
    gallery = data.embeddings[np.concatenate(templates)]

    def judged(given: list[np.ndarray]) -> np.ndarray:
        distances = to_people(probes(data, frames, given, kind, looks), gallery, owners, len(enrolled))
        return named(distances, calibration, len(enrolled))

    right = judged([rows[person][photos:] for person in known]) == np.arange(len(known))
    return int((judged(strangers) >= 0).sum()), len(strangers), int(right.sum()), len(known)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of LFW and its aligned crops")
    parser.add_argument("--model", type=Path, default=DEFAULT)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--out", type=output_file, default="runs/looks.json")
    arguments = parser.parse_args()
    embedder = Embedder(arguments.model)
    data = reported_people(embedder, arguments.root)
    dice, most = np.random.default_rng(0), max(LOOKS["one photograph distorted"])
    frames = np.stack(
        [embedder.embed(np.stack([distorted(c, dice) for _ in range(most)])) for c in data.crops]
    )
    results = []
    for people in PEOPLE:
        for photos in PHOTOS:
            for kind, counts in LOOKS.items():
                for looks in counts:
                    drawn = np.array([
                        trial(data, frames, embedder.calibration, people, photos, kind, looks, seed)
                        for seed in range(arguments.draws)
                    ])  # fmt: skip
                    shares = drawn[:, 0] / drawn[:, 1]
                    row = {
                        "people": people, "photos": photos, "looks": looks, "of": kind,
                        "FPIR": round(float(shares.mean()), 5),
                        "FPIR, greatest of all draws": round(float(shares.max()), 5),
                        "named": round(float(drawn[:, 2].sum() / drawn[:, 3].sum()), 4),
                        "strangers": int(drawn[0, 1]), "enrolled probes": int(drawn[0, 3]),
                    }  # fmt: skip
                    results.append(row)
                    print(json.dumps(row), flush=True)
    result = {
        "target": EvidenceSettings().target_fpir, "draws": arguments.draws, "embedder": embedder.digest,
        "held out": data.hold_out, "people": data.count, "alignment": data.alignment,
        "commit": commit(), "versions": versions(), "results": results,
    }  # fmt: skip
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
