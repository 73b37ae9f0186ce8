"""How fast films are decoded: `open_source`, which reads with PyAV, beside OpenCV's capture, by turns.

Both give every frame as BGR. The time of the processor is told beside that of the clock: on a busy machine
only the former means anything.

    uv run --group dev python benchmarks/decoding.py friends.mp4 street.mp4 --rounds 5

Whole runs of several versions, by turns as well, each from the start of its process to its end:

    ... --run 0.8.0="old/bin/recog run --gallery old.db" --run now="recog run --gallery new.db"
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from pipeline.recognition.bench import environment
from pipeline.sources.open import open_source


def with_source(film: Path) -> int:
    """Read all frames as `recog` does; how many there are."""
    with open_source(str(film)) as source:
        return sum(1 for _ in source)


def with_opencv(film: Path) -> int:
    """Read all frames as `recog` did before 0.9; how many there are."""
    capture, count = cv2.VideoCapture(str(film), cv2.CAP_FFMPEG), 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


WAYS: dict[str, Callable[[Path], int]] = {"recog": with_source, "opencv": with_opencv}


def whole_run(command: list[str], film: Path) -> tuple[float, float]:
    """Seconds, and seconds of the processor, that a run over a film takes which writes an annotated video."""
    with tempfile.TemporaryDirectory() as folder:
        wall, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        out = str(Path(folder) / "out.mp4")
        subprocess.run([*command, "--source", str(film), "--out", out], check=True, capture_output=True)
        spent, now = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--run", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--run-rounds", type=int, default=3)
    arguments = parser.parse_args()
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    frames: dict[str, int] = {}
    for _ in range(arguments.rounds):
        for film in arguments.films:
            for name, way in WAYS.items():
                wall, cpu = time.perf_counter(), time.process_time()
                frames[film.stem] = count = way(film)
                spent = (time.perf_counter() - wall, time.process_time() - cpu)
                taken.setdefault((film.stem, name), []).append((spent[0] / count, spent[1] / count))
    rows = [
        {
            "film": film,
            "way": name,
            "frames": frames[film],
            "frames_a_second": round(1 / statistics.median(wall for wall, _ in times), 1),
            "cpu_ms_a_frame": round(1000 * statistics.median(cpu for _, cpu in times), 2),
            "cpu_ms_least": round(1000 * min(cpu for _, cpu in times), 2),
        }
        for (film, name), times in taken.items()
    ]
    runs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(arguments.run_rounds):
        for film in arguments.films:
            for given in arguments.run:
                name, _, command = given.partition("=")
                runs.setdefault((film.stem, name), []).append(whole_run(shlex.split(command), film))
    whole = [
        {
            "film": film,
            "version": name,
            "seconds": [round(wall, 2) for wall, _ in times],
            "median": round(statistics.median(wall for wall, _ in times), 2),
            "cpu_seconds": round(statistics.median(cpu for _, cpu in times), 2),
        }
        for (film, name), times in runs.items()
    ]
    print(json.dumps({"rows": rows, "runs": whole, "environment": environment()}, indent=1))


if __name__ == "__main__":
    main()
