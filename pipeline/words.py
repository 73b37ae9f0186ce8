"""How many of something, in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 photo`, `1,200 photos`; `1 person`, `2 people`.

    Args:
        many: the word for several; that for one with an s if it is left out.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def counted_people(number: int) -> str:
    """`1 person`, `2 people`."""
    return counted(number, "person", "people")
