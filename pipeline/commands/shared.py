"""What several commands do alike: settings from options, progress, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

    from pipeline.config import Settings


def settings_from(
    config: Path | None,
    assignments: Sequence[str] | None,
    detector: Path | None = None,
    model: Path | None = None,
) -> Settings:
    """Defaults, file, `--set`, and at last the explicit flags."""
    from pipeline.config import load

    settings = load(config, assignments or ())
    if detector is not None:
        settings = settings.model_copy(update={"det": settings.det.model_copy(update={"model": detector})})
    if model is not None:
        settings = settings.model_copy(update={"emb": settings.emb.model_copy(update={"model": model})})
    return settings


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


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, as wide as the terminal; nothing in it is taken for markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")  # a path that is cut short says nothing
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console().print(table)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
