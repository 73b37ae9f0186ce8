"""Finding the films of an archive."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import SourceError

FILM_SUFFIXES = frozenset(
    {
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".m1v",
        ".m2t",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpeg",
    }
    | {".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm"}
    | {".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)


def list_films(folder: Path, besides: Path | None = None) -> list[Path]:
    """The films below a folder, by their suffix, in the order of their names. Hidden ones are left out.

    Links to files are followed, links to folders are not: they may lead around in circles.

    Args:
        besides: a folder that is not looked into.

    Raises:
        SourceError: a folder cannot be listed: what it holds would be missing without a word.
    """

    def refuse(error: OSError) -> None:
        raise SourceError(f"cannot list {error.filename}: {error.strerror}") from error

    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder; give the one that the films are in")
    left_out = None if besides is None or not besides.exists() else os.path.realpath(besides)
    found = []
    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith(".") and os.path.realpath(os.path.join(root, each)) != left_out
        )
        found += [
            Path(root, each)
            for each in files
            if not each.startswith(".") and Path(each).suffix.lower() in FILM_SUFFIXES
        ]
    return sorted(path for path in found if path.is_file())
