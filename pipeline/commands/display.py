"""What the library reports, shown to a person: how far it is, on stderr, and what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pipeline import progress as told

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on stderr, gone when done, so that stdout stays for results.

    Where stderr is no terminal, nothing is displayed: it is left to what went wrong.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # else what is printed meanwhile would miss the file it goes to
        disable=not console.is_terminal,
    ) as display:
        yield display


@contextmanager
def shown(visible: bool = True) -> Iterator[told.Progress]:
    """Shows what the library reports of its progress, a line for each kind of work."""
    with progress() as display:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            kind = what.partition(":")[0]
            if kind not in tasks:
                tasks[kind] = display.add_task(what, total=total, visible=visible)
            display.update(tasks[kind], completed=done, total=total, description=what)

        yield show


def heard(as_json: bool = False) -> tuple[told.Report, told.Report]:
    """What prints a run's reports, and what prints its warnings.

    Where stdout is for JSON, reports are left out; warnings go to stderr, for nobody should miss them.
    """
    if as_json:
        return told.unheard, aside
    return at_once, at_once


def at_once(line: str) -> None:
    """Say something on stdout that is read now and not when the run ends, such as that a camera is lost.

    Where that goes wrong, the line stays with what is to be written when the run ends, and `cli.main` says so
    then: that a reader is gone must not end a run whose files are not whole.
    """
    print(line)
    with suppress(OSError):
        sys.stdout.flush()


def aside(line: str) -> None:
    """Say something on stderr that is no result: what takes long, and why."""
    print(line, file=sys.stderr)
