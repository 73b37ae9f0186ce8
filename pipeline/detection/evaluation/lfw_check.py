"""The detector on LFW: images in which it finds no face at all, and how far its landmarks lie off.

There are no landmarks drawn by people for LFW. The independent detector's, at whichever scale it is surest
of the face, stand in: the figure is a distance between two detectors, and says not which of them is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detection.evaluation.evaluate import landmark_errors, read_image
from pipeline.detection.evaluation.precision import Interval, interval
from pipeline.detection.training.prepare import MATCH, propose
from pipeline.faces.boxes import iou
from pipeline.protocols import Detector
from pipeline.types import Detections, Floats
from siamese.lfw import files as lfw


@dataclass(frozen=True, slots=True)
class LfwReport:
    """What one detector does on LFW; landmark figures are in distances of the eyes, None without any."""

    images: int
    without_faces: int  # at `confidence`
    landmark_median: float | None
    landmark_interval: Interval | None  # of the same faces drawn again
    landmark_p90: float | None
    landmarks_compared: int  # of one image each of the people of View 1's test half
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LfwImages:
    """Which images of LFW are looked at."""

    folder: Path
    searched: frozenset[str]  # for a face at all
    compared: frozenset[str]  # landmarks of people whose images no detector of ours has seen

    def files(self) -> list[str]:
        """All of them, in a fixed order."""
        return sorted(self.searched | self.compared)


def choose(root: Path, images: int | None = None, seed: int = 0) -> LfwImages:
    """All images to search and one each of the test people to compare landmarks on, or a sample of either.

    Args:
        root: LFW's folder, with the protocol files.
        images: how many to draw at most of either kind; None for all.

    Raises:
        siamese.errors.DataError: LFW or its protocol is not there.
    """
    random = np.random.default_rng(seed)

    def drawn(files: list[str]) -> frozenset[str]:
        count = len(files) if images is None else min(images, len(files))
        return frozenset(files[row] for row in random.permutation(len(files))[:count])

    folder = root / lfw.FOLDER
    every = [photo.file for photo in lfw.images(folder)]
    people = [lfw.image_name(person, 1) for person in lfw.view1_split(root)[1]]
    return LfwImages(folder, drawn(every), drawn(people))


def check(
    makers: Mapping[str, Callable[[], Detector]],
    images: LfwImages,
    proposers: Sequence[Detector],
    confidence: float = 0.4,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, LfwReport]:
    """Show LFW's images to each detector; compare landmarks with the proposers' where there are any.

    Args:
        proposers: the independent detector, at each scale it is to be asked at; none to compare nothing.
        confidence: score from which a detection counts.
        progress: called after each image of each detector, and of the proposers.

    Raises:
        DetectorError: an image cannot be read.
    """
    given: dict[str, Detections] = {}
    for file in sorted(images.compared) if proposers else ():
        image = read_image(images.folder / file)
        given[file] = _surest(propose(image, proposers), image.shape)
        progress()
    reports = {}
    for name, make in makers.items():
        detector, missed, errors = make(), 0, []
        for file in images.files():
            found = detector.detect(read_image(images.folder / file))
            found = found[found.scores >= confidence]
            missed += file in images.searched and not len(found)
            errors.append(_error(found, given.get(file, Detections.empty())))
            progress()
        del detector
        reports[name] = _report(len(images.searched), missed, np.concatenate(errors), confidence)
    return reports


def steps(detectors: int, images: LfwImages, proposed: bool) -> int:
    """How often `check` reports progress."""
    return detectors * len(images.files()) + proposed * len(images.compared)


def _surest(proposals: Detections, shape: tuple[int, ...]) -> Detections:
    """The surest proposal that holds the middle of the image, where LFW has the person it names; or none."""
    middle = np.array([shape[1], shape[0]], np.float32) / 2
    holds = (proposals.boxes[:, :2] <= middle).all(axis=1) & (proposals.boxes[:, 2:] >= middle).all(axis=1)
    return proposals[np.flatnonzero(holds)[:1]]


def _error(found: Detections, given: Detections) -> Floats:
    """The landmark error of the detection that fits the given face best, (1,); (0,) where none fits."""
    if not (len(found) and len(given)):
        return np.zeros(0, np.float32)
    overlaps = iou(found.boxes, given.boxes)[:, 0]
    best = int(overlaps.argmax())
    if overlaps[best] < MATCH:
        return np.zeros(0, np.float32)
    error = landmark_errors(found.landmarks[[best]], given.landmarks)
    return error[np.isfinite(error)]


def _report(images: int, missed: int, errors: Floats, confidence: float, samples: int = 1000) -> LfwReport:
    if not len(errors):
        return LfwReport(images, missed, None, None, None, 0, confidence)
    random = np.random.default_rng(0)
    medians = [np.median(random.choice(errors, len(errors))) for _ in range(samples)]
    return LfwReport(
        images,
        missed,
        float(np.median(errors)),
        interval(np.array(medians, np.float32)),
        float(np.quantile(errors, 0.9)),
        len(errors),
        confidence,
    )
