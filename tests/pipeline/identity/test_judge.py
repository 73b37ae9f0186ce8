"""What a judge makes of a gallery in which somebody said whose a face is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery import BusyError, Gallery, NewTemplate
from pipeline.config import EvidenceSettings
from pipeline.faces.examine import Probe
from pipeline.identity.guarantee import KEY, Guarantee
from pipeline.identity.identify import identify
from pipeline.identity.judge import Judge
from siamese.calibration import Calibration

CALIBRATION = Calibration(intercept=30.0, slope=1.0, ceiling=12.0, genuine=100, impostor=500_000)


def at(*place: float) -> np.ndarray:
    return np.array(place, np.float32)


def look(*place: float) -> NewTemplate:
    return NewTemplate(at(*place), None, 1.0, "", repr(place))


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "g.db", "model", 2, create=True) as gallery:
        gallery.add("Ada", [look(0, 0)])
        gallery.add("Bob", [look(60, 0)])
        yield gallery


def ratios(people: Gallery, *place: float) -> dict[str, float]:
    judge = Judge(people, CALIBRATION, EvidenceSettings())
    return dict(judge.ratios(at(*place)[None])[0])


def calibrated(people: Gallery, distance: float) -> None:
    offsets = {"Ada": -1.0, "Bob": 1.0}
    made = Guarantee(0.01, 0.95, distance, 0.01, 300, 0, 2, 1, 1, True, offsets, people.newest())
    people.set_note(KEY, made.as_dict() | {"fingerprint": "model"}, offsets)


def test_the_face_that_is_not_hers_loses_her_name_and_she_keeps_it(people: Gallery) -> None:
    before = ratios(people, 0, 10), ratios(people, 0, 0)
    people.deny("Ada", [look(0, 10)])
    after = ratios(people, 0, 10), ratios(people, 0, 0)
    assert before[0]["Ada"] == 12
    assert after[0]["Ada"] < 0.01
    assert before[1]["Ada"] == 12
    assert after[1]["Ada"] > 9  # ten nearer to her than to that face


def test_a_name_is_nobody_elses_gain(people: Gallery) -> None:
    """Who resembles two people is not the other because somebody said that it is not the first."""
    before = ratios(people, 30, 0)
    people.deny("Ada", [look(30, 0)])
    after = ratios(people, 30, 0)
    assert after["Bob"] <= before["Bob"]
    assert after["Ada"] < before["Ada"]


@pytest.mark.parametrize("distance", [15.0, 25.0])
def test_in_a_calibrated_gallery_too_and_whatever_shift_somebody_has(
    people: Gallery, distance: float
) -> None:
    calibrated(people, distance)
    needed = np.log(2 * 99)
    assert ratios(people, 0, 10)["Ada"] > needed
    people.deny("Ada", [look(0, 10)])
    assert ratios(people, 0, 10)["Ada"] < 0.01
    assert ratios(people, 0, 5)["Ada"] < 1  # half-way
    assert ratios(people, 0, 1)["Ada"] > needed


def test_whoever_is_no_candidate_weighs_nothing(people: Gallery) -> None:
    """Of five places three are empty where two are enrolled."""
    people.deny("Ada", [look(0, 1000)])
    assert ratios(people, 0, 0) == pytest.approx({"Ada": 12.0, "Bob": -12.0})


def test_who_is_nearest_in_a_part_of_the_gallery_is_told_only_to_those_who_know_that(
    people: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, probe, search = Judge(people, CALIBRATION, EvidenceSettings()), at(0, 10)[None], Gallery.search
    assert judge.ratios_now(probe) == (judge.ratios(probe), True)
    whole = judge.ratios(probe)
    monkeypatch.setattr(
        Gallery, "search", lambda *given, **named: replace(search(*given, **named), whole=False)
    )
    assert judge.ratios_now(probe) == (whole, False)
    with pytest.raises(BusyError, match="part of the gallery cannot be asked"):
        judge.ratios(probe)
    blank = np.zeros((112, 112, 3), np.uint8)
    face = Probe("p.jpg", blank, probe[0], (), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    with pytest.raises(BusyError, match="nobody can say who that is"):
        identify([face], judge)
