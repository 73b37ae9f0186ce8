"""Folders of faces beyond LFW, as people have them: aligned already or not, with names or without.

A folder is one of three kinds, told by what is in it:

    faces.json    a crop set, as `recog data align` writes it
    faces.csv     aligned crops of 112 x 112 pixels, in crops.zip or beside it: columns file, source,
                  identity, and age where it is known
    pictures      photographs, in sub-folders or not; `identity.txt` (FILE NUMBER on each line, as CelebA has
                  it) says who they show, or else, where that is asked for, the name of each sub-folder
"""

from __future__ import annotations

import csv
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from pipeline.config import Settings
from pipeline.errors import SinkError, SourceError
from pipeline.faces.align import SIZE
from pipeline.progress import Progress, silent
from pipeline.sources.images import PHOTO_SUFFIXES
from pipeline.training.data import align_listed, make_folder
from pipeline.types import Image
from siamese import crops
from siamese.crops import CropSet, GrowingCrops
from siamese.errors import DataError
from siamese.metrics import Ints

TABLE, ZIP, IDENTITIES = "faces.csv", "crops.zip", "identity.txt"
ALIGNED = "aligned already"  # as a set's alignment: by a detector that is not known
PORTION = 256  # crops between two writes to the disk
# Two sets have the age in each file's name: UTKFace (AGE_SEX_ORIGIN_TIME) and All-Age-Faces (NUMBERAage).
AGES = (re.compile(r"(\d{1,3})_[01]_[0-4]_\d+"), re.compile(r"\d{5}A(\d{2,3})\."))

Kind = Literal["crop set", "table", "pictures"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder, before a picture is read. Entry i of each tuple is one face."""

    folder: Path
    kind: Kind
    files: tuple[str, ...]
    people: tuple[str, ...]  # "" where nobody's name is known
    sources: tuple[str, ...]  # what each face came from: within a source, two names are two people
    ages: tuple[float, ...]  # NaN where not known


def listed(folder: Path, by_folder: bool = False) -> Listing:
    """What is in a folder.

    Args:
        by_folder: sub-folders of pictures are people's names.

    Raises:
        SourceError: no such folder, no faces in it, or a list in it that cannot be read.
        DataError: a damaged crop set.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: there is no such folder")
    if (folder / "faces.json").is_file():
        kept = crops.read(folder)
        nothing = (math.nan,) * len(kept)
        return Listing(folder, "crop set", kept.files, kept.people, (folder.name,) * len(kept), nothing)
    if (folder / TABLE).is_file():
        return _table(folder)
    made = {folder / "crops", folder / "crops-yunet"}
    files = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix.lower() in PHOTO_SUFFIXES and not made & set(path.parents)
    )
    if not files:
        raise SourceError(f"{folder}: no pictures in this folder")
    numbers = _identities(folder)
    if numbers:
        people = [f"{folder.name}:{numbers[n]}" if (n := Path(f).name) in numbers else "" for f in files]
    else:
        people = [Path(file).parts[0] if by_folder and len(Path(file).parts) > 1 else "" for file in files]
    ages = tuple(age_of(file) for file in files)
    return Listing(folder, "pictures", tuple(files), tuple(people), (folder.name,) * len(files), ages)


def age_of(file: str) -> float:
    """The age that a file's name tells, in years; NaN where it tells none."""
    name = Path(file).name
    return next((float(found[1]) for each in AGES if (found := each.match(name))), math.nan)


def aligned(
    listing: Listing,
    rows: Ints,
    out: Path,
    settings: Settings,
    yunet: Path | None = None,
    progress: Progress = silent,
) -> CropSet:
    """The faces of these rows as aligned crops, in order.

    Args:
        out: keeps the crops of pictures; crops that are aligned already are read where they are.
        yunet: a YuNet model whose landmarks shall be used instead of our own detector's.

    Raises:
        SourceError: a picture that cannot be read, or an aligned crop of another size.
        SinkError, DetectorError, SiameseError: as `pipeline.training.data.align_listed`.
    """
    files = tuple(listing.files[row] for row in rows)
    people = tuple(listing.people[row] for row in rows)
    if listing.kind == "crop set":
        return crops.read(listing.folder).rows(rows)
    if listing.kind == "table":
        images = np.empty((len(rows), SIZE, SIZE, 3), np.uint8)
        for row, image in enumerate(_crops(listing.folder, files)):
            images[row] = image
        return CropSet(images, files, people, np.ones(len(rows), np.bool_), ALIGNED)
    kept = align_listed(listing.folder, files, out, settings, False, yunet, progress=progress)
    return CropSet(kept.images, kept.files, people, kept.found, kept.alignment)


