"""How much faster two workers are than one, over films.

    uv run python benchmarks/archive.py --films data/videos --out benchmarks/results/archive.json

Each run is `recog archive` as people call it, in a process of its own, into an empty folder; one and two
workers take turns. A worker's models have one thread, and so has its decoder, which works beside them: one
worker keeps more than one core busy. So there is a row of one worker that is kept to one core, too. The first
run of each is thrown away. `working` leaves out what is spent once: starting, and opening models and gallery
to check them. `cores` is processor time over time, how many were busy; `slowed` is how much longer a loop of
plain arithmetic takes on each of two cores while it runs on both, which no program can help: cores of a
virtual machine are often the two halves of one.
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
    # Workers, and the cores they are kept to.
    ways = {"1 on one core": (1, 1), "1": (1, None), "2": (2, None)}
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds + 1):
            for way in ways if number % 2 else reversed(ways):
                found = measured(given.films, Path(folder) / "out", *ways[way])
                if number:
                    rows[way].append(found)
                print(way, found, flush=True)
    values = {
        "films": len(list(given.films.iterdir())),
        "rounds": given.rounds,
        "load": os.getloadavg(),
        "runs": rows,
        "slowed": round(slowed(), 3),
        "two workers are times as fast as": {
            way: {
                part: spread([a[part] / b[part] for a, b in zip(rows[way], rows["2"], strict=True)])
                for part in ("working", "seconds")
            }
            for way in ways
            if way != "2"
        },
    }
    given.out.write_text(json.dumps(values, indent=2) + "\n")
    print(json.dumps({name: values[name] for name in ("slowed", "two workers are times as fast as")}))


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most of the rounds."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def slowed() -> float:
    """How many times as long arithmetic takes on a core while the other one computes as well."""
    count = (
        "import time; t = time.perf_counter(); "
        "sum(i * i for i in range(20_000_000)); print(time.perf_counter() - t)"
    )
    first, second = sorted(os.sched_getaffinity(0))[:2]

    def timed(*cores: int) -> float:
        each = [
            subprocess.Popen(
                ["taskset", "-c", str(core), sys.executable, "-c", count], stdout=subprocess.PIPE, text=True
            )
            for core in cores
        ]
        return max(float(run.communicate()[0]) for run in each)

    rounds = range(3)
    alone, both = min(timed(first) for _ in rounds), min(timed(first, second) for _ in rounds)
    return both / alone


def measured(films: Path, out: Path, workers: int, cores: int | None) -> dict[str, Any]:
    """One archive: seconds of the whole command, of the work in it, and of the processor."""
    kept = ("taskset", "-c", str(min(os.sched_getaffinity(0)))) if cores == 1 else ()
    shutil.rmtree(out, ignore_errors=True)
    before, started = os.times(), time.monotonic()
    done = subprocess.run(
        [
            *(*kept, sys.executable, "-c", RECOG, "archive", str(films), "--out", str(out), "--json"),
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
        "cores": round(spent / seconds, 2),
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
