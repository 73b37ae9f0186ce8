"""The one place that decides: every part must be there and hold."""

from __future__ import annotations

import itertools

import pytest

from pipeline.authentication.policy import Finding, Part, decide

ALL = {part: Finding(True, f"{part} holds") for part in Part}


def test_all_parts_together_let_somebody_in() -> None:
    verdict = decide(ALL)
    assert verdict.accepted
    assert verdict.part is None
    assert verdict.why == "identity holds"


@pytest.mark.parametrize("part", Part)
@pytest.mark.parametrize("holds", [False, None, 1, "yes"])
def test_one_part_that_does_not_surely_hold_refuses(part: Part, holds: bool | None) -> None:
    verdict = decide(ALL | {part: Finding(holds, "for a reason")})
    assert not verdict.accepted
    assert verdict.part is part
    assert verdict.why == "for a reason"


@pytest.mark.parametrize("part", Part)
def test_a_part_nobody_looked_at_refuses(part: Part) -> None:
    verdict = decide({each: found for each, found in ALL.items() if each is not part})
    assert not verdict.accepted
    assert verdict.part is part


def test_nothing_known_refuses() -> None:
    assert not decide({}).accepted


def test_of_all_combinations_just_one_accepts() -> None:
    kinds, parts = [Finding(holds, "") for holds in (True, False, None)], list(Part)
    accepted = [
        found
        for found in itertools.product(kinds, repeat=len(parts))
        if decide(dict(zip(parts, found, strict=True))).accepted
    ]
    assert accepted == [(kinds[0],) * len(parts)]
