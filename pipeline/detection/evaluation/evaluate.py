"""How well a detector finds faces: average precision, recall by size, landmarks, time.

Measured on photographs with boxes drawn by people, as `pipeline.detection.evaluation.precision` says. Small
background faces that nobody drew count as false: the figures compare detectors on the same photographs, and
understate each.

Average precision ranks whatever a detector returns, so give it a low threshold (0.01); recall, landmarks and
photographs without a face count only what scores at least `confidence`, as in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detection.evaluation.precision import (
    Interval,
    average_precision,
    counted,
    interval,
    match,
    redrawn,
)
from pipeline.detection.training.prepare import Photo, is_test, label, propose, read_photos
from pipeline.errors import DetectorError
from pipeline.faces.boxes import area, intersection, iou
from pipeline.faces.turn import TURNS, turns
from pipeline.protocols import Detector
from pipeline.sources.images import read_plain
from pipeline.types import Bools, Detections, Floats, Image

OVERLAPS = np.arange(50, 100, 5) / 100  # 0.50, 0.55 .. 0.95: COCO's
SIZES = {"<16": (0, 16), "16-32": (16, 32), "32-96": (32, 96), ">96": (96, np.inf)}  # sqrt(area), pixels

FLOORS = (8, 16, 32)  # least sides of faces that an average precision is of, in pixels of LONG
LONG = 416  # long side that photographs are thought of at there: sizes compare between sets


@dataclass(frozen=True, slots=True)
class Turned:
    """What becomes of the faces that are turned by so many degrees."""

    faces: int
    found: float | None  # at the confidence of use
    landmarks: float | None  # median error of the five points, in sides of the face's box


@dataclass(frozen=True, slots=True)
class Report:
    """What one detector achieves on a set of photographs; None where there was nothing to measure."""

    photos: int
    faces: int
    ap50: float  # average precision at IoU 0.5
    ap50_interval: Interval  # of the same photographs drawn again
    ap50_95: float  # mean over IoU 0.50, 0.55 .. 0.95
    ap50_95_interval: Interval
    ap50_from: dict[str, float | None]  # of faces from so many pixels on, of photographs of `LONG`
    found: float | None  # share of the faces found in use, at IoU 0.5: what a user sees
    right: float | None  # share of what is found in use that is a face
    recall: dict[str, float | None]  # at IoU 0.5, by size of the face in pixels of the photograph
    faces_by_size: dict[str, int]
    landmark_median: float | None  # mean distance of the five points, in distances of the eyes
    landmark_p90: float | None
    landmarks_compared: int
    turned: dict[str, Turned]  # by degrees, of the faces whose landmarks are given
    milliseconds: float  # a photograph, median
    without_faces: int  # photographs in which nothing was found
    confidence: float
    scores: Floats = field(repr=False)  # (n,) of every detection
    hits: Bools = field(repr=False)  # (n,) whether it is a face, at IoU 0.5
    drawn: Floats = field(repr=False)  # (samples,) AP50 of the photographs drawn again

    def as_dict(self) -> dict[str, Any]:
        """The figures, for JSON; without the arrays that the curve and the intervals come from."""
        arrays = ("scores", "hits", "drawn", "turned")
        turned = {name: asdict(of) for name, of in self.turned.items()}
        return {name: getattr(self, name) for name in self.__slots__ if name not in arrays} | {
            "turned": turned
        }


def landmark_errors(found: Floats, given: Floats) -> Floats:
    """Mean distance (n,) of five points (n, 5, 2) from the given ones, in distances of the given eyes."""
    eyes = np.linalg.norm(given[:, 1] - given[:, 0], axis=1)
    errors = np.linalg.norm(found - given, axis=2).mean(axis=1) / np.maximum(eyes, 1e-6)
    return np.asarray(errors, np.float32)


def held_out(folders: Sequence[Path]) -> list[Photo]:
    """The photographs of these data sets that no detector of ours was trained on."""
    return [photo for folder in folders for photo in read_photos(folder) if is_test(photo.path)]


def proposed_landmarks(
    photos: Sequence[Photo], proposers: Sequence[Detector], progress: Callable[[], None] = lambda: None
) -> list[Floats]:
    """For each photograph the landmarks (m, 5, 2) that the proposers give to its boxes; NaN where none fits.

    Raises:
        DetectorError: a photograph cannot be read.
    """
    landmarks = []
    for photo in photos:
        _, points = label(photo.boxes, propose(read_image(photo.path), proposers))
        landmarks.append(points[: len(photo.boxes)])
        progress()
    return landmarks


def evaluate(
    detector: Detector,
    photos: Sequence[Photo],
    landmarks: Sequence[Floats] | None = None,
    confidence: float = 0.4,
) -> Report:
    """Measure one detector; see `compare`."""
    return compare({"": lambda: detector}, photos, landmarks, confidence)[""]


def compare(
    makers: Mapping[str, Callable[[], Detector]],
    photos: Sequence[Photo],
    landmarks: Sequence[Floats] | None = None,
    confidence: float = 0.4,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Report]:
    """Measure detectors on the same photographs.

    Each is made, measured and dropped before the next one is made: the idle threads of a second one would
    spin on the cores that the first is timed on.

    Args:
        landmarks: for each photograph (m, 5, 2), row by row with its boxes; NaN where they are not known.
        confidence: score from which a detection counts in use.
        progress: called after each photograph of each detector.

    Raises:
        DetectorError: there are no photographs, or one cannot be read.
    """
    if not photos:
        raise DetectorError("there are no photographs to evaluate the detector on")
    reports = {}
    for name, make in makers.items():
        tally = _Tally(confidence)
        detector = make()
        for number, photo in enumerate(photos):
            picture = read_image(photo.path)
            given = np.full((len(photo.boxes), 5, 2), np.nan) if landmarks is None else landmarks[number]
            if not number:
                detector.detect(picture)  # the first pass allocates: it is not timed
            started = time.perf_counter()
            found = detector.detect(picture)
            seconds = time.perf_counter() - started
            tally.add(found, photo, max(picture.shape[:2]), np.asarray(given, np.float32), seconds)
            progress()
        del detector
        reports[name] = tally.report()
    return reports


def read_image(path: Path) -> Image:
    """A photograph as BGR.

    Raises:
        DetectorError: it cannot be read.
    """
    image = read_plain(path)
    if image is None:
        raise DetectorError(f"{path}: cannot be read as an image")
    return image.astype(np.uint8, copy=False)


class _Tally:
    """What is gathered photograph by photograph; row i of the lists is one photograph."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self.scores: list[Floats] = []
        self.hits: list[Bools] = []  # (overlaps, n)
        self.extents: list[
            Floats
        ] = []  # (n,) sides of the faces that were hit or else of the detections, at LONG
        self.sides: list[Floats] = []  # (m,) of the faces, pixels
        self.scales: list[Floats] = []  # (m,) LONG in long sides of the photograph
        self.found: list[Bools] = []  # (m,) which faces were found
        self.degrees: list[Floats] = []  # (m,) by which they are turned, NaN where it is not known
        self.errors: list[Floats] = []  # (m,) of the landmarks, in distances of the eyes; NaN if not compared
        self.offsets: list[Floats] = []  # (m,) the same in sides of the face
        self.seconds: list[float] = []
        self.without_faces = 0

    def add(self, detections: Detections, photo: Photo, long: int, landmarks: Floats, seconds: float) -> None:
        ranked = detections[np.argsort(-detections.scores, kind="stable")]
        matched = match(iou(ranked.boxes, photo.boxes), OVERLAPS[0])
        self.without_faces += not (ranked.scores >= self.confidence).any()
        own = np.maximum(area(ranked.boxes), np.float32(1e-6))[:, None]
        inside = np.asarray(intersection(ranked.boxes, photo.unsure) / own, np.float32)
        kept = counted(matched, iou(ranked.boxes, photo.ignored), inside, OVERLAPS[0])
        ranked = ranked[kept]
        overlaps = iou(ranked.boxes, photo.boxes)
        matches = np.stack([match(overlaps, threshold) for threshold in OVERLAPS])
        self.scores.append(ranked.scores)
        self.hits.append(matches >= 0)
        sides, scale = np.sqrt(area(photo.boxes)), LONG / long
        hit = matches[0] >= 0
        extents = np.sqrt(area(ranked.boxes))
        extents[hit] = sides[matches[0][hit]]
        self.extents.append(np.asarray(extents * scale, np.float32))
        self.sides.append(sides)
        self.scales.append(np.full(len(sides), scale, np.float32))
        rows = np.flatnonzero((ranked.scores >= self.confidence) & hit)
        faces = matches[0][rows]
        self.found.append(np.isin(np.arange(len(sides)), faces))
        self.degrees.append(turns(landmarks))
        errors = np.full(len(sides), np.nan, np.float32)
        errors[faces] = landmark_errors(ranked.landmarks[rows], landmarks[faces])
        eyes = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)
        self.errors.append(errors)
        self.offsets.append(np.asarray(errors * eyes / np.maximum(sides, 1e-6), np.float32))
        self.seconds.append(seconds)

    def report(self) -> Report:
        scores, hits = np.concatenate(self.scores), np.concatenate(self.hits, axis=1)
        sides, found = np.concatenate(self.sides), np.concatenate(self.found)
        every = np.concatenate(self.errors)
        errors = every[np.isfinite(every)]
        precisions = [average_precision(scores, of_overlap, len(sides)) for of_overlap in hits]
        photos = np.repeat(np.arange(len(self.scores)), [len(each) for each in self.scores])
        drawn = redrawn(scores, hits, photos, np.array([len(each) for each in self.sides]))
        of_size = {name: (sides >= low) & (sides < high) for name, (low, high) in SIZES.items()}
        in_use = scores >= self.confidence
        return Report(
            photos=len(self.seconds),
            faces=len(sides),
            ap50=precisions[0],
            ap50_interval=interval(drawn[0]),
            ap50_95=float(np.mean(precisions)),
            ap50_95_interval=interval(drawn.mean(axis=0)),
            ap50_from={f"{floor}": self._from(floor, scores, hits[0]) for floor in FLOORS},
            found=_share(found),
            right=_share(hits[0][in_use]),
            recall={name: _share(found[rows]) for name, rows in of_size.items()},
            faces_by_size={name: int(rows.sum()) for name, rows in of_size.items()},
            landmark_median=float(np.median(errors)) if len(errors) else None,
            landmark_p90=float(np.quantile(errors, 0.9)) if len(errors) else None,
            landmarks_compared=len(errors),
            turned=self._turned(found),
            milliseconds=float(np.median(self.seconds)) * 1000,
            without_faces=self.without_faces,
            confidence=self.confidence,
            scores=scores,
            hits=hits[0],
            drawn=drawn[0],
        )

    def _from(self, floor: float, scores: Floats, hits: Bools) -> float | None:
        """AP50 of the larger faces: what is a smaller one, or smaller and none, does not count."""
        faces = int((np.concatenate(self.sides) * np.concatenate(self.scales) >= floor).sum())
        large = np.concatenate(self.extents) >= floor
        return average_precision(scores[large], hits[large], faces) if faces else None

    def _turned(self, found: Bools) -> dict[str, Turned]:
        degrees, offsets = np.concatenate(self.degrees), np.concatenate(self.offsets)
        turned = {}
        for name, (low, high) in TURNS.items():
            rows = (degrees >= low) & (degrees < high)
            compared = offsets[rows & np.isfinite(offsets)]
            median = float(np.median(compared)) if len(compared) else None
            turned[name] = Turned(int(rows.sum()), _share(found[rows]), median)
        return turned


def _share(of: Bools) -> float | None:
    """How many of them are true, 0..1; None where there are none."""
    return float(of.mean()) if len(of) else None
