"""How fast films are decoded: `open_source`, which reads with PyAV, beside OpenCV's capture, by turns.

Both give every frame as BGR. The time of the processor is told beside that of the clock: on a busy machine
only the former means anything.

    uv run --group dev python benchmarks/decoding.py friends.mp4 street.mp4 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
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


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(arguments.rounds):
        for film in arguments.films:
            for name, way in WAYS.items():
                wall, cpu = time.perf_counter(), time.process_time()
                count = way(film)
                spent = (time.perf_counter() - wall, time.process_time() - cpu)
                taken.setdefault((film.stem, name), []).append((spent[0] / count, spent[1] / count))
    rows = [
        {
            "film": film,
            "way": name,
            "frames_a_second": round(1 / statistics.median(wall for wall, _ in times), 1),
            "cpu_ms_a_frame": round(1000 * statistics.median(cpu for _, cpu in times), 2),
            "cpu_ms_least": round(1000 * min(cpu for _, cpu in times), 2),
        }
        for (film, name), times in taken.items()
    ]
    print(json.dumps({"rows": rows, "environment": environment()}, indent=1))


if __name__ == "__main__":
    main()
