"""What training on one's own pictures is worth beside simply enrolling them.

"You" are people of LFW's folds 9 and 10, whom the shipped network has not seen, one after the other: some
photographs are your own pictures, the others are asked for; everybody else of these folds is a stranger, by
one photograph. Either your own pictures are enrolled with the shipped network; or it is first trained by
`recog train --triplets` on them, half anchors, half positives, with triplets of LFW's other people, and they
are then enrolled with the result. Given is the share of the photographs asked for that come as near as the
nearest of 1 % and of 0.1 % of the strangers, and what became of the pairs of folds 9 and 10.

    uv run python benchmarks/triplets.py --root data/lfw --out benchmarks/results/triplets.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Settings
from pipeline.outputs.places import output_file
from pipeline.training.network import lfw_crops
from pipeline.training.triplets import train_on_triplets
from siamese import metrics
from siamese.crops import CropSet
from siamese.lfw.files import FOLDER, read_pairs
from siamese.lfw.split import split
from siamese.lfw.triplets import make_triplets, own_name
from siamese.provenance import commit, versions
from siamese.runtime import DEFAULT, Embedder
from siamese.training.checkpoint import build, load
from siamese.training.embed import embed

Embed = Callable[[np.ndarray], np.ndarray]
RATES = (0.01, 0.001)  # of strangers
ENROLLED = (1, 3, 1000)  # own pictures; the last: all of them


def fill(data: Path, images: Path, own: list[str], people: list[str], rows: int) -> None:
    """The three folders: triplets of LFW's people, and own pictures by turns anchors and positives."""
    make_triplets(images, data, rows, people=people)
    for number, file in enumerate(own):
        shutil.copyfile(images / file, data / ("anchor", "positive")[number % 2] / own_name())


def recognised(model: Embed, crops: CropSet, own: list[int], asked: list[int], strangers: list[int]) -> Any:
    """Shares of the photographs asked for that are nearer than the nearest strangers of each rate.

    By how many of the own pictures are enrolled: a person is as near as the nearest of them.
    """
    enrolled, probes, others = (model(crops.images[rows]) for rows in (own, asked, strangers))
    shares = {}
    for count in ENROLLED:
        near, far = (
            np.abs(faces[:, None] - enrolled[None, :count]).sum(axis=2).min(axis=1)
            for faces in (probes, others)
        )
        limits = [np.sort(far)[int(rate * len(strangers))] for rate in RATES]
        shares[f"{min(count, len(own))} enrolled"] = [
            round(float((near < limit).mean()), 4) for limit in limits
        ]
    return shares


def accuracy(model: Embed, crops: CropSet, root: Path) -> float:
    """On the pairs of folds 9 and 10, each by the threshold of the other."""
    folds = read_pairs(root / "pairs.txt")[8:10]
    pairs = [(number, pair) for number, fold in enumerate(folds) for pair in fold]
    row_of = {file: row for row, file in enumerate(crops.files)}
    sides = [[row_of[getattr(pair, side)] for _, pair in pairs] for side in ("first", "second")]
    rows, place = np.unique(sides, return_inverse=True)
    first, second = model(crops.images[rows])[place.reshape(2, -1)]
    distances, fold = np.abs(first - second).sum(axis=1), np.array([number for number, _ in pairs])
    same = np.array([pair.same for _, pair in pairs])
    return float(((distances <= metrics.thresholds_of_others(distances, same, fold)) == same).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of LFW and its aligned crops")
    parser.add_argument("--people", type=int, default=3, help="how many are 'you', one after the other")
    parser.add_argument("--own", type=int, default=30, help="own pictures")
    parser.add_argument("--asked", type=int, default=30, help="most photographs to ask for")
    parser.add_argument("--rows", type=int, default=150, help="triplets of LFW's people")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--out", type=output_file, default="runs/triplets.json")
    given = parser.parse_args()
    settings = Settings()
    update = {"epochs": given.epochs, "rate": given.rate}
    settings = settings.model_copy(update={"train": settings.train.model_copy(update=update)})
    crops, people = lfw_crops(given.root, settings), split(given.root, "fold:9,10")
    rows: dict[str, list[int]] = {name: [] for name in people.test}
    for row, name in enumerate(crops.people):
        if name in rows:
            rows[name].append(row)
    chosen = sorted(rows, key=lambda name: -len(rows[name]))[: given.people]
    shipped = Embedder().embed
    results: list[dict[str, Any]] = [{"network": "shipped", "accuracy": accuracy(shipped, crops, given.root)}]
    print(json.dumps(results[0]), flush=True)
    for number, name in enumerate(chosen, 1):
        own, asked = rows[name][: given.own], rows[name][given.own : given.own + given.asked]
        strangers = [theirs[0] for other, theirs in rows.items() if other != name]
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            files = [crops.files[row] for row in own]
            fill(data, given.root / FOLDER, files, people.fit + people.validation, given.rows)
            best, _ = train_on_triplets(
                data, None, given.root, Path(folder) / "run", settings, False, DEFAULT, "cpu", None
            )
            network = build(load(best))
        trained: Embed = lambda images, network=network: embed(network, np.array(images))  # noqa: E731
        for said, model in (("shipped", shipped), ("trained on triplets", trained)):
            shares = recognised(model, crops, own, asked, strangers)
            row = {"you": number, "network": said, "own": len(own), "asked": len(asked)}
            row |= {"strangers": len(strangers), "named at 0.01 and at 0.001": shares}
            if said != "shipped":
                row["accuracy"] = round(accuracy(model, crops, given.root), 4)
            results.append(row)
            print(json.dumps(row), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "settings": {key: value for key, value in vars(given).items() if key not in ("root", "out")},
        "alignment": crops.alignment, "commit": commit(), "versions": versions(), "results": results,
    }  # fmt: skip
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
