"""From settings to embedder and gallery, and to what looks at faces for it and judges by it.

Here it is settled, too, how many threads each has. Detectors are made in `pipeline.detectors`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import detectors
from pipeline.config import Settings
from pipeline.faces.helpers import Helpers, nobody_helps

if TYPE_CHECKING:
    from gallery import Gallery
    from gallery.followed import Enrolled
    from pipeline import protocols
    from pipeline.enrolment.enroller import Enroller
    from pipeline.enrolment.photos import Looker
    from pipeline.faces.choose import Pick
    from pipeline.faces.examine import Examiner
    from pipeline.identity.judge import Judge
    from pipeline.protocols import Detector
    from siamese.cohort import Cohort
    from siamese.runtime import Embedder

GALLERY = Path("~/.local/share/recog/gallery.db")  # where the gallery is when nobody says otherwise
QUICK = 224  # long side of the detector's input for a first look at a portrait, pixels


def embedder(settings: Settings) -> Embedder:
    """The embedder.

    Raises:
        siamese.errors.ModelError: the model cannot be used.
    """
    from gallery.index import use_threads
    from siamese.runtime import Embedder

    use_threads(settings.runtime.threads)
    runtime = settings.runtime
    return Embedder(embedder_path(settings), runtime.threads, spin=False, device=runtime.provider)


def cohort(settings: Settings, embedder: Embedder) -> Cohort | None:
    """The strangers that ship with the embedder; None for a model that has none.

    Raises:
        siamese.errors.ModelError: they are damaged, or another model's.
    """
    from siamese.cohort import cohort_path, read

    path = cohort_path(embedder_path(settings))
    return read(path, embedder.digest) if path.exists() else None


def embedder_path(settings: Settings) -> Path:
    """The file of the embedder."""
    from pipeline.models.local import resolve_embedder
    from siamese.runtime import DEFAULT

    return DEFAULT if settings.emb.model is None else resolve_embedder(settings.emb.model)


def looker(
    settings: Settings,
    embedder: Embedder,
    pick: Pick = None,
    *,
    quick: bool = False,
    photographs: bool = True,
    graphs: detectors.Graphs | None = None,
    helpers: Helpers = nobody_helps,
) -> Looker:
    """What looks at photographs to enroll.

    Args:
        photographs: False for frames of a film or a camera, which stand upright and are many.
        quick: look at a small size first, and again only where that leaves a doubt; for many portraits.
        graphs, helpers: as for `detectors.of_photographs`.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the detector cannot be used.
    """
    from pipeline.enrolment.photos import Looker

    settings = settings.of_photographs()
    small = settings.model_copy(update={"det": settings.det.model_copy(update={"size": QUICK, "tiles": 1})})
    graphs = graphs or detectors.Graphs(settings)

    def find(size: Settings) -> Detector:
        return (
            detectors.of_photographs(size, graphs, helpers)
            if photographs
            else detectors.detector(size, graphs)
        )

    first = find(small) if quick else None
    full = find(settings)
    return Looker(full, embedder, settings.enroll, pick, first, QUICK, detectors.detector_fingerprint(full))


def examiner(
    settings: Settings,
    embedder: Embedder,
    graphs: detectors.Graphs | None = None,
    helpers: Helpers = nobody_helps,
) -> Examiner:
    """What looks at photographs to compare.

    Args:
        graphs, helpers: as for `detectors.of_photographs`.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the detector cannot be used.
    """
    from pipeline.faces.examine import Examiner

    return Examiner(
        detectors.of_photographs(settings, graphs, helpers), embedder, settings.enroll, settings.quality
    )


def threads(settings: Settings) -> int:
    """How many threads there are to work in."""
    if settings.runtime.threads:
        return settings.runtime.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def single_threaded(settings: Settings) -> Settings:
    """The settings for models that several threads call side by side, each call on one core."""
    return _on(settings, 1)


def halved(settings: Settings) -> Settings:
    """The settings for models that two threads may call side by side."""
    return _on(settings, max(1, threads(settings) // 2))


def _on(settings: Settings, threads: int) -> Settings:
    return settings.model_copy(update={"runtime": settings.runtime.model_copy(update={"threads": threads})})


def fingerprint(embedder: protocols.Embedder) -> str:
    """What a gallery must have been made with to be searched with this embedder."""
    from pipeline.faces.align import VERSION

    return f"{embedder.name} {embedder.digest[:16]}, {VERSION}"


def gallery(path: Path | None, embedder: Embedder, create: bool = False) -> Gallery:
    """The gallery at `path`, or the user's own.

    Raises:
        gallery.errors.GalleryError: missing, damaged, or made with another model.
    """
    from gallery import Gallery

    return Gallery.open(gallery_path(path), fingerprint(embedder), embedder.dimension, create=create)


def enroller(
    path: Path | None, embedder: Embedder, *, force: bool = False, dry_run: bool = False, crops: bool = True
) -> Enroller:
    """What puts looks into the gallery at `path`, or into the user's own; see `Enroller`.

    Raises:
        gallery.errors.GalleryError: there is a gallery, but it is damaged or made with another model.
    """
    from pipeline.enrolment.enroller import Enroller

    return Enroller(
        gallery_path(path), embedder, fingerprint(embedder), force=force, dry_run=dry_run, crops=crops
    )


def people(
    path: Path | None,
    embedder: Embedder,
    report: Callable[[str], None] = lambda line: None,
    missing_ok: bool = False,
) -> Enrolled:
    """The gallery to recognise with; the user's own may yet have to be made.

    Args:
        report: is told in a line what keeps a run from following the gallery.
        missing_ok: the gallery at `path` may yet have to be made, too.

    Raises:
        gallery.errors.GalleryError: damaged, made with another model, or asked for by name and missing.
    """
    from gallery.followed import Enrolled

    if path is not None and not missing_ok:
        gallery(path, embedder).close()  # asked for by name, so it must be there
    return Enrolled(gallery_path(path), fingerprint(embedder), embedder.dimension, report)


def judge(people: protocols.People, embedder: protocols.Embedder, settings: Settings) -> Judge:
    """Who judges embeddings of this embedder by these people.

    Raises:
        gallery.errors.GalleryError: what the gallery was calibrated for is damaged.
    """
    from pipeline.identity.judge import Judge

    return Judge(people, embedder.calibration, settings.evidence)


def gallery_path(path: Path | None) -> Path:
    """Where the gallery is: `path`, be it a file or a server's address, or the user's own.

    Raises:
        gallery.errors.GalleryError: there is no home folder to keep it in, and no other place is named.
    """
    from gallery.address import place
    from gallery.errors import GalleryError

    try:
        if path is None and os.environ.get("HOME") == "":
            raise RuntimeError("HOME is empty")  # which would make it a folder of wherever this is run
        # "~ada/x" may well be a file of that name; only a place in the user's own home is meant by the other.
        return (path or GALLERY).expanduser() if path is None or path.parts[:1] == ("~",) else place(path)
    except RuntimeError as error:
        raise GalleryError(
            "there is no home folder to keep the gallery in; set HOME, or name a file with --gallery"
        ) from error
