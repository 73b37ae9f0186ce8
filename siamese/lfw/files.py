"""Labeled Faces in the Wild: what its folders hold and what its protocol says.

    ROOT/lfw-deepfunneled/NAME/NAME_0001.jpg    the images, 250 x 250
    ROOT/pairs.txt, people.txt, ...             the protocol: View 1 to choose by, View 2 to report

`siamese.lfw.archive` brings them here.

G. Huang, M. Ramesh, T. Berg, E. Learned-Miller: Labeled Faces in the Wild, UMass Amherst 07-49, 2007.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from siamese.errors import DataError

FOLDER = "lfw-deepfunneled"
NAME = re.compile(r"[^\s/\\:.][^\s/\\:]*")  # of a person: one part of a path, and not a hidden one


class Photo(NamedTuple):
    """One image."""

    file: str  # relative to the images' folder: NAME/NAME_0001.jpg
    person: str


class Person(NamedTuple):
    """A person of the protocol, and how many images there are."""

    name: str
    images: int


class Pair(NamedTuple):
    """Two images, relative to the images' folder, and whether they show the same person."""

    first: str
    second: str
    same: bool


def image_name(person: str, number: int) -> str:
    """An image's path relative to the images' folder: `NAME/NAME_0001.jpg`."""
    return f"{person}/{person}_{number:04d}.jpg"


def images(root: Path) -> list[Photo]:
    """The images of a folder of people, sorted; files that are not named like LFW's are passed over.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    photos = find_photos(root)
    if not photos:
        raise DataError(f"{root}: no images named NAME/NAME_0001.jpg here; get them with: recog data lfw")
    return photos


def find_photos(root: Path) -> list[Photo]:
    """The images of a folder of people, sorted; none where there is no such folder."""
    if not root.is_dir():
        return []
    return sorted(
        Photo(f"{folder.name}/{file}", folder.name)
        for folder in root.iterdir()
        if folder.is_dir()
        for file in os.listdir(folder)
        if is_photo(folder.name, file)
    )


def is_photo(person: str, file: str) -> bool:
    """Whether a file in the folder of `person` is named like one of LFW's images."""
    return bool(NAME.fullmatch(person)) and re.fullmatch(re.escape(person) + r"_\d{4}\.jpg", file) is not None


def read_people(path: Path) -> list[Person]:
    """Everybody in a people file, in its order.

    Raises:
        DataError: the file is missing or malformed; says in which line.
    """
    return [person for fold in read_people_folds(path) for person in fold]


def read_people_folds(path: Path) -> list[list[Person]]:
    """A people file by fold: `people.txt` has ten, `peopleDevTrain.txt` and `peopleDevTest.txt` one.

    Raises:
        DataError: the file is missing or malformed; says in which line.
    """
    lines = _Lines(path)
    number = lines.count(lines.take(1)[0])
    sizes = [number]
    folds = []
    # View 2 has a number of folds, then each with its own count; View 1 has just the count.
    view2 = len(lines.peek()) == 1
    for _ in range(number if view2 else 1):
        if view2:
            sizes = [lines.count(lines.take(1)[0])]
        fold = []
        for _ in range(sizes[0]):
            name, count = lines.take(2)
            fold.append(Person(lines.name(name), lines.count(count)))
        folds.append(fold)
    lines.end()
    return folds


def read_pairs(path: Path) -> list[list[Pair]]:
    """A pairs file by fold: `pairs.txt` has ten, `pairsDevTrain.txt` and `pairsDevTest.txt` one.

    Raises:
        DataError: the file is missing or malformed; says in which line.
    """
    lines = _Lines(path)
    *folds, size = [lines.count(field) for field in lines.take(1, 2)]
    pairs: list[list[Pair]] = []
    for _ in range(folds[0] if folds else 1):
        fold = []
        for row in range(2 * size):
            same = row < size  # the pairs of one person come first
            first, number, *second = lines.take(3 if same else 4)
            other = first if same else second[0]
            if same and number == second[-1]:
                raise lines.error("an image is paired with itself")
            if not same and first == other:
                raise lines.error("a pair of two people names one")
            names = [
                image_name(lines.name(person), lines.count(count))
                for person, count in ((first, number), (other, second[-1]))
            ]
            fold.append(Pair(names[0], names[1], same))
        pairs.append(fold)
    lines.end()
    return pairs


def view1_split(protocol: Path) -> tuple[list[str], list[str]]:
    """The names of View 1's people to train on and to test on, from the folder of the protocol files.

    Raises:
        DataError: a file is missing or malformed, or somebody is in both.
    """
    train, test = (
        [person.name for person in read_people(protocol / f"peopleDev{part}.txt")]
        for part in ("Train", "Test")
    )
    if both := sorted(set(train) & set(test)):
        raise DataError(f"{protocol}: {both[0]} is in both peopleDevTrain.txt and peopleDevTest.txt")
    return train, test


def split_people(names: Iterable[str], validation_share: float = 0.1) -> tuple[list[str], list[str]]:
    """Part people into those to fit and those to validate on, each in the order given.

    A name alone decides its side, by its hash: whoever else is there, in whatever order, it stays there.
    """
    if not 0 <= validation_share <= 1:
        raise ValueError(f"validation_share is {validation_share}, expected 0 to 1")
    fit: list[str] = []
    validation: list[str] = []
    for name in names:
        # In 0..1, the last decimal digit of the hash counting most: a tenth is whose hash ends in 0.
        rest, last = divmod(int.from_bytes(hashlib.sha256(name.encode()).digest()), 10)
        fraction = (last + rest % 2**32 / 2**32) / 10
        (validation if fraction < validation_share else fit).append(name)
    return fit, validation


class _Lines:
    """The lines of a protocol file one after the other, as fields; errors say file and line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0  # lines taken so far
        try:
            self._rows = [line.split() for line in path.read_text(encoding="utf-8").rstrip().splitlines()]
        except FileNotFoundError as error:
            raise DataError(
                f"{path}: no such list of LFW; get it with: recog data lfw, or say where LFW is with --root"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as a protocol file of LFW ({error})") from error

    def peek(self) -> list[str]:
        """The fields of the next line; none at the end."""
        return self._rows[self._at] if self._at < len(self._rows) else []

    def take(self, *widths: int) -> list[str]:
        """The fields of the next line, which must be one of these numbers of them."""
        fields = self.peek()
        self._at += 1
        if len(fields) not in widths:
            expected = " or ".join(map(str, widths))
            raise self.error(f"{len(fields)} fields, expected {expected}")
        return fields

    def end(self) -> None:
        """Make sure that nothing follows."""
        self._at += 1
        if self._at <= len(self._rows):
            raise self.error("more lines than the numbers above them announce")

    def count(self, field: str) -> int:
        """A positive number."""
        if not (field.isascii() and field.isdecimal() and int(field)):
            raise self.error(f"{field!r} is not a number from 1")
        return int(field)

    def name(self, field: str) -> str:
        """A person's name, which is to become part of a path."""
        if not NAME.fullmatch(field):
            raise self.error(f"{field!r} is not a name")
        return field

    def error(self, what: str) -> DataError:
        """What is wrong with the line taken last."""
        return DataError(f"{self._path}:{self._at}: {what}")
