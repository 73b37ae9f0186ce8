"""What a user waits for: four cameras at once, and the first frame of a run that begins cold.

    uv run python benchmarks/live.py --data ../shared/data --out benchmarks/results

Four simulated cameras of 640 x 360 at 15 frames a second share the models, as `recog run` with --source four
times does: frames dropped, and the delay from capture to overlay. Cold start: seconds from starting the
program to the first frame of an annotated file, with everybody enrolled, names painted back and not (`--delay
0`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics as stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from engine import Ours

from pipeline.config import Settings
from pipeline.enrolment.photos import find_photos
from pipeline.outputs.places import output_folder
from pipeline.recognition.bench import environment, statistics
from pipeline.recognition.engine import models
from pipeline.recognition.shared_people import SharedPeople
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.rehearsal import Rehearsal

# `recog run`, ended at its first frame: nothing else could be measured from outside.
FIRST = """
import os, time
from pipeline.outputs.video import VideoSink
write = VideoSink.write
def first(self, *arguments):
    write(self, *arguments)
    print(time.time(), flush=True)
    os._exit(0)
VideoSink.write = first
from pipeline.cli import main
main()
"""


def four(video: Path, frames: int, rate: float, gallery: Path, settings: Settings) -> dict[str, Any]:
    """Four live sources at once."""
    with models(gallery, settings) as made:
        shared = SharedPeople(made.people)
        sources = [Rehearsal(video, frames, rate) for _ in range(4)]
        streams = [
            Stream(
                "", source, Models(made.detector, made.embedder, shared.view()), settings, 0.0, True,
                lambda: False,
            )
            for source in sources
        ]  # fmt: skip
        delays: list[float] = []

        def follow(source: Rehearsal, stream: Stream) -> None:
            with stream.run() as results:
                for result, _ in results:
                    assert source.began is not None
                    delays.append(time.monotonic() - source.began - result.frame.seconds)

        threads = [threading.Thread(target=follow, args=pair) for pair in zip(sources, streams, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dropped = sum(stream.dropped for stream in streams)
    return {
        "frames": 4 * frames,
        "rate": rate,
        "dropped": dropped,
        "share dropped": round(dropped / (4 * frames), 4),
        "delay_ms": statistics(delays),
    }


def cold(video: Path, gallery: Path, delay: float | None, rounds: int) -> dict[str, Any]:
    """Seconds until the first frame of an annotated file is written."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            words = ["run", "--source", str(video), "--gallery", str(gallery), "--out", f"{folder}/a.mp4"]
            words += [] if delay is None else ["--delay", str(delay)]
            started = time.time()
            ended = subprocess.run(
                [sys.executable, "-c", FIRST, *words], capture_output=True, text=True, check=True,
                env=os.environ | {"NO_COLOR": "1"},
            )  # fmt: skip
            taken.append(float(ended.stdout.splitlines()[-1]) - started)
    return {"seconds, median": round(stat.median(taken), 2), "all": [round(each, 2) for each in taken]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of videos/ and people/")
    parser.add_argument("--out", type=output_folder, required=True)
    parser.add_argument("--frames", type=int, default=450, help="of each camera")
    parser.add_argument("--rounds", type=int, default=5, help="cold starts of each kind")
    arguments = parser.parse_args()
    folders = sorted((arguments.data / "people" / "friends").iterdir())
    photos = {each.name: find_photos([each]) for each in folders}
    video = arguments.data / "videos" / "friends.mp4"
    with tempfile.TemporaryDirectory() as name:
        ours = Ours(Path(name), photos)
        results = {
            "environment": environment(),
            "four live sources": four(video, arguments.frames, 15.0, ours.gallery, ours.settings),
            "cold start, names painted back": cold(video, ours.gallery, None, arguments.rounds),
            "cold start, --delay 0": cold(video, ours.gallery, 0.0, arguments.rounds),
        }
    print(json.dumps(results, indent=2))
    (arguments.out / "live.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
