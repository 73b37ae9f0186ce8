"""Counts in the terms of ISO/IEC 30107-3, with exact intervals."""

from __future__ import annotations

import pytest

from pipeline.authentication.policy import Finding, Part, Verdict
from pipeline.authentication.report import GENUINE, Tally, headline
from pipeline.authentication.session import Authentication

ACCEPTED = Authentication(Verdict(True, "it is her"), {}, {"seconds": 4.0}, None, False)
REFUSED = Authentication(Verdict(False, "no", Part.DEPTH), {}, {"seconds": 2.0}, None, True)
SILENT = Authentication(
    Verdict(False, "nobody was there", Part.IDENTITY),
    {Part.ONE_FACE: Finding(None, "nobody was there")},
    {"seconds": 15.0},
    None,
    False,
)


def tally(species: str, accepted: int, refused: int, silent: int = 0) -> Tally:
    made = Tally(species)
    for outcome, count in ((ACCEPTED, accepted), (REFUSED, refused), (SILENT, silent)):
        for _ in range(count):
            made.add(outcome)
    return made


def test_an_attack_that_is_accepted_is_an_error_and_one_without_a_face_is_told_apart() -> None:
    told = tally("print", 1, 9, silent=3).as_dict()
    assert (told["presentations"], told["errors"], told["non_response"]) == (10, 1, 3)
    assert told["apcer"] == 0.1
    # The textbook's interval of 1 of 10 (Clopper and Pearson, 1934).
    assert told["interval"] == pytest.approx([0.0025, 0.4450], abs=1e-4)
    assert told["refused_by"] == {"depth": 9}


def test_a_genuine_attempt_that_is_refused_is_an_error() -> None:
    told = tally(GENUINE, 9, 1).as_dict()
    assert told["bpcer"] == 0.1
    assert told["seconds_median"] == 4.0


def test_none_of_59_is_what_a_bound_of_5_percent_takes() -> None:
    assert tally("print", 0, 59).as_dict()["upper_95"] < 0.05 < tally("print", 0, 58).as_dict()["upper_95"]


def test_the_worst_species_is_the_headline_and_few_tries_are_no_excuse() -> None:
    few, many = tally("mask", 0, 5), tally("print", 1, 99)
    assert headline([tally(GENUINE, 0, 10), few, many]) is few
    assert headline([tally(GENUINE, 1, 1)]) is None
    assert headline([Tally("print")]) is None


def test_it_reads_as_a_line() -> None:
    assert str(tally("print", 0, 10, 1)) == (
        "print: APCER 0.000 (0 of 10; 95 % interval 0.000 to 0.308), 1 non-responses"
    )
    assert "no presentation was answered" in str(tally("print", 0, 0, 2))
