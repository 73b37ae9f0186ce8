"""Triplets on disk, in the layout of the well-known tutorial: an anchor, a positive, a negative a row.

    ROOT/anchor/000001_NAME_0001.jpg      a person
    ROOT/positive/000001_NAME_0002.jpg    another image of the same person
    ROOT/negative/000001_OTHER_0001.jpg   somebody else
    ROOT/triplets.json                    which rows are ours to renew

`make_triplets` fills the folders from LFW. A person's own anchors and positives, which `recog collect` puts
there under names from `own_name`, are left alone by it. All of them show one person: nobody of LFW.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from siamese.errors import DataError
from siamese.lfw import files as lfw

KINDS = ("anchor", "positive", "negative")
MARKER = "triplets.json"
NUMBERED = re.compile(r"(\d{6,})_.+_\d{4}\.jpg")
NAMED = re.compile(r"(?:\d{6,}_)?(.+)_\d{4}\.\w+")
OWN = re.compile(r"own-\d{19}-[0-9a-f]{8}\.jpg")
IMAGES = (".jpg", ".jpeg", ".png")
YOU = "you"  # whom all own images show


class Triplet(NamedTuple):
    """One row: two images of a person and one of somebody else."""

    anchor: Path
    positive: Path
    negative: Path


def person_of(image: Path) -> str:
    """Who is in an image of a triplet: a name as in LFW, YOU, or "" for a stranger without a name.

    Args:
        image: in one of the three folders.
    """
    named = NAMED.fullmatch(image.name)
    if image.parent.name != KINDS[2] and not NUMBERED.fullmatch(image.name):
        return YOU
    return named[1] if named else ""


def own_name() -> str:
    """A new file name for an own image. Names sort by the time they were made and tell nothing else."""
    return f"own-{time.time_ns():019d}-{secrets.token_hex(4)}.jpg"


def make_triplets(
    images: Path,
    out: Path,
    count: int | None = None,
    seed: int = 0,
    *,
    people: Collection[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Fill the three folders from LFW and return the number of rows. The same call again does nothing.

    Every image of a person with two or more is an anchor once before any is twice; its positive is another
    image of that person, its negative any image of anybody else, all chosen by `seed`.

    Args:
        images: folder of people, as `siamese.lfw.files.prepare` leaves it.
        out: receives the folders. Rows of an earlier call with other settings are replaced.
        count: rows; one for each possible anchor if None.
        people: the only ones to take, such as View 1's people to train on; everybody if None.
        progress: called with rows written and rows in all.

    Raises:
        DataError: `out` holds files that are not ours, no triplets can be made of these images, or the disk
            cannot be written.
    """
    photos = [photo for photo in lfw.images(images) if people is None or photo.person in people]
    rows = _choose(photos, count, seed)
    if not rows:
        raise DataError(
            f"{images}: triplets need a person with two images, a second person, and a count from 1"
        )
    # The rows themselves are too many to note; their settings and the images they were drawn from imply them.
    settings = {"rows": len(rows), "seed": seed, "drawn from": _fingerprint(photos)}
    try:
        _refuse_foreign(out)
        if _noted(out) == {**settings, "complete": True} and _numbered(out) == [len(rows)] * 3:
            return len(rows)
        _write(out, images, rows, settings, progress)
    except OSError as error:
        raise DataError(f"{out}: triplets cannot be written here ({error})") from error
    return len(rows)


