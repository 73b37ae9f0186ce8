"""Bringing a gallery over to another embedder, from the crops that it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gallery import Denial, Gallery, GalleryError, StoredTemplate
from gallery.types import Floats
from pipeline.faces import align
from pipeline.progress import Report, unheard
from pipeline.protocols import Embedder
from pipeline.words import counted

BATCH = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """What a migration would do."""

    before: str  # the model and alignment that made the gallery
    after: str
    embeddable: tuple[int, ...]  # templates with a crop
    missing: tuple[int, ...]  # templates without one, which can only be left out
    denied: tuple[Denial, ...] = ()  # looks that are not of somebody, with a crop
    denied_missing: int = 0  # and how many without one

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after


def plan(gallery: Gallery, fingerprint: str) -> Plan:
    """What it takes to search this gallery with the model and alignment of `fingerprint`.

    Raises:
        GalleryError: its crops were aligned in another way, so that they are of no use.
    """
    before = gallery.fingerprint
    # Fingerprints end with the alignment; see build.fingerprint.
    if before.rpartition(", ")[2] != fingerprint.rpartition(", ")[2]:
        raise GalleryError(
            f"the crops in {gallery.path} were aligned as {before.rpartition(', ')[2]}, not {align.VERSION}, "
            "so they cannot be embedded again; enroll the photographs again into a new file with --gallery"
        )
    embeddable, missing = gallery.crop_ids()
    denied = gallery.denials()
    kept = tuple(each for each in denied if each.look.crop is not None)
    return Plan(before, fingerprint, tuple(embeddable), tuple(missing), kept, len(denied) - len(kept))


def migrate(
    gallery: Gallery,
    planned: Plan,
    embedder: Embedder,
    dimension: int,
    leave_out: bool,
    progress: Callable[[int], None] = lambda done: None,
    say: Report = unheard,
) -> int:
    """Embed every kept crop again and replace all embeddings in one step; how many templates were left out.

    Args:
        progress: is told how many more are embedded.
        say: is told in a line what takes long on a server.

    Raises:
        GalleryError: templates without a crop would be lost and `leave_out` does not allow it; the gallery
            was changed meanwhile.
    """
    lost = len(planned.missing) + planned.denied_missing
    if lost and not leave_out:
        what = counted(lost, "photo" if planned.missing else "look")
        if not planned.missing:
            what += " that somebody was said not to be"
        has, them = ("has", "it") if lost == 1 else ("have", "them")
        raise GalleryError(
            f"{what} in {gallery.path} {has} no kept crop to embed again; leave {them} "
            f"out with --leave-out (undo brings {them} back), or enroll {them} again afterwards"
        )
    embeddings: dict[int, Floats] = {}
    for start in range(0, len(planned.embeddable), BATCH):
        ids = planned.embeddable[start : start + BATCH]
        embeddings |= _embedded(gallery, list(gallery.read(ids)), embedder)
        progress(len(ids))
    denied = _embedded(gallery, [each.look for each in planned.denied], embedder)
    return gallery.migrate(embeddings, planned.after, dimension, leave_out, denied, say)


def _embedded(gallery: Gallery, photos: Sequence[StoredTemplate], embedder: Embedder) -> dict[int, Floats]:
    """The embeddings of the crops of photos, by their ids.

    Raises GalleryError for crops of another size.
    """
    crops = {photo.id: photo.crop for photo in photos if photo.crop is not None}
    if any(crop.shape != (align.SIZE, align.SIZE, 3) for crop in crops.values()):
        raise GalleryError(f"a crop in {gallery.path} is not {align.SIZE} x {align.SIZE}; enroll again")
    return dict(zip(crops, embedder.embed(np.stack([*crops.values()])), strict=True)) if crops else {}
