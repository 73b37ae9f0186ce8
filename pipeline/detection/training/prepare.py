"""The detector's training set: boxes drawn by people, LFW, and landmarks proposed by an independent detector.

Wild photographs come with boxes drawn by people but no landmarks; YuNet proposes landmarks at several scales,
and each human box takes the proposal that fits it best. Where none fits, the box stays and its landmarks are
marked invisible. Confident proposals in no human box are faces nobody drew (small ones in the background):
they become labels too, so that the student is not punished for finding them. Small ones that the proposer
doubts are unsure: nothing is learned from them either way (`unsure.py`). LFW brings one large face an image,
from the people of View 1's training half only. Pieces of the photographs in which nobody sees a face,
enlarged, are what hands, cloth and letters are learned from.

Everything is split by photograph. The test fifth is `number % 5 == 0`, fixed for ever and never trained on.
"""

from __future__ import annotations

import csv
import math
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import DetectorError
from pipeline.faces.boxes import area, intersection, iou
from pipeline.protocols import Detector
from pipeline.sources.images import read_plain
from pipeline.types import Detections, Floats, Image

SCALES = (256, 448, 832, 1280)  # long sides that YuNet proposes landmarks at, pixels
MATCH = 0.4  # IoU from which a proposal is the face that a person drew
BACKGROUND = 0.75  # score from which a proposal in no human box counts as a face nobody drew
DOUBT = 0.5  # score from which a small proposal in no box may be a face or not
SMALL = 28.0  # pixels; a larger face would have been drawn
UNSURE = "unsure"  # in the column `kind` of boxes.csv: there may be a face here or none
FACE_CLASS, UNSURE_CLASS = 0, 1  # of labels

EMPTY = 0.3  # share of a photograph's long side from which a piece without faces is worth learning from


def no_boxes() -> Floats:
    """None, (0, 4)."""
    return np.zeros((0, 4), np.float32)


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph with the boxes people drew: (n, 4) x1 y1 x2 y2 in pixels."""

    path: Path
    boxes: Floats
    ignored: Floats = field(
        default_factory=no_boxes
    )  # (k, 4) faces that are not asked for: found or missed, they do not count
    unsure: Floats = field(
        default_factory=no_boxes
    )  # (j, 4) where there may be faces: what lies there does not count either


def number(photo: Path) -> int:
    """The number a photograph is split by: its file name, or a fixed one made of a name that is none."""
    stem = photo.stem
    return int(stem) if stem.isascii() and stem.isdigit() else zlib.crc32(stem.encode())


def is_test(photo: Path) -> bool:
    """Whether a photograph belongs to the test fifth, by the number in its file name."""
    return number(photo) % 5 == 0


def name_of(photo: Path) -> str:
    """A photograph's name in `configs/detector-test.txt`: its data set and its file, without `images/`."""
    return f"{photo.parent.parent.name}/{photo.name}"


def read_photos(folder: Path) -> list[Photo]:
    """Photographs and human boxes from a folder that holds `boxes.csv` and `images/`.

    A row of the kind `unsure` is a place in which there may be a face or none; any other is a face.
    """
    table = folder / "boxes.csv"
    if not table.is_file():
        raise DetectorError(f"{table}: not found; expected a folder with boxes.csv and images/")
    boxes: dict[str, tuple[list[list[float]], list[list[float]]]] = {}
    with table.open(newline="") as lines:
        for row in csv.DictReader(lines):
            corners = [float(row[key]) for key in ("x1", "y1", "x2", "y2")]
            faces, unsure = boxes.setdefault(row["image"], ([], []))
            (unsure if row.get("kind") == UNSURE else faces).append(corners)
    return [
        Photo(folder / "images" / name, as_boxes(faces), unsure=as_boxes(unsure))
        for name, (faces, unsure) in sorted(boxes.items())
    ]


def as_boxes(corners: Sequence[Sequence[float]]) -> Floats:
    """Rows of x1 y1 x2 y2 as (n, 4), also where there are none."""
    return np.array(corners, np.float32).reshape(-1, 4)


def propose(image: Image, proposers: Iterable[Detector]) -> Detections:
    """All proposals of all scales together, best score first; duplicates are left to the matching."""
    found = [proposer.detect(image) for proposer in proposers]
    every = Detections(
        np.concatenate([d.boxes for d in found]),
        np.concatenate([d.scores for d in found]),
        np.concatenate([d.landmarks for d in found]),
    )
    return every[np.argsort(-every.scores)]


