"""Frames of shots that are too short to be followed are marked, all others are passed on as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.tracking.shots import marked
from pipeline.types import Frame, Image

RANDOM = np.random.default_rng(0)
SCENES = [RANDOM.integers(0, 255, (18, 32, 3), np.uint8).repeat(10, 0).repeat(10, 1) for _ in range(8)]


def frames(times: list[float], scenes: list[int] | None = None) -> Iterator[Frame]:
    images: list[Image] = [SCENES[scene] for scene in scenes or [0] * len(times)]
    return (Frame(image, i, at, "film") for i, (image, at) in enumerate(zip(images, times, strict=True)))


def brief(times: list[float], scenes: list[int] | None = None) -> list[int]:
    """Indices of the frames that are marked; every frame has to come out, in order."""
    out = list(marked(frames(times, scenes), patience=1.0))
    assert [frame.index for frame in out] == list(range(len(times)))
    return [frame.index for frame in out if frame.brief]


@pytest.mark.parametrize(
    ("times", "scenes", "expected"),
    [
        ([0.0], None, [0]),  # a film of one frame
        ([0, 2, 4, 60], None, [0, 1, 2, 3]),  # nobody is waited for so long
        ([i / 30 for i in range(30)], None, []),
        ([float(i) for i in range(6)], None, [0, 1, 2, 3, 4, 5]),  # slow: no cut may say that it is another
        ([i / 3 for i in range(5)], None, [0, 1, 2, 3, 4]),
        ([i / 5 for i in range(6)], None, []),
        ([i / 5 for i in range(6)], [0, 1, 2, 2, 3, 3], [0, 1, 2, 3, 4, 5]),  # a quick slide show
        ([0, 0.03, 0.06, 0.09, 0.12, 0.9, 0.93], None, [5]),  # a pause
        ([float(i) for i in range(6)], [0, 1, 2, 2, 2, 3], [0, 1, 2, 3, 4, 5]),  # a slide show
        ([i * 0.5 for i in range(6)], [0, 1, 1, 1, 1, 2], [0, 1, 2, 3, 4, 5]),
        ([i / 30 for i in range(8)], [0, 1, 2, 3, 4, 5, 6, 7], []),  # flashes of an ordinary film
        ([0, 0.03, 0.06, 0.09, 5.0, 5.03], None, [4, 5]),  # recorded on motion
    ],
)
def test_short_shots_of_sparse_films_are_marked(
    times: list[float], scenes: list[int] | None, expected: list[int]
) -> None:
    assert brief(times, scenes) == expected


def test_few_frames_are_held_back() -> None:
    given = []

    def source() -> Iterator[Frame]:
        for frame in frames([i / 30 for i in range(60)]):
            given.append(frame.index)
            yield frame

    for frame in itertools.islice(marked(source(), 1.0), 50):
        assert len(given) - 1 - frame.index <= 3
