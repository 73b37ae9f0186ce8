"""Pictures of faces for events: one JPEG for each decided track, and thumbnails inside the events themselves.

Both are personal data: they exist only where somebody asked for them, and only the owner can read the files.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import SinkError
from pipeline.outputs.events import Event
from pipeline.types import Floats, Image, Result

MARGIN = 0.4  # of the face's box, around it
SNAPSHOT_SIDE, THUMBNAIL_SIDE = 320, 96  # longest side, pixels; larger faces are scaled down


@dataclass(slots=True)
class _Best:
    """The best view of a track so far."""

    quality: float
    picture: Image
    covered: bool  # the face in it
    written: float | None = None  # quality of the view in the file


class Snapshots:
    """Keeps the best view of each track that is present and attaches it to events.

    Args:
        folder: where snapshots go, made (0700) if it is missing, with those above it; None for none.
        thumbnails: put a small JPEG, base64, into `recognised` and `unknown` events.
        side: the longest that a thumbnail has, pixels.
    """

    def __init__(self, folder: Path | None, thumbnails: bool, run: str, side: int = THUMBNAIL_SIDE) -> None:
        """Make the folder. Raises SinkError if that cannot be done."""
        self._folder, self._thumbnails, self._run, self._side = folder, thumbnails, run, side
        self._best: dict[int, _Best] = {}
        if folder is not None:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise SinkError(f"cannot make the folder {folder}: {error.strerror}") from error

    def attach(self, result: Result | None, events: Iterable[Event]) -> list[Event]:
        """The events, with `snapshot` and `thumbnail` where they are due.

        Args:
            result: the one the events tell of; None at the end of the source.

        Raises:
            SinkError: a snapshot cannot be written.
        """
        if self._folder is None and not self._thumbnails:
            return list(events)
        if result is not None and result.frame.image.size:
            self._look(result)
        return [self._with_pictures(event) for event in events]

    def _look(self, result: Result) -> None:
        looked = {look.track: look.quality for look in result.looks}
        for face in result.faces:
            best = self._best.get(face.track)
            quality = looked.get(face.track, 0.0)
            # A face that is covered by now must not be seen in an earlier view; one that is not any more is
            # better seen in a later one.
            turned = best is not None and best.covered != face.covered
            if face.track >= 0 and (best is None or turned or quality > best.quality):
                picture = cutout(result.frame.image, face.box)
                if picture is None and best is not None and turned and face.covered:
                    picture = np.zeros_like(best.picture)
                if picture is None:
                    continue
                written = best.written if best is not None else None
                now = _Best(quality, picture, face.covered, written)
                if turned and written is not None and self._folder is not None:
                    self._put(face.track, now)
                self._best[face.track] = now

    def _with_pictures(self, event: Event) -> Event:
        best = self._best.get(event.track)
        if best is None:
            return event
        decided = event.event in ("recognised", "unknown")
        if self._folder is not None and (decided or best.written is not None):
            if best.written is None or best.quality > best.written:
                self._put(event.track, best)
            event = replace(event, snapshot=str(self._path(event.track)))
        if self._thumbnails and decided:
            event = replace(event, thumbnail=base64.b64encode(encoded(best.picture, self._side)).decode())
        if event.event == "left":
            del self._best[event.track]
        return event

    def _put(self, track: int, best: _Best) -> None:
        _write(self._path(track), encoded(best.picture, SNAPSHOT_SIDE))
        best.written = best.quality

    def _path(self, track: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._run}-{track}.jpg"


def cutout(image: Image, box: Floats) -> Image | None:
    """A copy of what is in a box (4,) x1 y1 x2 y2, with a margin; None where that is outside the picture."""
    height, width = image.shape[:2]
    margin = MARGIN * (box[2:] - box[:2])
    left, top = np.maximum(box[:2] - margin, 0).astype(int)
    right, bottom = np.minimum(box[2:] + margin, (width, height)).astype(int)
    return image[top:bottom, left:right].copy() if right > left and bottom > top else None


def encoded(picture: Image, side: int) -> bytes:
    """A picture as a JPEG whose longer side is at most `side` pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = max(1, round(scale * width)), max(1, round(scale * height))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".part")
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SinkError(f"cannot write {path}: {error.strerror}") from error
