"""Photographs of WIDER FACE, in its own format, to measure detectors on.

One text file lists the photographs: a line with the path below the folder of images, a line with the number
of faces, and a line for each, `x y width height blur expression illumination invalid occlusion pose`. What is
marked invalid is no face that is asked for. The benchmark's three subsets are lists of faces in MATLAB files,
`wider_easy_val.mat`, `wider_medium_val.mat` and `wider_hard_val.mat`; where these stand beside the text file,
or in `ground_truth/` there, each is a set of its own, in which all other faces count neither way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detection.training.prepare import Photo, as_boxes
from pipeline.errors import DetectorError
from pipeline.types import Ints

SUBSETS = ("easy", "medium", "hard")
NAME = "wider"
INVALID = 7  # the column of a face's line that says so


def read_wider(images: Path, labels: Path) -> dict[str, list[Photo]]:
    """The photographs by subset (`wider-easy` and so on), or all as `wider` where there is no ground truth.

    Raises:
        DetectorError: a file or folder is missing, or is not what it should be.
    """
    if not images.is_dir():
        raise DetectorError(f"{images}: no such folder of photographs")
    every = list(_read(images, labels))
    if not every:
        raise DetectorError(f"{labels}: lists no photographs")
    sets = {}
    for subset in SUBSETS:
        file = f"wider_{subset}_val.mat"
        found = [
            path for path in (labels.parent / file, labels.parent / "ground_truth" / file) if path.is_file()
        ]
        if found:
            asked = _asked(found[0])
            sets[f"{NAME}-{subset}"] = [_only(photo, asked, images, found[0]) for photo in every]
    return sets or {NAME: every}


def _read(images: Path, labels: Path) -> Iterator[Photo]:
    try:
        lines = [line.split() for line in labels.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise DetectorError(f"{labels}: cannot be read ({error.strerror})") from error
    at = 0
    while at < len(lines):
        path = images / " ".join(lines[at])
        try:
            count = int(lines[at + 1][0])
            rows = [[int(value) for value in line] for line in lines[at + 2 : at + 2 + max(count, 1)]]
        except (IndexError, ValueError) as error:
            raise DetectorError(
                f"{labels}: not in WIDER FACE's format after {' '.join(lines[at])}"
            ) from error
        # Of a photograph without faces, the list has one line of noughts.
        faces = [row for row in rows[:count] if len(row) > INVALID]
        if len(faces) != count:
            raise DetectorError(f"{labels}: {' '.join(lines[at])} has fewer faces than it says")
        at += 2 + max(count, 1)
        if not path.is_file():
            raise DetectorError(f"{path}: no such photograph, but {labels} lists it")
        corners = [[x, y, x + width, y + height] for x, y, width, height, *_ in faces]
        invalid = np.array([row[INVALID] for row in faces], np.bool_)
        boxes = as_boxes(corners)
        yield Photo(path, boxes[~invalid], boxes[invalid])


def _asked(file: Path) -> dict[str, tuple[Any, Ints]]:
    """For each photograph, by folder and stem, all of its faces `x y width height` and the rows asked for."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        table = loadmat(str(file))
        events, names, faces, rows = (
            table[key].ravel() for key in ("event_list", "file_list", "face_bbx_list", "gt_list")
        )
    except (MatReadError, ValueError, KeyError, OSError, NotImplementedError, TypeError) as error:
        raise DetectorError(f"{file}: not WIDER FACE's ground truth ({error})") from error
    return {
        f"{event[0]}/{name[0]}": (of.reshape(-1, 4), row.ravel().astype(np.int64) - 1)
        for event, of_event, faces_of, rows_of in zip(events, names, faces, rows, strict=True)
        for name, of, row in zip(of_event.ravel(), faces_of.ravel(), rows_of.ravel(), strict=True)
    }


def _only(photo: Photo, asked: dict[str, tuple[Any, Ints]], images: Path, file: Path) -> Photo:
    """The photograph with the faces of the subset; all others are not asked for."""
    key = photo.path.relative_to(images).with_suffix("").as_posix()
    if key not in asked:
        raise DetectorError(f"{file}: knows nothing of {key}")
    corners, rows = asked[key]
    boxes = as_boxes(np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1).tolist())
    wanted = np.isin(np.arange(len(boxes)), rows)
    return Photo(photo.path, boxes[wanted], boxes[~wanted])
