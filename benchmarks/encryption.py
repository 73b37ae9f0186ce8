"""What encryption at rest costs: opening a gallery, the first search, adding a person, plain and encrypted.

Random embeddings and crops of noise, as many as asked for. Each step derives its key anew, as a new process
would.

    uv run python benchmarks/encryption.py --people 2000 --out benchmarks/results/encryption.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gallery import Gallery, NewTemplate, sealed
from pipeline.outputs.places import output_file
from pipeline.recognition.bench import environment

MADE = ("random, v1", 168)
PHOTOS, TIMES = 5, 5


def template(random: np.random.Generator, digest: str) -> NewTemplate:
    """One of noise."""
    crop = random.integers(0, 256, (112, 112, 3), np.uint8)
    return NewTemplate(random.normal(size=168).astype(np.float32), crop, 0.9, "noise", digest)


def median(work: Callable[[], None]) -> float:
    """Milliseconds, of some times."""
    spent = []
    for _ in range(TIMES):
        sealed._derived.cache_clear()
        begun = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - begun))
    return round(float(np.median(spent)), 1)


def measured(path: Path, random: np.random.Generator) -> dict[str, Any]:
    """The times of one gallery."""
    number = iter(range(10_000))
    probe = random.normal(size=(1, 168)).astype(np.float32)

    def opened() -> None:
        Gallery.open(path, *MADE).close()

    def searched() -> None:
        with Gallery.open(path, *MADE) as people:
            people.search(probe)

    def added() -> None:
        with Gallery.open(path, *MADE) as people:
            name = f"new {next(number)}"
            people.add(name, [template(random, f"{name} {i}") for i in range(PHOTOS)])

    told: dict[str, Any] = {"open": median(opened), "open and search": median(searched)}
    return told | {"open and add a person": median(added), "bytes": path.stat().st_size}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--out", type=output_file, default="runs/encryption.json")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path, key = Path(folder) / "people.db", Path(folder) / "key"
        key.write_bytes(os.urandom(32).hex().encode())
        os.environ[sealed.VARIABLE] = str(key)
        with Gallery.open(path, *MADE, create=True) as people:
            every = {
                f"person {i}": [template(random, f"{i} {j}") for j in range(PHOTOS)]
                for i in range(arguments.people)
            }
            people.add_people(every, "import")
        told: dict[str, Any] = {"people": arguments.people, "photos": PHOTOS * arguments.people}
        told["plain, ms"] = measured(path, random)
        begun = time.perf_counter()
        sealed.seal(path)
        told["to encrypt it, s"] = round(time.perf_counter() - begun, 2)
        told["encrypted, ms"] = measured(path, random)
    told["environment"] = environment()
    arguments.out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
