"""How what takes long says how far it is, and what is worth knowing: to its caller, if they listen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Report = Callable[[str], None]  # is told something in a line


class Progress(Protocol):
    """Is called each time that some work has gone on."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """
        Args:
            what: is being done. Words after a colon may change meanwhile: `training: epoch 3`.
            done: how much of it is.
            total: of how much in all; None if nobody knows.
        """
        ...


def silent(what: str, done: int, total: int | None) -> None:
    """Nobody wants to know."""


def unheard(line: str) -> None:
    """Nobody wants to know."""
