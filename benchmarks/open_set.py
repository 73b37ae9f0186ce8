"""How many of the enrolled are recognised, and how many strangers are named, by the size of the gallery.

    uv run python benchmarks/open_set.py --root data/lfw --out benchmarks/results/open-set

Detection and identification rate (DIR: the right person first, and within the threshold) against
false-positive identification rate (FPIR: a stranger within the threshold of anybody), for 10, 100 and 1,000
people enrolled with 1, 2 and 5 photographs each: ISO/IEC 19795-1. Everybody is of those on whom the model is
reported, and each is a stranger or enrolled, drawn again in each of ten splits. Photographs that were not
enrolled are the probes; they are of the same people whatever the number of photographs, those who have at
least six. A gallery that needs more people is filled with others, enrolled with as many photographs as they
have, at most that number.
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
from pipeline.drawing.lettering import put_text
from pipeline.outputs.places import output_file
from siamese.provenance import commit, versions
from siamese.runtime import DEFAULT, Embedder

PEOPLE, PHOTOS = (10, 100, 1000), (1, 2, 5)
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
PROBES = 5  # of each person
COLOURS = ((180, 120, 20), (40, 140, 40), (40, 40, 200))  # by number of people, BGR


def trial(data: Reported, people: int, photos: int, seed: int) -> dict[str, Any]:
    """Rates of one gallery: DIR at each of `RATES`, the threshold taken from the strangers themselves."""
    random = np.random.default_rng([seed, people])
    order = random.permutation(data.count)
    rows = {int(person): random.permutation(data.photos(person)) for person in order}
    many = [person for person in order if len(rows[person]) > max(PHOTOS)]
    few = [person for person in order if len(rows[person]) <= max(PHOTOS)]
    # Half of those with many photographs at most: the strangers shall not all be people with few.
    known = many[: min(people, len(many) // 2)]
    enrolled = known + few[: people - len(known)]
    strangers = [person for person in order if person not in set(enrolled)]
    templates = np.concatenate([rows[person][:photos] for person in enrolled])
    owners = np.concatenate(
        [np.full(len(rows[p][:photos]), place, np.int64) for place, p in enumerate(enrolled)]
    )
    probes = np.concatenate([rows[person][max(PHOTOS) :][:PROBES] for person in known])
    truth = np.concatenate(
        [np.full(len(rows[p][max(PHOTOS) :][:PROBES]), place) for place, p in enumerate(known)]
    )
    near = to_people(data.embeddings[probes], data.embeddings[templates], owners, len(enrolled))
    others = np.array([rows[person][0] for person in strangers])
    impostor = np.sort(
        to_people(data.embeddings[others], data.embeddings[templates], owners, len(enrolled)).min(axis=1)
    )
    genuine, right = near.min(axis=1), near.argmin(axis=1) == truth
    found = {}
    for rate in RATES:
        allowed = int(rate * len(impostor) + 1e-9)
        found[rate] = float((right & (genuine < impostor[min(allowed, len(impostor) - 1)])).mean())
    return {
        "rank one": float(right.mean()), "dir": found, "probes": len(probes),
        "strangers": len(others), "enrolled": len(enrolled),
    }  # fmt: skip


def plot(table: list[dict[str, Any]], out: Path) -> None:
    """DIR over FPIR on a logarithmic axis, a line for each gallery; thicker with more photographs."""
    image = np.full((600, 900, 3), 255, np.uint8)
    left, top, right, bottom = 90, 60, 660, 530

    def place(rate: float, share: float) -> tuple[int, int]:
        across = np.log10(rate / RATES[0]) / np.log10(RATES[-1] / RATES[0])
        return round(left + (right - left) * float(across)), round(bottom - (bottom - top) * share)

    for share in np.linspace(0, 1, 6):
        cv2.line(image, place(RATES[0], share), place(RATES[-1], share), (225, 225, 225), 1)
        put_text(image, f"{share:.1f}", (left - 44, place(RATES[0], share)[1] - 9), 16, (40, 40, 40))
    for rate in RATES:
        cv2.line(image, place(rate, 0), place(rate, 1), (225, 225, 225), 1)
        put_text(image, f"{rate:g}", (place(rate, 0)[0] - 16, bottom + 10), 16, (40, 40, 40))
    put_text(image, "strangers given a name (FPIR)", (250, bottom + 36), 17, (40, 40, 40))
    put_text(image, "enrolled people recognised (DIR)", (left - 40, 20), 17, (40, 40, 40))
    for line, row in enumerate(table):
        colour = COLOURS[PEOPLE.index(row["people"])]
        thick = 1 + PHOTOS.index(row["photos each"])
        points = [place(rate, row["dir"][f"{rate:g}"]["mean"]) for rate in RATES]
        cv2.polylines(image, [np.array(points, np.int32)], False, colour, thick, cv2.LINE_AA)
        cv2.line(image, (685, 80 + 26 * line), (715, 80 + 26 * line), colour, thick, cv2.LINE_AA)
        words = f"{row['people']} people, {row['photos each']} each"
        put_text(image, words, (722, 71 + 26 * line), 15, (40, 40, 40))
    if not cv2.imwrite(str(out), image):
        raise OSError(f"{out} cannot be written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("data/lfw"))
    parser.add_argument("--model", type=Path, default=DEFAULT)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--out", type=output_file, default="runs/open-set", help="without suffix")
    given = parser.parse_args()
    embedder = Embedder(given.model)
    data = reported_people(embedder, given.root)
    table = []
    for people in PEOPLE:
        if people >= data.count:
            print(f"{people} people cannot be enrolled: there are {data.count} in all")
            continue
        for photos in PHOTOS:
            trials = [trial(data, people, photos, seed) for seed in range(given.splits)]
            shares = {rate: [each["dir"][rate] for each in trials] for rate in RATES}
            rates = {
                f"{rate:g}": {"mean": float(np.mean(each)), "deviation": float(np.std(each))}
                for rate, each in shares.items()
            }
            table.append(
                {
                    "people": people, "photos each": photos, "dir": rates,
                    "rank one": float(np.mean([each["rank one"] for each in trials])),
                    "probes": trials[0]["probes"], "strangers": trials[0]["strangers"],
                }
            )  # fmt: skip
            shown = "  ".join(f"{share['mean']:.3f}" for share in rates.values())
            print(f"{people:5d} people, {photos} photos each: DIR {shown}")
    result = {
        "data": f"LFW, {data.count} people kept for figures ({data.hold_out})",
        "fpir": RATES,
        "splits": given.splits,
        "table": table,
        "no face found, centre taken": data.missed,
        "model": embedder.digest,
        "alignment": data.alignment,
        "commit": commit(),
        "versions": versions(),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    plot(table, given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
