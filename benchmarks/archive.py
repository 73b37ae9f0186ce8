"""How much faster two workers are than one, over films.

    uv run python benchmarks/archive.py --films data/videos --out benchmarks/results/archive.json

Each run is `recog archive` as people call it, in a process of its own, into an empty folder; one and two
workers take turns. A worker's models have one thread, and so has its decoder. The first run of each is thrown
away. `working` leaves out what is spent once: starting, and opening models and gallery to check them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pipeline.outputs.places import output_file

RECOG = "from pipeline.cli import main; main()"


def main() -> None:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=output_file, default="benchmarks/results/archive.json")
    given = parser.parse_args()
    rows: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds + 1):
            for workers in (1, 2) if number % 2 else (2, 1):
                found = measured(given.films, Path(folder) / "out", workers)
                if number:
                    rows[workers].append(found)
                print(workers, found, flush=True)
    speeds = [a["working"] / b["working"] for a, b in zip(rows[1], rows[2], strict=True)]
    wholes = [a["seconds"] / b["seconds"] for a, b in zip(rows[1], rows[2], strict=True)]
    values = {
        "films": len(list(given.films.iterdir())),
        "rounds": given.rounds,
        "load": os.getloadavg(),
        "runs": rows,
        "times_as_fast": {"median": statistics.median(speeds), "least": min(speeds), "most": max(speeds)},
        "times_as_fast_with_starting": {
            "median": statistics.median(wholes),
            "least": min(wholes),
            "most": max(wholes),
        },
    }
    given.out.write_text(json.dumps(values, indent=2) + "\n")
    print(json.dumps(values["times_as_fast"]))


def measured(films: Path, out: Path, workers: int) -> dict[str, Any]:
    """One archive: seconds of the whole command, of the work in it, and of the processor."""
    shutil.rmtree(out, ignore_errors=True)
    before, started = os.times(), time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-c", RECOG, "archive", str(films), "--out", str(out), "--json"),
            *("--workers", str(workers), "--set", "runtime.threads=1", "--pieces", "0.15"),
            *("--gallery", str(empty(out.parent))),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.monotonic() - started, os.times()
    if done.returncode:
        raise SystemExit(done.stderr)
    values = json.loads(done.stdout)
    spent = sum(getattr(after, each) - getattr(before, each) for each in ("children_user", "children_system"))
    return {
        "seconds": round(seconds, 3),
        "working": values["seconds"],
        "processor": round(spent, 3),
        "frames": values["frames"],
        "film_seconds": values["film_seconds"],
    }


def empty(folder: Path) -> Path:
    """A gallery with nobody in it, so that looks are embedded and nobody is named."""
    from pipeline import build
    from pipeline.config import Settings

    path = folder / "people.db"
    if not path.exists():
        build.gallery(path, build.embedder(Settings()), create=True).close()
    return path


if __name__ == "__main__":
    main()
