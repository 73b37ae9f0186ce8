"""From settings to objects: the one place that knows every backend, and where thread counts are set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Settings
from pipeline.faces.helpers import Helpers, nobody_helps

if TYPE_CHECKING:
    from gallery import Gallery
    from gallery.followed import Enrolled
    from pipeline import protocols
    from pipeline.detection.yolo import Graph
    from pipeline.enrolment.enroller import Enroller
    from pipeline.enrolment.photos import Looker
    from pipeline.faces.choose import Pick
    from pipeline.faces.examine import Examiner
    from pipeline.faces.upright import UprightDetector
    from pipeline.identity.judge import Judge
    from pipeline.protocols import Detector
    from siamese.cohort import Cohort
    from siamese.runtime import Embedder

GALLERY = Path("~/.local/share/recog/gallery.db")  # where the gallery is when nobody says otherwise
QUICK = 224  # long side of the detector's input for a first look at a portrait, pixels


class Graphs:
    """The models of detectors, each opened once, however many detectors run it."""

    def __init__(self, settings: Settings) -> None:
        self._threads, self._device = settings.runtime.threads, settings.runtime.provider
        self._open: dict[Path, Graph] = {}

    def __call__(self, model: Path | None) -> Graph:
        """The model that `detector_file` says, open.

        Raises:
            pipeline.errors.DetectorError, siamese.errors.ModelError: it cannot be used.
        """
        from pipeline.detection.yolo import Graph

        file = detector_file(model)
        if file not in self._open:
            self._open[file] = Graph.open(file, self._threads, spin=False, device=self._device)
        return self._open[file]


def detector(settings: Settings, graphs: Graphs | None = None) -> Detector:
    """The face detector: over the whole frame, or in tiles, or in a region of it.

    Where people are to be found first, it is the one that looks for faces inside them.

    Args:
        graphs: what is open already, and what is opened now.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the model cannot be used.
    """
    import cv2

    from pipeline.detection.region import RegionDetector
    from pipeline.detection.tiles import TiledDetector
    from pipeline.detection.yolo import YoloDetector

    # OpenCV's pool and onnxruntime's would fight for the same cores; the models need them more.
    cv2.setNumThreads(1)
    det, graphs = settings.det, graphs or Graphs(settings)
    inside_people = _people_model(settings, graphs) is not None
    graph = graphs(det.person_faces if inside_people else det.model)
    found: Detector = YoloDetector(graph, det)
    if det.tiles > 1:
        found = TiledDetector(found, det)
    return found if det.roi is None or inside_people else RegionDetector(found, det.roi)


def detector_file(model: Path | None) -> Path:
    """The ONNX file of a detector.

    Args:
        model: as `pipeline.detection.files.model_file` takes it, or weights of ultralytics (`.pt`), which are
            exported on first use.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: there is none, or it cannot be exported.
    """
    if model is not None and model.suffix == ".pt":
        from pipeline.detection.training.export import as_onnx

        return as_onnx(model)
    from pipeline.detection.files import model_file

    return model_file(model)


def of_photographs(
    settings: Settings, graphs: Graphs | None = None, helpers: Helpers = nobody_helps
) -> UprightDetector:
    """The face detector for photographs, which come turned, and as panoramas.

    Args:
        graphs: as for `detector`.
        helpers: as for `UprightDetector`.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the model cannot be used.
    """
    from pipeline.detection.panorama import PanoramaDetector
    from pipeline.faces.upright import UprightDetector

    settings = settings.of_photographs()
    wide = PanoramaDetector(detector(settings, graphs), settings.det.overlap, settings.det.max_faces)
    return UprightDetector(wide, helpers)


def finder(settings: Settings, faces: Detector, graphs: Graphs | None = None) -> Detector:
    """What finds whom to follow: the face detector itself or, with a model that finds people, people first.

    Args:
        faces, graphs: as `detector` made it, and took them.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the model cannot be used.
    """
    model, det = _people_model(settings, graphs or Graphs(settings)), settings.det
    if model is None:
        return faces
    from pipeline.detection.person import PersonDetector
    from pipeline.detection.region import RegionDetector

    found = PersonDetector(model, faces, det)
    return found if det.roi is None else RegionDetector(found, det.roi)


def tracking_detector(settings: Settings) -> Detector:
    """What finds whom to follow, and faces also where they are weak: they may continue a track.

    Where faces are to be covered, it also tells what may be a face anywhere in the frame.
    """
    from pipeline.detection.wary import WaryDetector

    graphs, det = Graphs(settings), settings.det
    follows_people = _people_model(settings, graphs) is not None
    least = min(det.weak, det.confidence)
    if not settings.blur.who:
        kept = settings if follows_people else _from(settings, least)
        return finder(kept, detector(kept, graphs), graphs)
    whole = settings.of_photographs()  # faces outside a region are to be covered, too
    score = settings.blur.score
    wary = _from(whole, min(score * WaryDetector.FAINTER, least), WaryDetector.ROOM * det.max_faces)

    def faces(size: int) -> Detector:
        return detector(wary.model_copy(update={"det": wary.det.model_copy(update={"size": size})}), graphs)

    sizes = det.size, max(det.size, settings.blur.size)
    if det.roi is None and not follows_people:
        return WaryDetector(
            detector(wary, graphs), least, det.max_faces, faces, sizes, whole=True, score=score
        )
    kept = settings if follows_people else _from(settings, least)
    found = finder(kept, detector(kept, graphs), graphs)
    return WaryDetector(found, least, det.max_faces, faces, sizes, whole=False, score=score)


def _from(settings: Settings, score: float, most: int | None = None) -> Settings:
    """The settings for a detector that tells faces from this score on, and at most so many."""
    found = {"confidence": score, "max_faces": most or settings.det.max_faces}
    return settings.model_copy(update={"det": settings.det.model_copy(update=found)})


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
    graphs: Graphs | None = None,
    helpers: Helpers = nobody_helps,
) -> Looker:
    """What looks at photographs to enroll.

    Args:
        photographs: False for frames of a film or a camera, which stand upright and are many.
        quick: look at a small size first, and again only where that leaves a doubt; for many portraits.
        graphs, helpers: as for `of_photographs`.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the detector cannot be used.
    """
    from pipeline.enrolment.photos import Looker

    settings = settings.of_photographs()
    small = settings.model_copy(update={"det": settings.det.model_copy(update={"size": QUICK, "tiles": 1})})
    graphs = graphs or Graphs(settings)

    def find(size: Settings) -> Detector:
        return of_photographs(size, graphs, helpers) if photographs else detector(size, graphs)

    first = find(small) if quick else None
    full = find(settings)
    return Looker(full, embedder, settings.enroll, pick, first, QUICK, detector_fingerprint(full))


def examiner(
    settings: Settings, embedder: Embedder, graphs: Graphs | None = None, helpers: Helpers = nobody_helps
) -> Examiner:
    """What looks at photographs to compare.

    Args:
        graphs, helpers: as for `of_photographs`.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the detector cannot be used.
    """
    from pipeline.faces.examine import Examiner

    return Examiner(of_photographs(settings, graphs, helpers), embedder, settings.enroll, settings.quality)


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


def detector_fingerprint(detector: Detector) -> str:
    """Which detector found a face, as templates keep it. Another one does not make them unusable."""
    return detector.digest[:16]


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


def _people_model(settings: Settings, graphs: Graphs) -> Graph | None:
    """The detector that was asked for, if it finds people."""
    from pipeline.models.describe import kind_of

    if settings.det.model is None:
        return None
    graph = graphs(settings.det.model)
    return graph if kind_of(graph.described) == "person detector" else None
