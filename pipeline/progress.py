"""How long something still takes, shown on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


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
