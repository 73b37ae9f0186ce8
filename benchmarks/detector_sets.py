"""Brings collections of photographs as they are found into the form that `recog detector prepare` takes.

A folder for `--unlabelled` has `images/` and, where people marked heads, `heads.csv`. Collections come with
labels in YOLO's text format (`images/` and `labels/` side by side), with points in MATLAB files
(`ground-truth/GT_IMG_1.mat` beside `images/IMG_1.jpg`), or with nothing. Many hold a photograph several
times, exported again, mirrored or shrunk, and photographs of sets that are tested on: one of each is kept,
and none that looks like one of `--not-in`. Some were squashed to squares: `--squashed` stretches each back
until YuNet's boxes are as wide as faces are.

    uv run python benchmarks/detector_sets.py RAW crowd --heads yolo --squashed --yunet FILE --not-in ilc448

Photographs are named by the first sixteen digits of their file's SHA-256, before stretching.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pipeline.detection.training.yunet import YuNet
from pipeline.types import Bools, Floats, Image

KINDS = (".jpg", ".jpeg", ".png", ".webp")
ALIKE, OF_ANOTHER = 16, 24  # of 256 bits that may differ between copies, and from a photograph of --not-in
WIDTH = 0.79  # of a face's box, in heights
SHAPES = (2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 16 / 9)  # widths of photographs, in heights
SURE, FACES = 0.6, 3  # score of a face, and how many tell the shape of a photograph


def pictures(folder: Path) -> Iterator[Path]:
    """The photographs below a folder, in order; of several exports of one (`a_jpg.rf.12.jpg`) the first."""
    seen: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in KINDS and path.is_file():
            name = path.name.split(".rf.")[0] if ".rf." in path.name else str(path)
            if name not in seen:
                seen.add(name)
                yield path


def look(image: Image) -> Bools:
    """256 bits by which copies of a photograph know each other: whether it grows lighter to the right."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (17, 16), interpolation=cv2.INTER_AREA)
    return np.asarray((np.diff(grey.astype(int), axis=1) > 0).ravel())


def differs(bits: Bools, known: list[Bools], least: int) -> bool:
    """Whether more than `least` bits differ from each of those known."""
    return not known or int((np.array(known) != bits).sum(axis=1).min()) > least


def heads_of(path: Path, kind: str, shape: tuple[int, ...], classes: set[int] | None) -> Floats:
    """Heads (n, 4) in pixels; points are boxes without an area."""
    if kind == "yolo":
        file = path.parent.parent / "labels" / f"{path.stem}.txt"
        rows = [line.split()[:5] for line in file.read_text().splitlines()] if file.is_file() else []
        table = np.array([row for row in rows if len(row) == 5], np.float32).reshape(-1, 5)
        table = table[np.isin(table[:, 0], list(classes))] if classes else table
        corners = np.concatenate([table[:, 1:3] - table[:, 3:] / 2, table[:, 1:3] + table[:, 3:] / 2], axis=1)
        return np.asarray(corners * np.tile(np.array([shape[1], shape[0]]), 2), np.float32)
    from scipy.io import loadmat

    file = path.parent.parent / "ground-truth" / f"GT_{path.stem}.mat"
    if not file.is_file():
        raise SystemExit(f"{path}: no heads are known ({file}); leave out pictures without ground truth")
    points = loadmat(str(file))["image_info"][0, 0][0, 0][0]
    return np.tile(points, 2).astype(np.float32)


def stretch(image: Image, detector: YuNet) -> tuple[float, float]:
    """By how much to stretch a squashed photograph across and down; ones where too few faces tell."""
    found = detector.detect(image)
    sides = (found.boxes[:, 2:] - found.boxes[:, :2])[found.scores >= SURE]
    if len(sides) < FACES:
        return 1.0, 1.0
    wanted = WIDTH / float(np.median(sides[:, 0] / sides[:, 1]))
    shape = min(SHAPES, key=lambda each: abs(np.log(each / wanted)))
    return max(1.0, shape), max(1.0, 1 / shape)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--heads", choices=("none", "yolo", "points"), default="none")
    parser.add_argument("--classes", type=int, nargs="*", help="of YOLO's labels that are heads; all without")
    parser.add_argument("--squashed", action="store_true")
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--not-in", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    if arguments.squashed and arguments.yunet is None:
        parser.error("--squashed needs --yunet")
    tested: list[Bools] = []
    for folder in arguments.not_in:
        for path in pictures(folder):
            image = cv2.imread(str(path))
            if image is not None:
                tested += [look(image.astype(np.uint8)), look(image[:, ::-1].astype(np.uint8))]
    detector = YuNet(arguments.yunet, 640, SURE) if arguments.squashed else None
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)
    known: list[Bools] = []
    rows: list[list[object]] = []
    for path in pictures(arguments.raw):
        content = path.read_bytes()
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            continue
        image, name = decoded.astype(np.uint8), hashlib.sha256(content).hexdigest()[:16]
        bits = look(image)
        if not (differs(bits, known, ALIKE) and differs(bits, tested, OF_ANOTHER)):
            continue
        known += [bits, look(image[:, ::-1])]
        across, down = stretch(image, detector) if detector is not None else (1.0, 1.0)
        target = arguments.out / "images" / f"{name}{path.suffix.lower()}"
        if (across, down) == (1.0, 1.0):
            shutil.copyfile(path, target)
        else:
            target = target.with_suffix(".png")
            size = round(image.shape[1] * across), round(image.shape[0] * down)
            cv2.imwrite(str(target), cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
        if arguments.heads != "none":
            classes = set(arguments.classes) if arguments.classes else None
            heads = heads_of(path, arguments.heads, image.shape, classes) * np.tile((across, down), 2)
            rows += [[target.name, *(f"{value:.1f}" for value in head)] for head in heads.tolist()]
    if arguments.heads != "none":
        with (arguments.out / "heads.csv").open("w", newline="") as lines:
            csv.writer(lines).writerows([["image", "x1", "y1", "x2", "y2"], *rows])
    print(f"{arguments.out}: {len(known) // 2} photographs, {len(rows)} heads")


if __name__ == "__main__":
    main()
