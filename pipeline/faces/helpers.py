"""Who looks at the same picture at the same time, where there are cores for that."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

Helpers = Callable[[], Executor | None]  # asked for each picture: None while the cores are wanted elsewhere


def nobody_helps() -> None:
    """One thread does all of it."""