def read_triplets(root: Path) -> list[Triplet]:
    """The rows of a folder: those from LFW by their numbers, then the person's own.

    Own anchors and positives are paired in the order they were taken, the fewer over again until the more are
    used up; the negatives serve them in turn.

    Raises:
        DataError: the folder holds no triplets, or a row or the own images lack a part.
    """
    noted = _noted(root)
    if noted is not None and not noted.get("complete"):
        raise DataError(f"{root}: filling it was interrupted; make the triplets again")
    files = [_files(root / kind) for kind in KINDS]
    rows = [{match[1]: path for path in paths if (match := _ours(path))} for paths in files]
    incomplete = sorted(set.union(*map(set, rows)) - set.intersection(*map(set, rows)))
    if incomplete:
        raise DataError(
            f"{root}: row {incomplete[0]} lacks its anchor, positive or negative; make them again"
        )
    triplets = [Triplet(*(row[number] for row in rows)) for number in sorted(rows[0], key=int)]
    anchors, positives = ([path for path in paths if not _ours(path)] for paths in files[:2])
    if anchors or positives:
        for kind, paths in zip(KINDS, (anchors, positives, files[2]), strict=True):
            if not paths:
                raise DataError(f"{root / kind}: own images need anchors, positives and negatives; none here")
        triplets += [
            Triplet(anchors[i % len(anchors)], positives[i % len(positives)], files[2][i % len(files[2])])
            for i in range(max(len(anchors), len(positives)))
        ]
    if not triplets:
        raise DataError(f"{root}: no triplets here; make them from LFW or collect your own")
    return triplets


def _choose(photos: list[lfw.Photo], count: int | None, seed: int) -> list[tuple[str, str, str]]:
    """Files of anchors, positives and negatives, by chance; none where that is impossible."""
    by_person: dict[str, list[str]] = {}
    for photo in photos:
        by_person.setdefault(photo.person, []).append(photo.file)
    anchors = [photo for photo in photos if len(by_person[photo.person]) > 1]
    if len(by_person) < 2 or not anchors:
        return []
    chance = random.Random(seed)  # noqa: S311  nothing secret; the same seed gives the same triplets
    rows: list[tuple[str, str, str]] = []
    wanted = len(anchors) if count is None else count
    while len(rows) < wanted:
        chance.shuffle(anchors)
        for anchor in anchors[: wanted - len(rows)]:
            positive = chance.choice([file for file in by_person[anchor.person] if file != anchor.file])
            negative = chance.choice(photos)
            while negative.person == anchor.person:
                negative = chance.choice(photos)
            rows.append((anchor.file, positive, negative.file))
    return rows


def _write(
    out: Path,
    images: Path,
    rows: list[tuple[str, str, str]],
    settings: dict[str, object],
    progress: Callable[[int, int], None],
) -> None:
    """Replace our rows. The marker says that they are incomplete until they are not."""
    out.mkdir(parents=True, exist_ok=True)
    _note(out, {**settings, "complete": False})
    for kind in KINDS:
        (out / kind).mkdir(exist_ok=True)
        for path in _files(out / kind):
            if _ours(path):
                path.unlink()
    for number, row in enumerate(rows, start=1):
        for kind, file in zip(KINDS, row, strict=True):
            shutil.copyfile(images / file, out / kind / f"{number:06d}_{Path(file).name}")
        progress(number, len(rows))
    _note(out, {**settings, "complete": True})


def _refuse_foreign(out: Path) -> None:
    """Raise `DataError` if anything in the folders is neither ours to renew nor a person's own image."""
    marked = _noted(out) is not None
    for kind in KINDS:
        for path in sorted((out / kind).iterdir()) if (out / kind).exists() else ():
            hidden = path.name.startswith(".")  # file managers leave such files anywhere
            if not (hidden or OWN.fullmatch(path.name) or (marked and _ours(path))):
                raise DataError(f"{path}: not made by recog; move it away or choose another folder")


def _fingerprint(photos: list[lfw.Photo]) -> str:
    """Stands for the names of the images that triplets were drawn from."""
    return hashlib.sha256("\n".join(photo.file for photo in photos).encode()).hexdigest()


def _numbered(out: Path) -> list[int]:
    return [sum(_ours(path) is not None for path in _files(out / kind)) for kind in KINDS]


def _ours(path: Path) -> re.Match[str] | None:
    return NUMBERED.fullmatch(path.name)


def _files(folder: Path) -> list[Path]:
    """The images of a folder, sorted; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES)


def _noted(root: Path) -> dict[str, object] | None:
    """The marker's content; None where there is no marker, empty where it is damaged."""
    try:
        noted = json.loads((root / MARKER).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _note(out: Path, content: dict[str, object]) -> None:
    part = out / (MARKER + ".part")
    part.write_text(json.dumps(content))
    os.replace(part, out / MARKER)
