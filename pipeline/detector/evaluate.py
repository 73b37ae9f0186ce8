"""How well a detector finds faces: average precision, recall by size, landmarks, time.

Measured on photographs with boxes drawn by people, by COCO's rules, except that precision is interpolated at
every point of the curve and not at 101. Small background faces that nobody drew count as false: the figures
compare detectors on the same photographs, and understate each.

Average precision ranks whatever a detector returns, so give it a low threshold (0.01); recall, landmarks and
photographs without a face count only what scores at least `confidence`, as in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from pipeline.detector.boxes import area, iou
from pipeline.detector.prepare import Photo, is_test, read_photos
from pipeline.errors import DetectorError
from pipeline.types import Bools, Detections, Floats, Image, Ints

OVERLAPS = np.arange(50, 100, 5) / 100  # 0.50, 0.55 .. 0.95: COCO's
SIZES = {"<16": (0, 16), "16-32": (16, 32), "32-96": (32, 96), ">96": (96, np.inf)}  # sqrt(area), pixels


class Detector(Protocol):
    """Anything that finds faces in a BGR image."""

    def detect(self, image: Image) -> Detections: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What one detector achieves on a set of photographs; None where there was nothing to measure."""

    photos: int
    faces: int
    ap50: float  # average precision at IoU 0.5
    ap50_95: float  # mean over IoU 0.50, 0.55 .. 0.95
    recall: dict[str, float | None]  # at IoU 0.5, by size of the face in pixels of the photograph
    faces_by_size: dict[str, int]
    landmark_median: float | None  # mean distance of the five points, in distances of the eyes
    landmark_p90: float | None
    landmarks_compared: int
    milliseconds: float  # a photograph, median
    without_faces: int  # photographs in which nothing was found
    confidence: float
    scores: Floats = field(repr=False)  # (n,) of every detection
    hits: Bools = field(repr=False)  # (n,) whether it is a face, at IoU 0.5

    def as_dict(self) -> dict[str, Any]:
        """The figures, for JSON; without the arrays that the curve is drawn from."""
        return {name: getattr(self, name) for name in self.__slots__ if name not in ("scores", "hits")}


def precision_recall(scores: Floats, hits: Bools, faces: int) -> tuple[Floats, Floats]:
    """Precision (n,) and recall (n,) after each detection, the best score first.

    Args:
        scores: (n,) of the detections of all photographs together.
        hits: (n,) whether each is a face that no better one had claimed.
        faces: how many there are to find.
    """
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(hits) + 1)
    return precision.astype(np.float32), (right / max(faces, 1)).astype(np.float32)


def average_precision(scores: Floats, hits: Bools, faces: int) -> float:
    """Area under the precision-recall curve, 0..1; precision is the best of this recall or any greater."""
    if not faces or not len(scores):
        return 0.0
    precision, recall = precision_recall(scores, hits, faces)
    envelope = np.maximum.accumulate(precision[::-1].astype(np.float64))[::-1]
    return float((np.diff(recall.astype(np.float64), prepend=0) * envelope).sum())


def match(overlaps: Floats, threshold: float) -> Ints:
    """For each detection, best score first, the row of the face it is, or -1; (n,).

    Greedy, as COCO does it: each takes the face it overlaps most among those that are still free.

    Args:
        overlaps: (n, m) IoU of the detections with the faces.
        threshold: IoU from which a detection may be a face.
    """
    free = overlaps.copy()
    matched = np.full(len(overlaps), -1, np.int64)
    for row in range(len(overlaps) if overlaps.size else 0):
        face = int(free[row].argmax())
        if free[row, face] >= threshold:
            matched[row] = face
            free[:, face] = -1
    return matched


def landmark_errors(found: Floats, given: Floats) -> Floats:
    """Mean distance (n,) of five points (n, 5, 2) from the given ones, in distances of the given eyes."""
    eyes = np.linalg.norm(given[:, 1] - given[:, 0], axis=1)
    errors = np.linalg.norm(found - given, axis=2).mean(axis=1) / np.maximum(eyes, 1e-6)
    return np.asarray(errors, np.float32)


def held_out(folders: Sequence[Path]) -> list[Photo]:
    """The photographs of these data sets that no detector of ours was trained on."""
    return [photo for folder in folders for photo in read_photos(folder) if is_test(photo.path)]


def evaluate(
    detector: Detector,
    photos: Sequence[Photo],
    landmarks: Sequence[Floats] | None = None,
    confidence: float = 0.4,
) -> Report:
    """Measure one detector; see `compare`."""
    return compare({"": detector}, photos, landmarks, confidence)[""]


