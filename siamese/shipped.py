"""Weights that ship with the packages: where they are, and whether they are what they should be."""

from __future__ import annotations

import hashlib
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
    sums = path.parent / SUMS
    if sums.is_file():
        lines = (line.partition(" ") for line in sums.read_text().splitlines())
        expected = {name.lstrip(" *"): sum_ for sum_, _, name in lines}
        if expected.get(path.name, actual) != actual:
            raise ModelError(
                f"{path}: wrong checksum; the file is damaged or was changed, install recog again"
            )
    return actual


def list_sums(folder: Path) -> None:
    """Write the list for every `.onnx` in a folder, in the format of `sha256sum`."""
    lines = [f"{sha256(path)}  {path.name}\n" for path in sorted(folder.glob("*.onnx"))]
    (folder / SUMS).write_text("".join(lines))
