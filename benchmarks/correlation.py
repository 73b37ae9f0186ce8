"""How much looks at one stranger repeat each other: where `evidence.correlation` comes from.

A look's score against an enrolled photograph is its L1 distance, less the mean of all. For pairs of a
stranger and an enrolled person, the scores of two looks at the stranger are correlated; evidence rests on how
much. Two kinds of looks stand on either side of a track's: other photographs of the stranger, taken in other
years and light, and one photograph distorted (landmarks, size, brightness), where only the camera differs.
Given are Pearson's correlation over all pairs and, because names are lost in the tail, the share of the first
look's distance from the mean that the second look keeps, for the closest thousandth of first looks.

The people are View 1's test people of LFW, whom our networks never saw.

    uv run python benchmarks/correlation.py --lfw LFW --out runs/correlation.json
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline import align, build
from pipeline.config import load
from pipeline.photos import read_photo
from siamese.lfw import read_people

LOOKS = 3


def face_of(path: Path, detector: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The photograph with the box and landmarks of its most central face."""
    image = read_photo(path)
    found = detector.detect(image)
    if not len(found):
        return None
    middles = found.boxes.reshape(-1, 2, 2).mean(axis=1)
    best = int(np.argmin(((middles - np.array(image.shape[1::-1]) / 2) ** 2).sum(axis=1)))
    return image, found.boxes[best], found.landmarks[best]


def distorted(image: np.ndarray, landmarks: np.ndarray, dice: np.random.Generator) -> tuple[Any, Any]:
    """As the same face might look in another frame of a video: other landmarks, size and light."""
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    moved = landmarks + dice.normal(0, 0.03 * eyes, landmarks.shape)
    scale = dice.uniform(0.35, 1)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    lit = small.astype(np.float32) * dice.uniform(0.7, 1.3) + dice.normal(0, 3, small.shape)
    return np.clip(lit, 0, 255).astype(np.uint8), (moved * scale).astype(np.float32)


def embedded(faces: list[tuple[Any, Any]], embedder: Any) -> np.ndarray:
    """Embeddings of faces given as image and landmarks."""
    crops = [
        align.crop(image, np.array([[0, 0, 1, 1]], np.float32), points[None])[0] for image, points in faces
    ]
    return np.asarray(embedder.embed(np.stack(crops)))


def distances(looks: np.ndarray, enrolled: np.ndarray) -> np.ndarray:
    """L1 distances (s, k, n) of looks (s, k, d) to enrolled photographs (n, d)."""
    return np.stack([np.abs(each[:, None] - enrolled[None]).sum(axis=2) for each in looks])


def agreement(scores: np.ndarray) -> dict[str, float]:
    """How scores (s, k, n) of the k looks agree."""
    z = (scores.mean() - scores) / scores.std()  # greater is closer
    pairs = [(i, j) for i in range(z.shape[1]) for j in range(z.shape[1]) if i != j]
    correlation = np.mean([np.corrcoef(z[:, i].ravel(), z[:, j].ravel())[0, 1] for i, j in pairs])
    first = np.concatenate([z[:, i].ravel() for i, _ in pairs])
    second = np.concatenate([z[:, j].ravel() for _, j in pairs])
    tail = first >= np.quantile(first, 0.999)
    return {
        "correlation": round(float(correlation), 3),
        "kept in the closest thousandth": round(float(second[tail].mean() / first[tail].mean()), 3),
        "pairs": int(scores.shape[0] * scores.shape[2]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path, required=True, help="folder of lfw-deepfunneled/ and its lists")
    parser.add_argument("--strangers", type=int, default=200)
    parser.add_argument("--enrolled", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("runs/correlation.json"))
    arguments = parser.parse_args()
    settings = load()
    detector, embedder = build.detector(settings), build.embedder(settings)
    people = sorted(read_people(arguments.lfw / "peopleDevTest.txt"))
    many = [person for person in people if person.images >= LOOKS]
    strangers = random.Random(0).sample(many, arguments.strangers)
    rest = sorted(set(people) - set(strangers))
    dice = np.random.default_rng(0)
    folder = arguments.lfw / "lfw-deepfunneled"

    def face(name: str, number: int) -> tuple[Any, Any, Any] | None:
        return face_of(folder / name / f"{name}_{number:04d}.jpg", detector)

    enrolled = [face(each.name, 1) for each in random.Random(1).sample(rest, arguments.enrolled)]
    gallery = embedded([(each[0], each[2]) for each in enrolled if each], embedder)
    photographs, frames = [], []
    for person in strangers:
        faces = [face(person.name, number) for number in range(1, LOOKS + 1)]
        if None in faces:
            continue
        known = [each for each in faces if each is not None]
        photographs.append(embedded([(each[0], each[2]) for each in known], embedder))
        frames.append(embedded([distorted(known[0][0], known[0][2], dice) for _ in range(LOOKS)], embedder))
    result = {
        "embedder": embedder.digest,
        "strangers": len(photographs),
        "enrolled": len(gallery),
        "other photographs": agreement(distances(np.stack(photographs), gallery)),
        "one photograph distorted": agreement(distances(np.stack(frames), gallery)),
    }
    print(json.dumps(result, indent=2))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
