"""From photographs of one person to templates; every photograph is accepted or rejected with its reason."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from gallery.types import NewTemplate
from pipeline.config import EnrollSettings
from pipeline.errors import SourceError
from pipeline.faces.choose import Pick, face_sides
from pipeline.faces.examine import the_one
from pipeline.faces.quality import Quality
from pipeline.protocols import Detector, Embedder
from pipeline.sources.images import decode_photo, list_photos, read_photo
from pipeline.types import Detections, Image, Photograph

BATCH = 16  # photographs that a thread takes at once; their faces are embedded together
# A quick look settles a photograph where its one face is at least this large to the detector: whoever is in
# the background is then seen as well. Otherwise the photograph is looked at again, at full size.
CLEAR_PIXELS, CLEAR_SCORE = 56.0, 0.7


class Verdict(StrEnum):
    """What becomes of a look."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"  # nothing to enroll in it
    DUPLICATE = "duplicate"  # this person has this look already
    HELD = "held back"  # it looks like somebody else


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photograph, or of one frame of a film."""

    origin: str  # the file, or the film and the time in it
    template: NewTemplate | None  # of rejected ones there is none
    reason: str = ""
    verdict: Verdict = Verdict.ACCEPTED
    looks_like: str | None = None  # whom a look that is held back resembles
    probability: float | None = None  # of being that person, if one of the enrolled it is, or a stranger


@dataclass(frozen=True, slots=True)
class Shot:
    """A photograph that is in memory."""

    image: Image
    name: str  # what to call it


Photo = Path | Shot | Photograph


def rejected(origin: str, reason: str) -> Outcome:
    """The outcome for a photograph of which no template can be made."""
    return Outcome(origin, None, reason, Verdict.REJECTED)


@dataclass(frozen=True, slots=True)
class Looker:
    """Detects, aligns, judges and embeds. Any number of threads may share one."""

    detector: Detector
    embedder: Embedder
    settings: EnrollSettings
    pick: Pick = None
    quick: Detector | None = None  # the same detector at a small size, tried first
    quick_size: int = 1  # long side of its input, pixels
    seen_by: str = ""  # fingerprint of the detector, which templates keep

    def look(self, photos: Sequence[Photo]) -> list[Outcome]:
        """Look at some photographs, whose faces are embedded together."""
        found = [self._prepare(photo) for photo in photos]
        crops = [face.crop for face in found if isinstance(face, _Face)]
        embeddings = iter(self.embedder.embed(_stack(crops))) if crops else iter(())
        return [
            face
            if isinstance(face, Outcome)
            else Outcome(
                face.origin,
                NewTemplate(next(embeddings), face.crop, face.score, face.origin, face.digest, self.seen_by),
            )
            for face in found
        ]

    def _prepare(self, photo: Photo) -> _Face | Outcome:
        if isinstance(photo, Shot):
            digest = hashlib.sha256(f"{photo.image.shape}".encode() + photo.image.tobytes()).hexdigest()
            return self._of_image(photo.image, photo.name, digest)
        name = photo.name if isinstance(photo, Photograph) else str(photo)
        try:
            if isinstance(photo, Photograph):
                image, data = decode_photo(photo.data, Path(name), photo.most_pixels), photo.data
            else:
                image, data = read_photo(photo), photo.read_bytes()
        except SourceError as error:
            why = str(error).removeprefix(f"{name} ").removeprefix("is ")
            return rejected(name, f"unreadable: {why}")
        except OSError as error:  # gone since it was read
            return rejected(name, f"unreadable: {error.strerror}")
        return self._of_image(image, name, hashlib.sha256(data).hexdigest())

    def _of_image(self, image: Image, origin: str, digest: str) -> _Face | Outcome:
        seen, reason = the_one(image, self._detect(image), self.pick)
        if seen is None or (reason := unfit(seen.quality, self.settings)):
            return rejected(origin, reason)
        if seen.faces.unsure()[0]:
            return rejected(origin, "cannot tell which way up the face is; turn the photo upright")
        return _Face(origin, seen.crops[0], float(seen.quality.score()[0]), digest)

    def _detect(self, image: Image) -> Detections:
        if self.quick is not None:
            found = self.quick.detect(image)
            scale = self.quick_size / max(image.shape[:2])
            if (
                len(found) == 1
                and found.scores[0] >= CLEAR_SCORE
                and face_sides(found)[0] * scale >= CLEAR_PIXELS
            ):
                return found
        return self.detector.detect(image)


@dataclass(frozen=True, slots=True)
class _Face:
    """A face that is good enough, before it is embedded."""

    origin: str
    crop: Image
    score: float  # quality
    digest: str


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


def look_at(photos: Sequence[Photo], looker: Looker, threads: int = 1) -> Iterator[Outcome]:
    """Look at each photograph, in order, in so many threads. An unreadable one is an outcome, not an end."""
    size = max(1, min(BATCH, -(-len(photos) // threads)))
    batches = (photos[start : start + size] for start in range(0, len(photos), size))
    with ThreadPoolExecutor(threads, thread_name_prefix="enroll") as pool:
        # A little ahead and no more: crops that wait take memory.
        waiting: deque[Future[list[Outcome]]] = deque(
            pool.submit(looker.look, batch) for batch in islice(batches, 2 * threads)
        )
        try:
            while waiting:
                yield from waiting.popleft().result()
                waiting.extend(pool.submit(looker.look, batch) for batch in islice(batches, 1))
        finally:
            for future in waiting:
                future.cancel()


def unfit(measured: Quality, settings: EnrollSettings, row: int = 0) -> str:
    """Why the face in this row is not good enough to enroll; nothing if it is."""
    side, sharpness = float(measured.side[row]), float(measured.sharpness[row])
    if side < settings.min_face:
        return f"face too small ({side:.0f} pixels, {settings.min_face:.0f} needed)"
    if sharpness < settings.min_sharpness:
        return f"blurred (sharpness {sharpness:.0f}, {settings.min_sharpness:.0f} needed)"
    return ""


def _stack(crops: Sequence[Image]) -> Image:
    import numpy as np

    return np.stack(crops)
