"""Workers in processes of their own on this machine: one that dies takes nothing with it but its task."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Protocol, Self

from pipeline.api import ERRORS
from pipeline.errors import PipelineError
from pipeline.fleet.jobs import Outcome, Recipe, Task
from pipeline.fleet.worker import Worker


@dataclass(frozen=True, slots=True)
class Died:
    """The worker is gone, and with it the task that it had."""

    why: str


class Crew(Protocol):
    """Workers that take tasks."""

    def free(self) -> int:
        """How many tasks would be begun at once."""
        ...

    def give(self, task: Task) -> None:
        """Have a free worker do a task."""
        ...

    def wait(self, seconds: float) -> list[tuple[Task, Outcome | Died]]:
        """What was done since, after waiting so long for it at most.

        Raises:
            PipelineError: workers cannot begin.
        """
        ...


@dataclass(slots=True)
class _Hand:
    process: SpawnProcess
    line: Connection
    task: Task | None = None
    begun: bool = False  # models are open


class Processes:
    """So many processes; one that dies is replaced. Use it in a `with` statement."""

    def __init__(
        self, recipe: Recipe, count: int, start: Callable[[Connection, Recipe], None] | None = None
    ) -> None:
        """
        Args:
            start: what each process runs; `serve` if None.
        """
        self._recipe, self._start = recipe, start or serve
        self._hands = [self._hire() for _ in range(count)]

    def free(self) -> int:
        return sum(hand.task is None for hand in self._hands)

    def give(self, task: Task) -> None:
        place = next(i for i, hand in enumerate(self._hands) if hand.task is None)
        hand = self._hands[place]
        hand.task = task
        with suppress(OSError):  # it has died: `wait` tells
            hand.line.send(task)

    def wait(self, seconds: float) -> list[tuple[Task, Outcome | Died]]:
        found: list[tuple[Task, Outcome | Died]] = []
        ready = wait([hand.line for hand in self._hands], seconds)
        for place, hand in enumerate(self._hands):
            if hand.line not in ready:
                continue
            try:
                said = hand.line.recv()
            except (EOFError, OSError):
                found += self._replace(place, hand)
                continue
            if isinstance(said, PipelineError):
                raise said
            if said is None:
                hand.begun = True
            elif hand.task is not None:
                found.append((hand.task, said))
                hand.task = None
        return found

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        for hand in self._hands:
            hand.process.kill()
            hand.line.close()
        for hand in self._hands:
            hand.process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _replace(self, place: int, hand: _Hand) -> list[tuple[Task, Outcome | Died]]:
        hand.line.close()
        hand.process.join()
        code = hand.process.exitcode or 0
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        if not hand.begun:
            hint = "try it with fewer: --workers" if code < 0 else "it has said why above"
            raise PipelineError(f"a worker ended while it was starting ({why}); {hint}")
        self._hands[place] = self._hire()
        return [] if hand.task is None else [(hand.task, Died(why))]

    def _hire(self) -> _Hand:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=self._start, args=(theirs, self._recipe), daemon=True)
        process.start()
        theirs.close()
        return _Hand(process, ours)


def serve(line: Connection, recipe: Recipe) -> None:
    """What a process of the crew runs: it says None when it is ready, then answers each task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal; the driver ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        worker = Worker(recipe)
    except ERRORS as error:  # a bug ends the process, with its traceback
        line.send(PipelineError(" ".join(str(error).split())))
        return
    with worker:
        line.send(None)
        while True:
            try:
                task = line.recv()
            except EOFError:
                return
            line.send(worker.do(task))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
