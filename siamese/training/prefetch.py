"""Making the next batch while the present one is learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item], count: int = 2) -> Generator[Item, None, None]:
    """The items in their order, up to `count` of them made in a thread before they are asked for.

    What making an item raises is raised when it is asked for.
    """
    with ThreadPoolExecutor(1, "prefetch") as pool:
        waiting: deque[Future[Item | None]] = deque()
        for _ in range(count):
            waiting.append(pool.submit(next, items, None))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, items, None))
            yield item
