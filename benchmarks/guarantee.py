"""Whether a calibrated gallery keeps its promise to strangers whom nothing was chosen by.

    uv run python benchmarks/guarantee.py --root data/lfw --out benchmarks/results/guarantee.json

In each split some of the people on whom the model is reported are enrolled at random, with up to three
photographs each; the gallery is calibrated with the model's own cohort, exactly as by `recog calibrate`, and
all the others are its strangers, one photograph each. Photographs of the enrolled that were not enrolled say
how many are recognised.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from lfw_people import Reported, reported_people

from gallery import Gallery, NewTemplate
from gallery.calibration import to_people, upper_bound
from pipeline.enrolment.vetting import copy_distance
from pipeline.identity.calibrate import calibrate
from pipeline.outputs.places import output_file
from siamese.cohort import cohort_path, read
from siamese.provenance import commit, versions
from siamese.runtime import DEFAULT, Embedder

PHOTOS = 3


def one_split(
    data: Reported, cohort: Any, people: int, target: float, copy: float, normalise: bool, seed: int
) -> dict[str, Any]:
    """Enroll, calibrate, and try everybody else."""
    random = np.random.default_rng(seed)
    order = random.permutation(data.count)
    enrolled, strangers = order[:people], order[people:]
    rows = {int(person): random.permutation(data.photos(person)) for person in order}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        with Gallery.open(path, "benchmark", data.embeddings.shape[1], create=True) as gallery:
            gallery.add_people(
                {
                    f"{person:05d}": [
                        NewTemplate(data.embeddings[row], None, 1.0, str(row), str(row))
                        for row in rows[int(person)][:PHOTOS]
                    ]
                    for person in enrolled
                },
                "enroll",
            )
            made = calibrate(
                gallery, cohort.one_each, cohort.embeddings[:0], target, copy, normalise
            ).guarantee
    own = {row: place for place, person in enumerate(enrolled) for row in rows[int(person)][:PHOTOS]}
    templates, owners = np.array(list(own)), np.array(list(own.values()), np.int64)
    shifts = np.array([made.offsets.get(f"{person:05d}", 0.0) for person in enrolled])

    def distances(probes: Any) -> Any:
        return to_people(data.embeddings[probes], data.embeddings[templates], owners, people) + shifts

    tried = np.array([rows[int(person)][0] for person in strangers])
    named = int((distances(tried).min(axis=1) <= made.distance).sum())
    further = [(row, place) for place, person in enumerate(enrolled) for row in rows[int(person)][PHOTOS:]]
    probes, truth = (np.array(column) for column in zip(*further, strict=True))
    found = distances(probes)
    right = (found.argmin(axis=1) == truth) & (found.min(axis=1) <= made.distance)
    return {
        "seed": seed,
        "claimed bound": made.bound,
        "threshold": made.distance,
        "cohort": made.strangers,
        "strangers": len(tried),
        "named": named,
        "realised fpir": named / len(tried),
        "upper bound of realised": upper_bound(named, len(tried)),
        "probes of the enrolled": len(probes),
        "recognised": float(right.mean()),
        "expected by leave-one-out": made.recognised / made.tried,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("data/lfw"))
    parser.add_argument("--model", type=Path, default=DEFAULT)
    parser.add_argument("--cohort", type=Path, help="by default beside the model")
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--target", type=float, default=0.01)
    parser.add_argument("--normalise", action="store_true", help="with everybody's shift")
    parser.add_argument("--out", type=output_file)
    given = parser.parse_args()
    embedder = Embedder(given.model)
    cohort = read(given.cohort or cohort_path(given.model), embedder.digest)
    data = reported_people(embedder, given.root)
    copy = copy_distance(embedder.calibration)
    splits = [
        one_split(data, cohort, given.people, given.target, copy, given.normalise, seed)
        for seed in range(given.splits)
    ]
    rates = np.array([each["realised fpir"] for each in splits])
    result = {
        "data": f"LFW, {data.count} people kept for figures ({data.hold_out})",
        "target": given.target,
        "enrolled": given.people,
        "photos each, at most": PHOTOS,
        "cohort": cohort.source,
        "normalised": given.normalise,
        "realised fpir, mean": float(rates.mean()),
        "realised fpir, greatest": float(rates.max()),
        "recognised, mean": float(np.mean([each["recognised"] for each in splits])),
        "splits": splits,
        "no face found, centre taken": data.missed,
        "model": embedder.digest,
        "alignment": data.alignment,
        "commit": commit(),
        "versions": versions(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
