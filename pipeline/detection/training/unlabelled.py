"""Photographs without drawn faces, made into training images: whole, in pieces, and close-ups.

A set is a folder with `images/`, and with `heads.csv` where people marked heads: `image,x1,y1,x2,y2`, a
point as a box without an area. Where faces are, the proposer says at several sizes (`agreement.py`); where
people drew them all, in `faces.csv` of the same columns, it says where their landmarks are.

Crowds are shown in pieces too, in which faces are of a size that can be learned from; heads that are turned
far fill a picture of their own, as they are rare, small, and otherwise never seen near. The photographs of a
set whose content's hash says so, a tenth, are for testing: they go to a folder of their own, as `recog
detector evaluate --held-out` takes it.
"""

from __future__ import annotations

import csv
import hashlib
import math
import random
import re
import shutil
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.detection.training.agreement import Facts, Propose, agree, drawn, facts, sizes_for
from pipeline.detection.training.pieces import Piece
from pipeline.detection.training.prepare import UNSURE, as_boxes, write_image
from pipeline.errors import DetectorError
from pipeline.faces.boxes import area
from pipeline.faces.turn import turns
from pipeline.sources.images import list_photos
from pipeline.types import Floats, Image

SIZE = 416  # long side that images are thought of at
LARGEST = 512  # long side that images are written at, at most
SMALL = 24.0  # side at SIZE; of photographs with smaller faces, pieces are shown
PIECES = 2  # of each
AIM = (11.0, 40.0)  # side at SIZE of a face in a piece, drawn evenly in octaves
TINY = 5.0  # side in pixels below which a face in an image is too small to be asked for there
FAR = 40.0  # degrees from which a turned head gets a close-up
NEAR = 34.0  # side in pixels below which it is too blurred for one
FRONT = 20.0  # degrees; of single faces that look at the camera only every FEW-th is taken
FEW = 4
CLOSE_UPS = (288, 352, 416)  # long sides they are written at
ROLLED = 0.25  # share of close-ups that are turned in the plane, by up to a quarter


@dataclass(frozen=True, slots=True)
class Source:
    """One photograph and what people marked in it."""

    path: Path
    heads: Floats | None  # (n, 4); None where its set marks none
    faces: Floats | None = None  # (m, 4); None where nobody drew any


def digest(path: Path, content: bytes) -> str:
    """What a photograph is known by: the SHA-256 of its file, or the start of one that it is named by.

    A photograph that was stretched or cut holds other bytes; its name says which one it was.
    """
    named = re.fullmatch(r"[0-9a-f]{16,64}", path.stem)
    return path.stem if named else hashlib.sha256(content).hexdigest()


def is_tenth(known_by: str) -> bool:
    """Whether a photograph is one of the tenth to test on, by its digest."""
    return int(known_by[:8], 16) % 10 == 0


def is_validation(known_by: str) -> bool:
    """Whether it is one of the twentieth by which a training is judged while it goes on."""
    return int(known_by[:8], 16) % 20 == 1


def read_set(folder: Path) -> list[Source]:
    """The photographs of a set, and what people marked in them.

    Raises:
        DetectorError: it has no folder `images`, or a table is not as it should be.
    """
    images = folder / "images"
    if not images.is_dir():
        raise DetectorError(f"{images}: no such folder of photographs")
    photos = list_photos(images)
    names = {path.name for path in photos}
    heads, faces = (read_table(folder / name, names) for name in ("heads.csv", "faces.csv"))
    return [
        Source(
            path, *(None if table is None else as_boxes(table.get(path.name, [])) for table in (heads, faces))
        )
        for path in photos
    ]


def read_table(table: Path, names: Set[str]) -> dict[str, list[list[float]]] | None:
    """The boxes in each image by its name; None where there is no such table.

    Args:
        names: of the images that there are.

    Raises:
        DetectorError: it is not `image,x1,y1,x2,y2`, or it names another image: photographs that it does not
            name count as such in which people saw nobody.
    """
    if not table.is_file():
        return None
    boxes: dict[str, list[list[float]]] = {}
    try:
        with table.open(newline="") as lines:
            for row in csv.DictReader(lines):
                corners = [float(row[key]) for key in ("x1", "y1", "x2", "y2")]
                boxes.setdefault(row["image"], []).append(corners)
    except (KeyError, ValueError, TypeError) as error:
        raise DetectorError(f"{table}: expected image,x1,y1,x2,y2 ({error!r})") from error
    if missing := sorted(boxes.keys() - names):
        raise DetectorError(f"{table}: {missing[0]} is not in images/; give the names of its files")
    return boxes


