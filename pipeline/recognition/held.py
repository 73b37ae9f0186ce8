"""Results that a stage holds back for a while, so that what comes later has a say in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pipeline.types import Result


class Holder(Protocol):
    """A stage that holds results back."""

    def take(self, result: Result) -> Iterator[Result]:
        """Take one result in; yields those that are due, oldest first."""

    def rest(self) -> Iterator[Result]:
        """What is still held back, now that nothing more will come."""


def given_out(results: Iterable[Result], holder: Holder) -> Iterator[Result]:
    """`results` as a stage gives them out. Where they end by an error, what was held back comes before it."""
    error: Exception | None = None
    try:
        for result in results:
            yield from holder.take(result)
    except Exception as raised:  # re-raised below
        error = raised
    yield from holder.rest()
    if error is not None:
        raise error
