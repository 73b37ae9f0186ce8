"""Making batches ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from siamese.training.prefetch import ahead


def test_items_come_in_their_order_and_end() -> None:
    assert list(ahead(iter(range(1, 50)))) == list(range(1, 50))
    assert list(ahead(iter([]))) == []


def test_the_next_item_is_made_while_this_one_is_used() -> None:
    made = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number + 1

    with closing(ahead(items(), 2)) as shown:
        assert next(shown) == 1
        assert made[1].wait(10)
        assert made[2].wait(10)


def test_what_goes_wrong_in_making_is_raised_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    shown = ahead(items())
    assert next(shown) == 1
    with pytest.raises(ValueError, match="the second"):
        next(shown)


def test_nothing_runs_on_once_it_is_closed() -> None:
    before = threading.active_count()
    shown = ahead(iter(range(1, 1000)))
    next(shown)
    shown.close()
    assert threading.active_count() == before