def crop_set(
    folder: Path,
    name: str,
    settings: Settings,
    yunet: Path | None = None,
    progress: Progress = silent,
) -> tuple[CropSet, Path]:
    """All faces of a folder, made once where they are not aligned already, and where they are kept.

    Args:
        name: of the folder inside it that receives the crops.

    Raises:
        SourceError: no such folder, no faces in it, or a picture that cannot be read.
        SinkError, DetectorError, SiameseError: as `pipeline.training.data.align_listed`.
    """
    listing = listed(folder)
    if listing.kind == "crop set":
        return crops.read(folder), folder
    out = folder / name
    if listing.kind == "pictures":
        return aligned(listing, np.arange(len(listing.files)), out, settings, yunet, progress), out
    with suppress(DataError):  # none yet, or a damaged one: it is made again
        present = crops.read(out)
        if (present.files, present.people) == (listing.files, listing.people):
            return present, out
    make_folder(out)
    try:
        with closing(GrowingCrops(out, listing.files, listing.people, ALIGNED)) as growing:
            left = _crops(folder, listing.files[growing.done :])
            for portion in _portions(left):
                growing.append(np.stack(portion), np.ones(len(portion), np.bool_))
                progress("unpacking faces", growing.done, len(listing.files))
            growing.finish()
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return crops.read(out), out


def _table(folder: Path) -> Listing:
    path = folder / TABLE
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read as a list of faces ({error})") from error
    if not rows or not {"file", "source", "identity"} <= rows[0].keys():
        raise SourceError(f"{path}: no list of faces; its columns are to be file, source, identity")
    if broken := [number for number, row in enumerate(rows, 2) if not row["file"] or row["identity"] is None]:
        raise SourceError(f"{path}: line {broken[0]} has too few fields")
    try:
        ages = tuple(float(row.get("age") or "nan") for row in rows)
    except ValueError as error:
        raise SourceError(f"{path}: an age is no number ({error})") from error
    return Listing(
        folder,
        "table",
        tuple(row["file"] for row in rows),
        # Some lists say what kind of name it is: of LFW's people, with whom it is then one.
        tuple(row["identity"].removeprefix("name:") for row in rows),
        tuple(row["source"] for row in rows),
        ages,
    )


def _identities(folder: Path) -> dict[str, str]:
    """Who each file shows, by CelebA's list; nobody where there is none."""
    path = folder / IDENTITIES
    if not path.is_file():
        return {}
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as a list of who is who ({error})") from error
    lines = lines[1:] if lines and lines[0] == ["image", "identity"] else lines
    if wrong := [line for line in lines if len(line) != 2]:
        raise SourceError(f"{path}: expected a file and a number on each line, not {' '.join(wrong[0])!r}")
    return {line[0]: line[1] for line in lines}


def _crops(folder: Path, files: Sequence[str]) -> Iterator[Image]:
    """Aligned crops, one after the other, out of the archive or from beside the list."""
    archive = folder / ZIP
    if not archive.is_file():
        yield from _decoded(files, lambda file: (folder / file).read_bytes(), folder)
        return
    try:
        with zipfile.ZipFile(archive) as opened:
            yield from _decoded(files, opened.read, archive)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{archive}: damaged ({error}); copy it again") from error


def _decoded(files: Iterable[str], read: Callable[[str], bytes], where: Path) -> Iterator[Image]:
    for file in files:
        try:
            content = read(file)
        except (KeyError, OSError) as error:
            raise SourceError(f"{where}: {file} is not in it, or cannot be read") from error
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        if image is None:
            raise SourceError(f"{where}: {file} cannot be read as an image")
        if image.shape != (SIZE, SIZE, 3):
            raise SourceError(
                f"{where}: {file} has {image.shape[1]} x {image.shape[0]} pixels, an aligned crop has "
                f"{SIZE} x {SIZE}"
            )
        yield image.astype(np.uint8, copy=False)


def _portions(images: Iterator[Image]) -> Iterator[list[Image]]:
    portion: list[Image] = []
    for image in images:
        portion.append(image)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion
