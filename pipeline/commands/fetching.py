"""What is told and asked before a model is downloaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipeline.models.catalogue import Entry


def bring(entry: Entry, folder: Path, yes: bool) -> Path:
    """Download a model, after telling about it and asking, unless it is there; its path.

    Raises:
        ModelError: nobody can be asked, or the answer was no.
        DataError: it cannot be had.
    """
    from pipeline.commands.display import progress
    from pipeline.models.pull import pull as fetch

    if (folder / entry.file).exists():
        return fetch(entry, folder)  # verified
    _tell(entry, folder)
    if not yes:
        _ask()
    with progress() as display:
        task = display.add_task(f"downloading {entry.file}", total=entry.size)
        return fetch(entry, folder, lambda done, total: display.update(task, completed=done, total=total))


def _tell(entry: Entry, folder: Path) -> None:
    """What is about to be downloaded."""
    for about, said in {
        "model": f"{entry.name} ({entry.kind})",
        "from": entry.urls[0],
        "to": folder / entry.file,
        "size": f"{entry.size:,} bytes",
        "licence": entry.licence,
        "SHA-256": entry.sha256,
    }.items():
        print(f"{about:<8} {said}")


def _ask() -> None:
    """Download only if the user says so.

    Raises:
        ModelError: there is nobody to ask, or the answer was no.
    """
    from siamese.errors import ModelError

    if not sys.stdin.isatty():
        raise ModelError("nothing was downloaded: nobody can be asked here; say --yes")
    if not typer.confirm("Download it?", default=False):
        raise ModelError("nothing was downloaded")
