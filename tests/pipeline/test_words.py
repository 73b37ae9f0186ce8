"""One of something, and several."""

from __future__ import annotations

from pipeline.words import counted, counted_people


def test_one_of_something_is_not_told_as_several() -> None:
    assert [counted(number, "photo") for number in (0, 1, 2, 1200)] == [
        "0 photos",
        "1 photo",
        "2 photos",
        "1,200 photos",
    ]
    assert [counted_people(number) for number in (0, 1, 12_000)] == ["0 people", "1 person", "12,000 people"]
