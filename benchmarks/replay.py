"""How the time of a replay grows with the looks of a tape: the same people, a tape twice as long each time.

    uv run python benchmarks/replay.py --out benchmarks/results/replay.json

Made-up tapes: two looks a second, ten of each track, four tracks in view; a gallery of 100 people. Timed is
what `recog replay` does once the tape is read, and what `recog gallery remove --purge` does.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gallery import Gallery, NewTemplate
from pipeline.config import Settings
from pipeline.identity.judge import Judge
from pipeline.outputs.places import output_file
from pipeline.tapes.purge import theirs
from pipeline.tapes.replay import replay
from pipeline.tapes.tape import Looks, Run, TapedTrack
from siamese.calibration import Calibration

DIMENSION, PEOPLE, LENGTH, IN_VIEW = 128, 100, 10, 4
CALIBRATION = Calibration(intercept=26.0, slope=0.28, ceiling=11.5, genuine=900, impostor=290_000)


def taped(count: int) -> tuple[Looks, list[TapedTrack]]:
    """A run with so many looks."""
    chance = np.random.default_rng(0)
    group, place = np.divmod(np.arange(count), IN_VIEW)
    tracks = (group // LENGTH) * IN_VIEW + place
    seconds = group * IN_VIEW / 2
    looks = Looks(
        tuple(tracks.tolist()),
        tuple(group.tolist()),
        tuple(seconds.tolist()),
        np.zeros((count, 4), np.float32),
        np.ones(count, np.float32),
        chance.normal(size=(count, DIMENSION)).astype(np.float32),
    )
    ends = [(block * LENGTH, (block + 1) * LENGTH - 1) for block in range(-(-count // (IN_VIEW * LENGTH)))]
    return looks, [
        TapedTrack("run", block * IN_VIEW + place, first, first * IN_VIEW / 2, last, last * IN_VIEW / 2)
        for block, (first, last) in enumerate(ends)
        for place in range(IN_VIEW)
    ]


class Read:
    """A tape that has been read: what `replay` asks of one."""

    def __init__(self, looks: Looks, tracks: list[TapedTrack]) -> None:
        self._looks, self._tracks = looks, tracks

    def runs(self) -> list[Run]:
        return [Run("run", "made up", "2026-01-01T00:00:00+00:00", False)]

    def looks(self, run: str) -> Looks:
        return self._looks

    def tracks(self, run: str) -> list[TapedTrack]:
        return self._tracks


def seconds_of(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return round(time.process_time() - started, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", nargs="*", type=int, default=[5_000, 20_000, 80_000])
    parser.add_argument("--out", type=output_file, help="where the result is written (.json)")
    options = parser.parse_args()
    chance, result = np.random.default_rng(1), {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "g.db", "made up", DIMENSION, create=True) as people,
    ):
        for number in range(PEOPLE):
            embedding = chance.normal(size=DIMENSION).astype(np.float32)
            people.add(f"p{number}", [NewTemplate(embedding, None, 1.0, "", str(number))])
        people.search(np.zeros((1, DIMENSION), np.float32), 1)
        for count in options.looks:
            looks, tracks = taped(count)
            judge = Judge(people, CALIBRATION, Settings().evidence)
            result[count] = {
                "tracks": len(tracks),
                "replay_cpu_s": seconds_of(lambda: replay(Read(looks, tracks), judge)),  # noqa: B023
                "purge_cpu_s": seconds_of(lambda: theirs(looks, tracks, "p1", judge)),  # noqa: B023
            }
            print(count, result[count], flush=True)
    text = json.dumps({"machine": platform.machine(), "looks": result}, indent=2)
    if options.out is not None:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
