"""A folder of folders: one folder for each person, with their photographs in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gallery import GalleryError, check_new_name
from pipeline.enrolment.photos import Looker, Outcome, look_at
from pipeline.errors import SourceError
from pipeline.sources.images import list_photos, unused


@dataclass(frozen=True, slots=True)
class Folder:
    """A person as a folder gives them; `refused` says why none can be made of it."""

    name: str
    photos: tuple[Path, ...]
    refused: str = ""
    unused: tuple[tuple[Path, str], ...] = ()  # what else is in the folder, and why no photo is made of it


def find_people(root: Path) -> list[Folder]:
    """The people of a folder, in the order of their folders' names. Hidden folders are passed over.

    Raises:
        SourceError: `root` cannot be listed, or has no folders in it.
    """
    try:
        inside = sorted(
            Path(entry.path)
            for entry in os.scandir(root)
            if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError as error:
        raise SourceError(f"cannot list {root}: {error.strerror}") from error
    if not inside:
        raise SourceError(f"{root} has no folders in it; --people takes one folder for each person")
    return [_folder(path) for path in inside]


def look_at_people(
    folders: Sequence[Folder], looker: Looker, threads: int
) -> Iterator[tuple[Folder, list[Outcome]]]:
    """Each person with the outcomes of their photographs, when the last of them was looked at.

    The photographs of all are looked at in one stream, so that no thread waits at the end of a person.
    """
    stream = look_at([photo for folder in folders for photo in folder.photos], looker, threads)
    for folder in folders:
        yield folder, [next(stream) for _ in folder.photos]


def _folder(path: Path) -> Folder:
    try:
        name = check_new_name(path.name)
        photos, others = tuple(list_photos(path)), tuple(unused(path))
    except (GalleryError, SourceError) as error:
        return Folder(path.name, (), str(error))
    return Folder(name, photos, "" if photos else "no photographs in this folder", others)
