"""A film is looked at closely now and then, and at once where another shot begins."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.followed import Enrolled
from pipeline.build import fingerprint
from pipeline.config import DetectSettings, Settings
from pipeline.detection.wary import WaryDetector
from pipeline.recognition.recognise import Recogniser
from pipeline.recognition.sparing import Sparing, once_in
from pipeline.recognition.stream import CLOSELY
from pipeline.tracking.cadence import Every
from pipeline.types import Detections, Frame, Image


class Sees:
    """One face in the middle, whatever it is shown."""

    digest = "0" * 64

    def detect(self, image: Image) -> Detections:
        box = np.array([[10, 10, 30, 30]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.zeros((1, 5, 2), np.float32))


def sparing(times: int, apart: float = 100.0) -> Sparing:
    """Over pictures that are larger than the input, so that a close look finds one box more."""
    return Sparing(WaryDetector(Sees(), 0.15, 9, lambda size: Sees(), (64, 256), True, 0.05), times, apart)


def is_close(found: Detections) -> bool:
    assert found.faint is not None
    return len(found.faint) > 0


def frame(seconds: float) -> Frame:
    return Frame(np.zeros((100, 200, 3), np.uint8), 0, seconds, "film")


def test_it_looks_closely_first_and_then_once_in_so_many() -> None:
    each = sparing(3)
    looks = [is_close(each.look(frame(i), cut=False)) for i in range(7)]
    assert looks == [True, False, False, True, False, False, True]


def test_another_shot_is_looked_at_closely_at_once() -> None:
    each = sparing(100)
    looks = [is_close(each.look(frame(i), cut=i in (2, 4))) for i in range(5)]
    assert looks == [True, False, True, False, True]


class Noting(Sees):
    """The same; notes the name under which it was asked."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.name, self.asked = name, asked

    def detect(self, image: Image) -> Detections:
        self.asked.append(self.name)
        return super().detect(image)


def asked_for(frames: list[Frame], once_in: int, cuts: tuple[int, ...] = ()) -> list[str]:
    """What was looked with at each frame, where close looks take the place of common ones."""
    asked, each_time = list[str](), list[str]()
    common, close = Noting("common", asked), Noting("close", asked)
    wary = WaryDetector(common, 0.15, 9, lambda size: close, (64, 256), True, 0.05)
    each = Sparing(wary, once_in, 100.0, instead=True)
    for i, one in enumerate(frames):
        asked.clear()
        each.look(one, cut=i in cuts)
        each_time.append(" and ".join(asked))
    return each_time


def test_close_looks_take_the_place_of_common_ones_but_not_where_nothing_was_seen_before() -> None:
    both, common, close = "common and close", "common", "close"
    frames = [frame(i) for i in range(9)]
    assert asked_for(frames, 4) == [both, common, common, common, close, common, common, common, close]
    assert asked_for(frames[:7], 4, cuts=(2, 5)) == [both, common, both, common, common, both, common]
    brief = [*frames[:4], replace(frames[4], brief=True)]
    assert asked_for(brief, 4)[4] == both


def test_both_looks_are_made_where_common_ones_are_few() -> None:
    assert asked_for([frame(i) for i in range(4)], 3)[3] == "common and close"


def test_where_every_look_is_a_close_one_both_are_made() -> None:
    asked = list[str]()
    common, close = Noting("common", asked), Noting("close", asked)
    wary = WaryDetector(common, 0.15, 9, lambda size: close, (64, 256), True, 0.05)
    each = Sparing(wary, 4, 0.5, instead=True)
    for i in range(4):  # a second apart, where half of one was asked for at most
        each.overdue(float(i))
        each.look(frame(i), cut=False)
    assert asked == ["common", "close"] * 4


def close_looks(times: list[float], fps: float, every: Every, embedder: Any, nowhere: Path) -> list[float]:
    """When a recogniser looks closely at a film whose frames have these times, and `fps` on average."""
    settings = Settings(det=DetectSettings(every=every))
    with closing(Enrolled(nowhere, fingerprint(embedder), embedder.dimension)) as nobody:
        looks = sparing(once_in(CLOSELY, fps, every), CLOSELY)
        recogniser = Recogniser(Sees(), embedder, nobody, settings, sparing=looks)
        seen = [recogniser.detect(frame(seconds)) for seconds in times]
    return [each.frame.seconds for each in seen if each.detections is not None and is_close(each.detections)]


@pytest.mark.parametrize("every", ["auto", 5])
def test_where_the_frames_of_a_film_come_more_slowly_close_looks_do_not(
    every: Every, embedder: Any, tmp_path: Path
) -> None:
    times = [*np.arange(0, 2, 1 / 30), *np.arange(2, 6, 1 / 5), *np.arange(6, 8, 1 / 30)]
    looks = close_looks(times, 30.0, every, embedder, tmp_path / "none.db")
    assert np.diff(looks).max() <= CLOSELY + 0.2  # the first of the slow frames could not be foreseen
    slow = [each for each in looks if 2.4 < each < 6]
    assert np.diff(slow).max() < CLOSELY
    quick = [each for each in looks if each < 2]
    assert np.diff(quick) == pytest.approx(CLOSELY)


@pytest.mark.parametrize(
    ("fps", "each"), [(24000 / 1001, 8), (24, 8), (25, 8), (30000 / 1001, 10), (30, 10), (60, 20)]
)
def test_in_a_film_of_one_rate_no_look_is_made_that_would_not_be_anyway(
    fps: float, each: int, embedder: Any, tmp_path: Path
) -> None:
    times = [round(i / fps, 3) for i in range(100)]  # as Matroska rounds
    looks = close_looks(times, fps, "auto", embedder, tmp_path / "none.db")
    assert looks == times[::each]


@pytest.mark.parametrize(
    ("apart", "fps", "every", "expected"),
    [(0.34, 25.0, "auto", 2), (0.34, 25.0, 1, 8), (0.0, 25.0, 1, 1), (0.34, 1.0, "auto", 1), (1, None, 1, 1)],
)
def test_close_looks_are_no_farther_apart_than_asked(
    apart: float, fps: float | None, every: Every, expected: int
) -> None:
    assert once_in(apart, fps, every) == expected
