"""What a cascade's second network learns from: the places that detectors take for a face, right or wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.detection.second_stage import SHOWN, crop
from pipeline.detection.training.dataset import images_of
from pipeline.detection.training.prepare import FACE_CLASS, UNSURE_CLASS
from pipeline.detection.training.views import Views
from pipeline.detection.training.whole import whole
from pipeline.errors import DetectorError
from pipeline.faces.boxes import area, intersection, iou
from pipeline.progress import Progress, silent
from pipeline.protocols import Detector
from pipeline.sources.images import read_plain
from pipeline.types import Bools, Floats, Image

WIDER = 1.375  # times what the network sees is kept, so that training may move and grow boxes
KEPT = 80  # pixels, width and height of what is kept
LEAST = 0.02  # score from which detectors are asked
FACES, OTHERS = 24, 20  # most places of an image
ALIKE = 0.85  # IoU from which one of two places says as much as both
FACE = 0.5  # IoU with a label from which a place is a face
KNOWN = 0.2  # IoU with a label from which a place says where the face is
UNSURE = 0.4, 0.2  # share of a place in an unsure one, or IoU with it, from which it says nothing

PARTS, FIELDS = ("learned", "held"), ("crops", "scores", "overlaps", "boxes", "faces")  # of a file
PER_SIDE = KEPT / (WIDER * SHOWN)  # pixels of a crop to the longer side of its box


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places, with what is there."""

    crops: Image  # (n, KEPT, KEPT, 3) BGR
    scores: Floats  # (n,) of the detector
    overlaps: Floats  # (n,) IoU with the face that is there
    boxes: Floats  # (n, 2) width and height of the place, in its longer side
    # (n, 4) middle, from that of the place, and size of the face in longer sides of the place; NaN without
    faces: Floats

    def __len__(self) -> int:
        return len(self.scores)


def labelled(dataset: Path, part: str) -> list[tuple[Path, Floats]]:
    """The images of a part (`train` or `val`) of a training set, each with its labels (k, 5).

    A label is a class and the middle and size of a box, as shares of the image.

    Raises:
        DetectorError: there are none.
    """
    photos = []
    for path in images_of(dataset, part):
        label = dataset.parent / "labels" / part / f"{path.stem}.txt"
        lines = label.read_text().splitlines() if label.is_file() else []
        rows = np.array([[float(each) for each in line.split()[:5]] for line in lines], np.float32)
        photos.append((path, rows.reshape(-1, 5)))
    return photos


def gather(
    photos: Sequence[tuple[Path, Floats]],
    detectors: Sequence[Detector],
    seed: int = 0,
    progress: Progress = silent,
    views: Views | None = None,
) -> Candidates:
    """Show photographs to detectors, and keep a choice of what they take for faces.

    Args:
        photos: each with its labels, as of `labelled`. Those that cannot be read are left out.
        detectors: tell what has a score of `LEAST`.
        views: what is shown of each; the photograph itself where that is not said.
    """
    random = np.random.default_rng(seed)
    crops: list[Image] = []
    rows: list[Floats] = []
    for number, (path, labels) in enumerate(photos):
        progress("looking for places", number, len(photos))
        image = read_plain(path)
        if image is None:
            continue
        plain = np.asarray(image, np.uint8)
        for shown, there in [(plain, labels)] if views is None else views(plain, labels, random):
            for seen, row in _places(shown, there, detectors, random):
                crops.append(seen)
                rows.append(row)
    kept = np.stack(crops) if crops else np.zeros((0, KEPT, KEPT, 3), np.uint8)
    table = np.array(rows, np.float32).reshape(-1, 8)
    return Candidates(kept, table[:, 0], table[:, 1], table[:, 2:4], table[:, 4:])


def _places(
    shown: Image, labels: Floats, detectors: Sequence[Detector], random: np.random.Generator
) -> Iterator[tuple[Image, Floats]]:
    """The places of an image that are kept: what is there, and what is known of it (8,)."""
    found = [detector.detect(shown) for detector in detectors]
    boxes = np.concatenate([each.boxes for each in found])
    scores = np.concatenate([each.scores for each in found])
    faces, unsure = (_boxes(labels, of, shown) for of in (FACE_CLASS, UNSURE_CLASS))
    overlaps = iou(boxes, faces)
    best = overlaps.max(axis=1, initial=0)
    for place in _chosen(boxes, best, _unsure(boxes, unsure), random):
        box, side = boxes[place], float((boxes[place, 2:] - boxes[place, :2]).max())
        face = faces[overlaps[place].argmax()] if best[place] > KNOWN else np.full(4, np.nan, np.float32)
        off = ((face[:2] + face[2:]) - (box[:2] + box[2:])) / 2 / side
        sizes = (box[2:] - box[:2]) / side, (face[2:] - face[:2]) / side
        row = np.concatenate([[scores[place], best[place]], sizes[0], off, sizes[1]])
        yield crop(shown, box, KEPT, WIDER * SHOWN), np.asarray(row, np.float32)


def joined(first: Candidates, second: Candidates) -> Candidates:
    """The places of both."""
    return Candidates(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in FIELDS))


def write(path: Path, learned: Candidates, held: Candidates) -> None:
    """Keep places to learn from, and places to weigh by, in one file (.npz); whole, or not at all.

    Raises:
        DetectorError: it cannot be written.
    """
    arrays = {f"{part}_{name}": getattr(of, name) for part, of in zip(PARTS, (learned, held), strict=True)
              for name in FIELDS}  # fmt: skip
    with whole(path) as part, part.open("xb") as file:
        np.savez(file, **arrays)


def read(path: Path) -> tuple[Candidates, Candidates]:
    """What `write` has kept.

    Raises:
        DetectorError: it is something else, or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            learned, held = (Candidates(*(kept[f"{part}_{name}"] for name in FIELDS)) for part in PARTS)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DetectorError(
            f"{path}: not a file of candidates, or damaged; delete it to look anew"
        ) from error
    return learned, held


def _boxes(labels: Floats, of: int, image: Image) -> Floats:
    """The boxes (n, 4) of a class, in pixels."""
    rows = labels[labels[:, 0] == of]
    sides = np.array(image.shape[1::-1], np.float32)
    middle, half = rows[:, 1:3] * sides, rows[:, 3:] * sides / 2
    return np.asarray(np.concatenate([middle - half, middle + half], axis=1), np.float32)


def _chosen(boxes: Floats, best: Floats, unsure: Bools, random: np.random.Generator) -> list[int]:
    """Which places (n, 4) of one image are kept: in any order, none that is like one before it."""
    kept: list[int] = []
    left = {True: FACES, False: OTHERS}
    for place in random.permutation(len(boxes)):
        face = bool(best[place] >= FACE)
        if not left[face] or (unsure[place] and not face):
            continue
        if kept and float(iou(boxes[place][None], boxes[kept]).max()) > ALIKE:
            continue
        left[face] -= 1
        kept.append(int(place))
    return kept


def _unsure(boxes: Floats, unsure: Floats) -> Bools:
    """Which boxes (n, 4) lie where nobody could judge, (n,)."""
    inside = intersection(boxes, unsure) / np.maximum(area(boxes), 1e-6)[:, None]
    least, overlap = UNSURE
    said = (inside >= least) | (iou(boxes, unsure) >= overlap)
    return np.asarray(said.any(axis=1))
