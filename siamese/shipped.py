"""Weights that ship with the packages: where they are, and whether they are what they should be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from siamese.errors import ModelError

SUMS = "SHA256SUMS"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(path: Path) -> str:
    """The SHA-256 of a model file, checked against the list beside it where that list names the file.

    Raises:
        ModelError: the file is missing, or its content is not what the list says.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    actual = sha256(path)
    if listed(path) not in (None, actual):
        raise ModelError(f"{path}: wrong checksum; the file is damaged or was changed, install recog again")
    return actual


def listed(path: Path) -> str | None:
    """The SHA-256 that the list beside a file states for it, as hex; None where it states none."""
    sums = path.parent / SUMS
    if not sums.is_file():
        return None
    return {_named(line): line.partition(" ")[0] for line in sums.read_text().splitlines()}.get(path.name)


def record(path: Path) -> None:
    """Put a model file's checksum into the list beside it; where there is no list, none is begun.

    The list is in the format of `sha256sum`, sorted by name; what it says of other files stays.
    """
    sums = path.parent / SUMS
    if not sums.is_file():
        return
    others = [line for line in sums.read_text().splitlines() if line and _named(line) != path.name]
    lines = sorted([*others, f"{sha256(path)}  {path.name}"], key=_named)
    temporary = sums.with_suffix(".tmp")
    temporary.write_text("".join(f"{line}\n" for line in lines))
    os.replace(temporary, sums)


def _named(line: str) -> str:
    """The file that a line of the list is about."""
    return line.partition(" ")[2].lstrip(" *")