def label(boxes: Floats, proposals: Detections) -> tuple[Floats, Floats]:
    """Boxes (m, 4) and landmarks (m, 5, 2) to learn from; landmarks are NaN where no proposal matches.

    The first rows are the human boxes in their order; faces that only the proposer saw follow.
    """
    landmarks = np.full((len(boxes), 5, 2), np.nan, np.float32)
    overlaps = iou(boxes, proposals.boxes)
    # Heads overlap in a crowd: a proposal belongs to the box it fits best, and to no neighbour.
    own = overlaps == overlaps.max(axis=0, initial=0)
    for place, overlap in enumerate(overlaps):
        fitting = np.flatnonzero((overlap >= MATCH) & own[place])
        if len(fitting):
            # Of those that fit, the most confident: it stands for the scale that saw this face best.
            landmarks[place] = proposals.landmarks[fitting[np.argmax(proposals.scores[fitting])]]
    extra: list[int] = []
    taken = boxes
    for row in np.flatnonzero(proposals.scores >= BACKGROUND):
        box = proposals.boxes[row : row + 1]
        if not len(taken) or iou(box, taken).max() < 0.2:
            extra.append(int(row))
            taken = np.concatenate([taken, box])
    return taken, np.concatenate([landmarks, proposals.landmarks[extra]])


def doubtful(boxes: Floats, proposals: Detections) -> Floats:
    """Proposals (k, 4) that may be small faces nobody drew, or may be none: outside every labelled box."""
    small = np.sqrt(area(proposals.boxes)) < SMALL
    candidates = proposals.boxes[small & (proposals.scores >= DOUBT)]
    outside: Floats = candidates[intersection(candidates, boxes).max(axis=1, initial=0) <= 0]
    return outside


def paint_over(image: Image, boxes: Floats) -> Image:
    """A copy in which each box is filled with the colour around it."""
    painted = image.copy()
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in boxes:
        margin = (x2 - x1 + y2 - y1) / 8
        left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
        right, bottom = min(width, math.ceil(x2 + margin)), min(height, math.ceil(y2 + margin))
        patch = painted[top:bottom, left:right]
        patch[:] = np.median(patch.reshape(-1, 3), axis=0)
    return painted


def empty_piece(shape: tuple[int, ...], taken: Floats) -> tuple[int, int, int, int] | None:
    """The largest strip of a photograph that touches no box of `taken` (n, 4); x1 y1 x2 y2, or None.

    Looked for on the four sides of all boxes together: people stand in the middle, around them it is free.
    """
    height, width = shape[:2]
    left, top = np.clip(taken[:, :2].min(axis=0, initial=max(width, height)), 0, (width, height))
    right, bottom = np.clip(taken[:, 2:].max(axis=0, initial=0), 0, (width, height))
    strips = [(0, 0, left, height), (right, 0, width, height), (0, 0, width, top), (0, bottom, width, height)]
    x1, y1, x2, y2 = max(strips, key=lambda s: min(s[2] - s[0], s[3] - s[1]))
    if min(x2 - x1, y2 - y1) < EMPTY * max(width, height):
        return None
    return math.ceil(x1), math.ceil(y1), math.floor(x2), math.floor(y2)


def write_label(
    path: Path, boxes: Floats, landmarks: Floats, shape: tuple[int, ...], unsure: Floats | None = None
) -> None:
    """Write ultralytics' pose format: `class cx cy w h` and five `x y visible`, as shares of the image.

    Args:
        unsure: (k, 4) where there may be other faces, as a class of their own, without landmarks.
    """
    height, width = shape[:2]
    size = np.array([width, height], np.float32)
    lines = []
    places = no_boxes() if unsure is None else unsure
    kinds = [FACE_CLASS] * len(boxes) + [UNSURE_CLASS] * len(places)
    nowhere = np.full((len(places), 5, 2), np.nan, np.float32)
    every = np.concatenate([boxes, places]), np.concatenate([landmarks, nowhere])
    for kind, box, points in zip(kinds, *every, strict=True):
        corners = np.clip(box.reshape(2, 2) / size, 0, 1)
        center, extent = corners.mean(axis=0), corners[1] - corners[0]
        if extent.min() <= 0:
            continue
        shares = points / size
        seen = np.isfinite(shares).all(axis=1) & (shares >= 0).all(axis=1) & (shares <= 1).all(axis=1)
        values = [*center, *extent]
        for (x, y), visible in zip(np.where(seen[:, None], shares, 0), seen, strict=True):
            values += [x, y, 2.0 if visible else 0.0]
        lines.append(f"{kind} " + " ".join(f"{value:.6g}" for value in values))
    path.write_text("".join(f"{line}\n" for line in lines))


