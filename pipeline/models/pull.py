"""Fetching a model of the catalogue: only when asked, verified before it is where anybody would use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.models.catalogue import Entry
from siamese.errors import ModelError
from siamese.lfw.download import download
from siamese.shipped import sha256


def pull(
    entry: Entry, folder: Path, progress: Callable[[int, int | None], None] = lambda done, total: None
) -> Path:
    """Bring a model into `folder`, where it appears once its size and SHA-256 are right; return its path.

    A transfer that broke off goes on where it was; bytes with another checksum are removed. Where the very
    file is there already, nothing is fetched.

    Args:
        progress: called with bytes so far and bytes in all.

    Raises:
        ModelError: another file is in its place.
        siamese.errors.DataError: no network, wrong checksum, or the disk cannot be written.
    """
    target = folder / entry.file
    if target.exists():
        if not target.is_file() or sha256(target) != entry.sha256:
            raise ModelError(f"{target}: exists and is not {entry.name}; move it away and pull again")
        return target
    return download(entry.urls, target, entry.size, f"sha256:{entry.sha256}", progress)