def add(
    folder: Path,
    out: Path,
    propose: Propose,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Add a set to the training set below `out`, its tenth to `out/test`; return what was written.

    Raises:
        DetectorError: the set is not one, or a photograph cannot be read.
    """
    name = folder.resolve().name
    counts = {"train": 0, "val": 0, "test": 0, "faces": 0, "close-ups": 0, "nobody": 0}
    test = out / "test" / name
    shutil.rmtree(test, ignore_errors=True)
    rows: list[list[object]] = []
    for source in read_set(folder):
        content = source.path.read_bytes()
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            raise DetectorError(f"{source.path}: cannot be read as an image")
        image: Image = decoded.astype(np.uint8, copy=False)
        looks = [propose(image, size) for size in sizes_for(image.shape)]
        agreed = agree(looks)
        known = facts(agreed, source.heads) if source.faces is None else drawn(source.faces, agreed.found)
        known_by = digest(source.path, content)
        if is_tenth(known_by):
            if len(known.boxes):
                (test / "images").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source.path, test / "images" / source.path.name)
                rows += _rows(source.path.name, known)
                counts["test"] += 1
        elif not len(known.boxes):
            counts["nobody"] += 1
        else:
            whole = Piece(image, known.boxes, known.landmarks, known.unsure)
            if is_validation(known_by):
                piece = whole.painted().at(min(max(image.shape[:2]), LARGEST))
                write_image(out, "val", f"{name}_{known_by[:12]}", piece.image, piece.boxes, piece.landmarks)
                counts["val"] += 1
                progress()
                continue
            chance = random.Random(known_by)  # noqa: S311 (a choice that stays the same, not a secret)
            for kind, piece in shown(whole, chance):
                number = counts["train"]
                write_image(
                    out,
                    "train",
                    f"{name}_{known_by[:12]}_{number}",
                    piece.image,
                    piece.boxes,
                    piece.landmarks,
                    piece.unsure,
                )
                counts["train"] += 1
                counts["faces"] += len(piece.boxes)
                counts["close-ups"] += kind == "close-up"
        progress()
    if rows:
        with (test / "boxes.csv").open("w", newline="") as lines:
            csv.writer(lines).writerows([["image", "x1", "y1", "x2", "y2", "kind"], *rows])
    return counts


def shown(whole: Piece, chance: random.Random) -> Iterator[tuple[str, Piece]]:
    """What of a photograph is learned from: (`whole`, `piece` or `close-up`, the image)."""
    for kind, piece in _shown(whole, chance):
        yield kind, piece.without_tiny(TINY)


def _shown(whole: Piece, chance: random.Random) -> Iterator[tuple[str, Piece]]:
    long = max(whole.image.shape[:2])
    sides = np.sqrt(area(whole.boxes)) * SIZE / long
    degrees = turns(whole.landmarks)
    single = len(sides) == 1 and degrees[0] < FRONT
    if not single or chance.random() < 1 / FEW:
        yield "whole", whole.at(min(long, LARGEST))
    if np.median(sides) < SMALL:
        for _ in range(PIECES):
            piece = whole.cut(*_window(whole, chance))
            if len(piece.boxes):
                size = max(piece.image.shape[:2])
                yield "piece", piece.at(min(max(size, SIZE), LARGEST))
    for row in np.flatnonzero((degrees >= FAR) & (np.sqrt(area(whole.boxes)) >= NEAR)):
        piece = whole.cut(*_around(whole, int(row), chance))
        if len(piece.boxes):
            piece = piece.at(chance.choice(CLOSE_UPS))
            if chance.random() < ROLLED:
                piece = piece.turned(chance.uniform(-90, 90)).at(SIZE)
            yield "close-up", piece


def _window(whole: Piece, chance: random.Random) -> tuple[int, int, int, int]:
    """A part of it in which one of the faces, drawn by lot, has a size drawn by lot."""
    height, width = whole.image.shape[:2]
    box = whole.boxes[chance.randrange(len(whole.boxes))]
    aim = math.exp(chance.uniform(math.log(AIM[0]), math.log(AIM[1])))
    side = max(160.0, math.sqrt(max(1.0, float(area(box[None])[0]))) * SIZE / aim)
    wide, high = min(width, side * chance.uniform(0.85, 1.2)), min(height, side * chance.uniform(0.75, 1))
    middle = (box[:2] + box[2:]) / 2
    left = min(max(0.0, float(middle[0]) - wide * chance.uniform(0.2, 0.8)), width - wide)
    top = min(max(0.0, float(middle[1]) - high * chance.uniform(0.2, 0.8)), height - high)
    return int(left), int(top), int(left + wide), int(top + high)


def _around(whole: Piece, row: int, chance: random.Random) -> tuple[int, int, int, int]:
    """A face with a margin on each side that is drawn by lot, from none to nine tenths of the face."""
    height, width = whole.image.shape[:2]
    x1, y1, x2, y2 = whole.boxes[row].tolist()
    left, top, right, bottom = (chance.uniform(0.02, 0.9) for _ in range(4))
    return (
        int(max(0, x1 - left * (x2 - x1))),
        int(max(0, y1 - top * (y2 - y1))),
        int(min(width, x2 + right * (x2 - x1))),
        int(min(height, y2 + bottom * (y2 - y1))),
    )


def _rows(name: str, known: Facts) -> list[list[object]]:
    """Lines of boxes.csv."""
    return [
        [name, *(f"{value:.1f}" for value in box), kind]
        for boxes, kind in ((known.boxes, "face"), (known.unsure, UNSURE))
        for box in boxes.tolist()
    ]
