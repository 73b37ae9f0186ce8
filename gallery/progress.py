"""How the gallery says what takes long, and how far it is: to its caller, if they listen."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]  # is told something in a line
Progress = Callable[[str, int, int | None], None]  # what is done, how much of it, of how much in all


def unheard(line: str) -> None:
    """Nobody wants to know."""


def silent(what: str, done: int, total: int | None) -> None:
    """Nobody wants to know."""