def compare(
    detectors: Mapping[str, Detector],
    photos: Sequence[Photo],
    landmarks: Sequence[Floats] | None = None,
    confidence: float = 0.4,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Report]:
    """Measure detectors side by side: each photograph is read once and shown to each in turn.

    Args:
        landmarks: for each photograph (m, 5, 2), row by row with its boxes; NaN where they are not known.
        confidence: score from which a detection counts in use.
        progress: called after each photograph.

    Raises:
        DetectorError: there are no photographs, or one cannot be read.
    """
    if not photos:
        raise DetectorError("there are no photographs to evaluate the detector on")
    tallies = {name: _Tally(confidence) for name in detectors}
    for number, photo in enumerate(photos):
        image = cv2.imread(str(photo.path))
        if image is None:
            raise DetectorError(f"{photo.path}: cannot be read as an image")
        picture = image.astype(np.uint8, copy=False)
        given = landmarks[number] if landmarks is not None else np.full((len(photo.boxes), 5, 2), np.nan)
        for name, detector in detectors.items():
            if not number:
                detector.detect(picture)  # the first pass allocates: it is not timed
            started = time.perf_counter()
            found = detector.detect(picture)
            seconds = time.perf_counter() - started
            tallies[name].add(found, photo.boxes, np.asarray(given, np.float32), seconds)
        progress()
    return {name: tally.report() for name, tally in tallies.items()}


class _Tally:
    """What is gathered photograph by photograph; row i of the lists is one photograph."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self.scores: list[Floats] = []
        self.hits: list[Bools] = []  # (overlaps, n)
        self.sides: list[Floats] = []  # (m,) of the faces, pixels
        self.found: list[Bools] = []  # (m,) which faces were found
        self.errors: list[Floats] = []  # of the landmarks that can be compared
        self.seconds: list[float] = []
        self.without_faces = 0

    def add(self, detections: Detections, boxes: Floats, landmarks: Floats, seconds: float) -> None:
        ranked = detections[np.argsort(-detections.scores, kind="stable")]
        overlaps = iou(ranked.boxes, boxes)
        matches = np.stack([match(overlaps, threshold) for threshold in OVERLAPS])
        self.scores.append(ranked.scores)
        self.hits.append(matches >= 0)
        confident = ranked.scores >= self.confidence
        rows = np.flatnonzero(confident & (matches[0] >= 0))
        faces = matches[0][rows]
        self.found.append(np.isin(np.arange(len(boxes)), faces))
        self.sides.append(np.sqrt(area(boxes)))
        errors = landmark_errors(ranked.landmarks[rows], landmarks[faces])
        self.errors.append(errors[np.isfinite(errors)])
        self.seconds.append(seconds)
        self.without_faces += not confident.any()

    def report(self) -> Report:
        scores, hits = np.concatenate(self.scores), np.concatenate(self.hits, axis=1)
        sides, found = np.concatenate(self.sides), np.concatenate(self.found)
        errors = np.concatenate(self.errors)
        precisions = [average_precision(scores, of_overlap, len(sides)) for of_overlap in hits]
        of_size = {name: (sides >= low) & (sides < high) for name, (low, high) in SIZES.items()}
        return Report(
            photos=len(self.seconds),
            faces=len(sides),
            ap50=precisions[0],
            ap50_95=float(np.mean(precisions)),
            recall={
                name: float(found[rows].mean()) if rows.any() else None for name, rows in of_size.items()
            },
            faces_by_size={name: int(rows.sum()) for name, rows in of_size.items()},
            landmark_median=float(np.median(errors)) if len(errors) else None,
            landmark_p90=float(np.quantile(errors, 0.9)) if len(errors) else None,
            landmarks_compared=len(errors),
            milliseconds=float(np.median(self.seconds)) * 1000,
            without_faces=self.without_faces,
            confidence=self.confidence,
            scores=scores,
            hits=hits[0],
        )


def table(reports: Mapping[str, Report]) -> list[list[str]]:
    """A heading and a line for each detector, as text, for whatever prints tables."""

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    heading = ["detector", "AP50", "AP50-95", *(f"recall {name} px" for name in SIZES)]
    heading += ["landmarks, median", "landmarks, 90 %", "ms a photo", "photos without a face"]
    lines = [
        [
            name,
            *map(share, (report.ap50, report.ap50_95, *report.recall.values())),
            *map(share, (report.landmark_median, report.landmark_p90)),
            f"{report.milliseconds:.1f}",
            f"{report.without_faces} of {report.photos}",
        ]
        for name, report in reports.items()
    ]
    return [heading, *lines]


def plot(reports: Mapping[str, Report], out: Path) -> None:
    """Draw the precision-recall curves at IoU 0.5 of several detectors into one image file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(
        xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Faces at IoU 0.5"
    )
    axes.grid(alpha=0.3)
    for name, report in reports.items():
        precision, recall = precision_recall(report.scores, report.hits, report.faces)
        axes.plot(recall, precision, label=f"{name}: AP {report.ap50:.3f}")
    axes.legend(loc="lower left")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
