"""From photographs of one person to templates; every photograph is accepted or rejected with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gallery.types import NewTemplate
from pipeline import align, quality
from pipeline.config import EnrollSettings
from pipeline.errors import SourceError
from pipeline.photos import list_photos, read_photo
from pipeline.recognise import Detector, Embedder
from pipeline.types import Detections

# A second face this much smaller than the first is somebody in the background, not a second subject.
BACKGROUND = 0.35
SURE = 0.6  # a second face below this score is more often a pattern than a person


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photograph: a template, or the reason why not."""

    photo: Path
    template: NewTemplate | None
    reason: str  # of the rejection, or a note


def find_photos(paths: Sequence[Path]) -> list[Path]:
    """The photographs that these files and folders name, each folder in natural order.

    A file is taken as it is, even if it does not exist: whoever reads it finds out.

    Raises:
        SourceError: a folder holds no photographs.
    """
    photos: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = list_photos(path)
            if not inside:
                raise SourceError(f"{path}: no photographs in this folder")
            photos += inside
        else:
            photos.append(path)
    return photos


def look_at(
    photos: Sequence[Path], detector: Detector, embedder: Embedder, settings: EnrollSettings
) -> Iterator[Outcome]:
    """Detect, align, judge and embed each photograph in turn. An unreadable one is an outcome, not an end."""
    for photo in photos:
        try:
            image = read_photo(photo)
        except SourceError as error:
            why = str(error).removeprefix(f"{photo} ").removeprefix("is ")
            yield Outcome(photo, None, f"unreadable: {why}")
            continue
        detections = detector.detect(image)
        face, reason = choose(detections)
        if face is None:
            yield Outcome(photo, None, reason)
            continue
        only = detections[[face]]
        crops = align.crop(image, only.boxes, only.landmarks)
        measured = quality.measure(image, only.boxes, only.landmarks, crops)
        reason = _unfit(measured, settings)
        if reason:
            yield Outcome(photo, None, reason)
            continue
        digest = hashlib.sha256(photo.read_bytes()).hexdigest()
        embedding = embedder.embed(crops)[0]
        template = NewTemplate(embedding, crops[0], float(measured.score()[0]), str(photo), digest)
        yield Outcome(photo, template, "")


def choose(detections: Detections) -> tuple[int | None, str]:
    """The row of the one face that a photograph is of, or None and the reason.

    A photograph with two faces of similar size is refused: guessing would enroll a stranger.
    """
    if not len(detections):
        return None, "no face found"
    sides = np.sqrt((detections.boxes[:, 2:] - detections.boxes[:, :2]).prod(axis=1))
    order = np.argsort(-sides)
    others = (sides >= BACKGROUND * sides[order[0]]) & (detections.scores >= SURE)
    count = 1 + int(others[order[1:]].sum())
    if count > 1:
        return None, f"{count} faces; crop the photo to one person"
    return int(order[0]), ""


def _unfit(measured: quality.Quality, settings: EnrollSettings) -> str:
    side, sharpness = float(measured.side[0]), float(measured.sharpness[0])
    if side < settings.min_face:
        return f"face too small ({side:.0f} pixels, {settings.min_face:.0f} needed)"
    if sharpness < settings.min_sharpness:
        return f"blurred (sharpness {sharpness:.0f}, {settings.min_sharpness:.0f} needed)"
    return ""
