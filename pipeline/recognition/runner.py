"""Threads and channels: the whole concurrency of the pipeline.

    with Runner(source, [detect, recognise], live=source.live) as results:
        for result in results:
            ...
        print(results.dropped)

The source and each stage have a thread of their own; neighbours are joined by bounded channels. Results come
in order. A stage is a plain function that knows nothing of this.

How it ends. A channel can be *finished* by its producer (perhaps with an error): what waits in it is still
delivered, then the end. It can be *abandoned* by its consumer: whoever waits on it, on either side, stops at
once. A stage that raises finishes the channel after it and abandons the one before it, so that nobody is left
waiting on a full or empty channel, and the error arrives in its place, after the results before it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self


class _Abandoned(Exception):  # noqa: N818 (a signal between threads, never seen outside)
    """The other side of the channel has gone."""


class _Finished(Exception):  # noqa: N818
    """The channel is empty and nothing more will come."""


class _Channel:
    """A bounded first-in, first-out channel between two threads; both ends block without polling."""

    def __init__(self, capacity: int, newest_only: bool = False) -> None:
        self._items: deque[Any] = deque()
        self._capacity = capacity
        self._newest_only = newest_only
        self._changed = threading.Condition()
        self._finished = False
        self._abandoned = False
        self.error: BaseException | None = None
        self.dropped = 0

    def put(self, item: Any) -> None:
        """Append; when full, wait for room or, with `newest_only`, drop the oldest that waits."""
        with self._changed:
            if self._newest_only and len(self._items) >= self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: self._abandoned or len(self._items) < self._capacity)
            if self._abandoned:
                raise _Abandoned
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> Any:
        """Take the oldest item, waiting for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or self._items or self._finished)
            if self._abandoned:
                raise _Abandoned
            if not self._items:
                raise _Finished
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def finish(self, error: BaseException | None) -> None:
        """Say that nothing more will come, and why, if something went wrong."""
        with self._changed:
            self._finished, self.error = True, error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Say that nothing more will be taken; what waits is let go."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()


class Runner:
    """Runs every item of `source` through `stages`; iterate over it once, inside a `with` statement.

    Leaving the `with` statement, however that happens, stops and joins every thread. A stage that is in the
    middle of a call is waited for: Python cannot interrupt it.

    Args:
        source: iterated in a thread of its own. If its iterator has `close` (a generator), that is called
            there, too, when the run ends early.
        stages: stage `i + 1` takes what stage `i` returns; stage 0 takes the items of the source.
        live: the source does not wait. Only its newest item waits for the first stage, the one that it
            replaces is dropped and counted, and every later channel holds one item, so that results are
            as fresh as they can be.
        depth: how many items may wait between two neighbours where the source is not live.
    """

    def __init__(
        self,
        source: Iterable[Any],
        stages: Sequence[Callable[[Any], Any]],
        live: bool = False,
        depth: int = 4,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self._source = source
        self._stages = list(stages)
        capacity = 1 if live else depth
        # channels[i] leads into stage i; the last one leads to the caller.
        self._channels = [_Channel(capacity, newest_only=live)]
        self._channels += [_Channel(capacity) for _ in self._stages]
        self._threads: list[threading.Thread] = []
        self._started = False

    @property
    def dropped(self) -> int:
        """How many items of a live source were replaced by newer ones before the first stage took them."""
        return self._channels[0].dropped

    def __iter__(self) -> Generator[Any]:
        """Yield the results in order.

        Raises:
            BaseException: whatever the source or a stage raised, with its own traceback, after the results
                of the items before it.
        """
        if self._started:
            raise RuntimeError("a Runner runs once; make a new one")
        self._started = True
        return self._results()

    def _results(self) -> Generator[Any]:
        results = self._channels[-1]
        try:
            self._start()
            while True:
                try:
                    item = results.get()
                except (_Finished, _Abandoned):  # abandoned: `close` was called between two items
                    break
                yield item
        finally:
            self.close()
        if results.error is not None:
            raise results.error

    def close(self) -> None:
        """Stop every thread and wait for it. May be called again."""
        for channel in self._channels:
            channel.abandon()
        for thread in self._threads:
            if thread is not threading.current_thread():  # a forgotten generator may be collected anywhere
                thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        self._begin("source", self._pump)
        for i, stage in enumerate(self._stages):
            self._begin(getattr(stage, "__name__", type(stage).__name__), self._work, i)

    def _begin(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        # Daemons, so that a run that nobody closed cannot keep the interpreter from ending.
        thread = threading.Thread(target=target, args=arguments, name=f"recog {name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _pump(self) -> None:
        """Thread of the source."""
        outbox = self._channels[0]
        error: BaseException | None = None
        iterator: Iterator[Any] | None = None
        try:
            iterator = iter(self._source)
            for item in iterator:
                outbox.put(item)
        except _Abandoned:
            pass
        except BaseException as raised:  # re-raised in the caller's thread
            error = raised
        try:
            if isinstance(iterator, Generator):
                iterator.close()
        except BaseException as raised:
            error = error or raised
        outbox.finish(error)

    def _work(self, i: int) -> None:
        """Thread of stage `i`."""
        inbox, outbox, stage = self._channels[i], self._channels[i + 1], self._stages[i]
        error: BaseException | None = None
        try:
            while True:
                outbox.put(stage(inbox.get()))
        except _Finished:
            error = inbox.error
        except _Abandoned:
            pass
        except BaseException as raised:  # re-raised in the caller's thread
            error = raised
        inbox.abandon()
        outbox.finish(error)


def run(
    source: Iterable[Any], stages: Sequence[Callable[[Any], Any]], live: bool = False, depth: int = 4
) -> Generator[Any]:
    """Yield the results of a `Runner` and close it when the generator is closed.

    A `for` loop that is left by an exception does not close its generator at once; where threads must be
    gone by then, use `Runner` in a `with` statement.
    """
    with Runner(source, stages, live, depth) as results:
        yield from results