def prepare(
    wild: list[Photo],
    single: list[Path],
    out: Path,
    proposers: Sequence[Detector],
    negatives: Sequence[Path] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Write the training set below `out`; return how many images and faces each part holds.

    Args:
        wild: photographs with human boxes; the test fifth is left out.
        single: photographs of people without boxes (LFW); the proposals are their labels.
        negatives: photographs without faces; those in which the proposers see one all the same are skipped.
        out: receives `images/{train,val}`, `labels/{train,val}` and `dataset.yaml`.
        proposers: the independent detector, at each scale it is to be asked at.
    """
    counts = {"train": 0, "val": 0, "faces": 0, "with landmarks": 0, "unsure": 0, "without faces": 0}
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            shutil.rmtree(out / kind / part, ignore_errors=True)
            (out / kind / part).mkdir(parents=True)
    nobody = np.zeros((0, 4), np.float32)
    photos = [photo for photo in wild if not is_test(photo.path)] + [Photo(path, nobody) for path in single]
    for photo in photos:
        image = _read(photo.path)
        proposals = propose(image, proposers)
        boxes, landmarks = label(photo.boxes, proposals)
        # Nine photographs in ten teach; every tenth of the wild ones chooses the epoch.
        part = "val" if len(photo.boxes) and number(photo.path) % 10 == 1 else "train"
        parents = "_".join(photo.path.parts[-3:-1] if len(photo.boxes) else photo.path.parts[-2:-1])
        name = f"{parents}_{photo.path.stem}"
        doubts = doubtful(boxes, proposals)
        shutil.copyfile(photo.path, out / "images" / part / f"{name}{photo.path.suffix}")
        unsure = doubts if part == "train" else nobody
        write_label(out / "labels" / part / f"{name}.txt", boxes, landmarks, image.shape, unsure)
        # One photograph in three gives a piece without faces: more would outnumber the faces.
        gives = part == "train" and len(photo.boxes) and number(photo.path) % 3 == 0
        piece = empty_piece(image.shape, np.concatenate([boxes, proposals.boxes])) if gives else None
        if piece:
            x1, y1, x2, y2 = piece
            write_image(out, part, f"{name}_without", image[y1:y2, x1:x2], nobody, _NO_POINTS)
            counts["without faces"] += 1
        counts[part] += 1
        counts["faces"] += len(boxes)
        counts["with landmarks"] += int(np.isfinite(landmarks).all(axis=(1, 2)).sum())
        counts["unsure"] += len(doubts) if part == "train" else 0
        progress(name)
    for path in negatives:
        image = _read(path)
        if not len(propose(image, proposers)):
            write_image(out, "train", f"negative_{path.stem}", image, nobody, _NO_POINTS)
            counts["without faces"] += 1
        progress(path.stem)
    (out / "dataset.yaml").write_text(
        f"path: {out.resolve()}\ntrain: images/train\nval: images/val\n"
        f"names: {{{FACE_CLASS}: face, {UNSURE_CLASS}: unsure}}\n"
        "kpt_shape: [5, 3]\n# left eye, right eye, nose, left and right mouth corner, as seen in the image\n"
        "flip_idx: [1, 0, 2, 4, 3]\n"
    )
    return counts


_NO_POINTS = np.zeros((0, 5, 2), np.float32)


def _read(path: Path) -> Image:
    image = read_plain(path)
    if image is None:
        raise DetectorError(f"{path}: cannot be read as an image")
    return image.astype(np.uint8, copy=False)


def write_image(
    out: Path,
    part: str,
    name: str,
    image: Image,
    boxes: Floats,
    landmarks: Floats,
    unsure: Floats | None = None,
) -> None:
    """An image that is not a file of its own yet, and its labels as of `write_label`."""
    cv2.imwrite(str(out / "images" / part / f"{name}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    write_label(out / "labels" / part / f"{name}.txt", boxes, landmarks, image.shape, unsure)
