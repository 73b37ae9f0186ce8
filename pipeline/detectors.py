"""From settings to detectors: the one place that knows every kind of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Settings
from pipeline.faces.helpers import Helpers, nobody_helps

if TYPE_CHECKING:
    from pipeline.detection.second_stage import SecondStage
    from pipeline.detection.yolo import Graph
    from pipeline.faces.upright import UprightDetector
    from pipeline.protocols import Detector


class Graphs:
    """The models of detectors, each opened once, however many detectors run it."""

    def __init__(self, settings: Settings, spin: bool = False) -> None:
        """
        Args:
            settings: threads and provider count here.
            spin: see `siamese.session.open_session`.
        """
        self._threads, self._device, self._spin = settings.runtime.threads, settings.runtime.provider, spin
        self._open: dict[Path, Graph] = {}
        self._second: dict[Path, SecondStage] = {}

    def __call__(self, model: Path | None) -> Graph:
        """The model that `detector_file` says, open.

        Raises:
            pipeline.errors.DetectorError, siamese.errors.ModelError: it cannot be used.
        """
        from pipeline.detection.yolo import Graph

        file = detector_file(model)
        if file not in self._open:
            self._open[file] = Graph.open(file, self._threads, self._spin, self._device)
        return self._open[file]

    def second(self, model: Path | None) -> SecondStage:
        """The second stage of a cascade, open; ours if None. Raises as a call does."""
        from pipeline.detection.files import SECOND_STAGE
        from pipeline.detection.second_stage import SecondStage

        file = model or SECOND_STAGE
        if file not in self._second:
            self._second[file] = SecondStage(file, self._threads)
        return self._second[file]


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
    from pipeline.detection.second_stage import FIRST, ROOM, CascadeDetector
    from pipeline.detection.tiles import TiledDetector
    from pipeline.detection.yolo import YoloDetector

    # OpenCV's pool and onnxruntime's would fight for the same cores; the models need them more.
    cv2.setNumThreads(1)
    det, graphs = settings.det, graphs or Graphs(settings)
    inside_people = _people_model(settings, graphs) is not None
    graph = graphs(det.person_faces if inside_people else det.model)
    # The scores of others' detectors mean something else than those the second stage was weighed with.
    cascade = det.cascade and graph.described.get("recog.kind") == "face detector"
    lower = {"confidence": min(FIRST, det.confidence), "max_faces": max(ROOM, det.max_faces)}
    first = det.model_copy(update=lower) if cascade else det
    found: Detector = YoloDetector(graph, first)
    if det.tiles > 1:
        found = TiledDetector(found, first)
    if cascade:
        found = CascadeDetector(found, graphs.second(det.second_stage), det)
    return found if det.roi is None or inside_people else RegionDetector(found, det.roi)


def of_authentication(settings: Settings) -> Detector:
    """The face detector for one face close to the camera: without the second stage, which is for small and
    doubtful ones.

    So what authentication does rests on one network less, and what was measured of it holds when that one
    learns on.

    Raises:
        pipeline.errors.DetectorError, siamese.errors.ModelError: the model cannot be used.
    """
    return detector(_first_alone(settings))


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
    # Faces outside a region are to be covered, too, and whatever the first network by itself holds for one.
    whole = _first_alone(settings.of_photographs())
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


def detector_fingerprint(detector: Detector) -> str:
    """Which detector found a face, as templates keep it. Another one does not make them unusable."""
    return detector.digest[:16]


def _first_alone(settings: Settings) -> Settings:
    return settings.model_copy(update={"det": settings.det.model_copy(update={"cascade": False})})


def _from(settings: Settings, score: float, most: int | None = None) -> Settings:
    """The settings for a detector that tells faces from this score on, and at most so many."""
    found = {"confidence": score, "max_faces": most or settings.det.max_faces}
    return settings.model_copy(update={"det": settings.det.model_copy(update=found)})


def _people_model(settings: Settings, graphs: Graphs) -> Graph | None:
    """The detector that was asked for, if it finds people."""
    from pipeline.models.describe import kind_of

    if settings.det.model is None:
        return None
    graph = graphs(settings.det.model)
    return graph if kind_of(graph.described) == "person detector" else None
