"""The body of `recog detector evaluate`: ours beside YuNet, on the same pictures at the same input size."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from pipeline import detectors
from pipeline.commands.display import progress
from pipeline.commands.shared import print_json
from pipeline.config import load
from pipeline.detection.evaluation import alarms, figures, lfw_check, timing
from pipeline.detection.evaluation import evaluate as evaluating
from pipeline.detection.evaluation.failures import failures, write_sheet
from pipeline.detection.evaluation.wider import read_wider
from pipeline.detection.files import SECOND_STAGE
from pipeline.detection.training.prepare import SCALES, Photo, name_of, read_photos
from pipeline.detection.training.yunet import YuNet
from pipeline.detection.yolo import YoloDetector
from pipeline.drawing.sheet import letterbox
from pipeline.errors import DetectorError, SinkError
from pipeline.protocols import Detector
from pipeline.sources.images import list_photos
from pipeline.sources.quiet import quiet_opencv
from siamese.provenance import commit, machine, versions
from siamese.shipped import sha256

LOW = 0.01  # average precision ranks whatever is found
IN_USE = 0.4  # the default of `det.confidence`
SMALL = 320  # input size of the check on LFW and of the timing, pixels
YUNET = "yunet"  # its name in tables
FRAME = (640, 360)  # width and height of the picture that calls are timed on

Maker = Callable[[], Detector]
Tables = dict[str, list[list[str]]]  # by title


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured."""

    wild: Sequence[Path]  # folders, of which the test fifth is looked at
    held_out: Sequence[Path]  # folders that are looked at as a whole
    wider: tuple[Path, Path] | None  # images and the list of faces
    negatives: Path | None  # folder of photographs without people
    detectors: Sequence[Path]  # names or files
    yunet: Path | None
    sizes: Sequence[int]
    lfw: Path | None
    lfw_images: int | None  # a sample of so many; None for all
    failures: Path | None  # folder for pictures of the worst
    cascade: bool  # with the second stage


def evaluate_on(wanted: Wanted, out: Path, as_json: bool) -> None:
    """Evaluate on the test fifth of each folder, at each input size; print tables, leave JSON and curves.

    Raises:
        DetectorError: no photographs, a model that cannot be used, or matplotlib is not installed.
        siamese.errors.DataError: LFW is not where it should be.
        SinkError: `out` or the folder of failures cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise DetectorError("the curves need matplotlib: install recog[train]")
    quiet_opencv()  # YuNet's loading warns of targets that nobody asked for
    threads = cv2.getNumThreads()
    files = _files(wanted)
    photos = _photos(wanted)
    without = list_photos(wanted.negatives) if wanted.negatives is not None else []
    images = lfw_check.choose(wanted.lfw, wanted.lfw_images) if wanted.lfw is not None else None
    try:
        for folder in (out, wanted.failures):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        found, tables = _described(photos, files, wanted), Tables()
        reports = {name: _compare(name, of, files, wanted) for name, of in photos.items()}
        _tell_sets(reports, found, tables)
        if images is not None:
            _tell_lfw(_check_lfw(images, files, wanted), found, tables)
        if without:
            _tell_alarms(_alarms(without, files, wanted), found, tables)
        _tell_times(_time(next(iter(photos.values()))[0], files, wanted), found, tables)
        (out / "detector.json").write_text(json.dumps(found, indent=2) + "\n")
        for name, of in reports.items():
            figures.plot(of, out / f"detector-{name}.png", f"{name}, test fifth: faces at IoU 0.5")
        if wanted.failures is not None:
            _show_failures(photos, files, wanted, wanted.failures)
    except OSError as error:
        raise SinkError(f"{error.filename or out}: cannot be written ({error.strerror})") from error
    finally:
        cv2.setNumThreads(threads)
    if as_json:
        print_json(found)
        return
    for title, rows in tables.items():
        _print(title, rows)
    print(f"written: {out / 'detector.json'} and precision-recall curves")


def _tell_sets(
    reports: Mapping[str, Mapping[str, evaluating.Report]], found: dict[str, Any], tables: Tables
) -> None:
    found["figures"] = {
        name: {detector: report.as_dict() for detector, report in of.items()} for name, of in reports.items()
    }
    means = figures.mean_of_sets(reports)
    found["mean of sets"] = {
        name: {"ap50": value, "ap50_interval": of} for name, (value, of) in means.items()
    }
    for name, of in reports.items():
        tables[name] = figures.table(of)
        if any(turned.faces for report in of.values() for turned in report.turned.values()):
            tables[f"{name}, by how far a head is turned"] = figures.table_of_turns(of)
    if len(reports) > 1:
        tables["mean of sets"] = figures.table_of_means(means)


def _tell_lfw(checked: Mapping[str, lfw_check.LfwReport], found: dict[str, Any], tables: Tables) -> None:
    found["lfw"] = {name: report.as_dict() for name, report in checked.items()}
    tables[f"LFW at {SMALL}"] = figures.table_of_lfw(checked)


def _tell_alarms(counted: Mapping[str, alarms.Alarms], found: dict[str, Any], tables: Tables) -> None:
    found["photographs without people"] = {name: of.as_dict() for name, of in counted.items()}
    tables["photographs without people"] = figures.table_of_alarms(counted)


def _tell_times(times: Mapping[str, timing.Timing], found: dict[str, Any], tables: Tables) -> None:
    reference = f"{YUNET} {SMALL}" if f"{YUNET} {SMALL}" in times else next(iter(times))
    found["milliseconds of a call"] = {"frame": FRAME, "reference": reference} | {
        name: of.as_dict() | {"times the reference": timing.ratio(of, times[reference])}
        for name, of in times.items()
    }
    tables[f"a call, {FRAME[0]} x {FRAME[1]} at {SMALL}"] = figures.table_of_times(times, reference)


def _photos(wanted: Wanted) -> dict[str, list[Photo]]:
    """The photographs to look at, by the names of their folders.

    Raises:
        DetectorError: nothing is given, a folder is none of photographs with boxes or holds none to look at,
            or two have one name.
    """
    photos: dict[str, list[Photo]] = {}
    for folder in (*wanted.wild, *wanted.held_out):
        name = folder.resolve().name
        if name in photos:
            raise DetectorError(f"{folder}: a second set of photographs called {name}; rename one of them")
        photos[name] = evaluating.held_out([folder]) if folder in wanted.wild else read_photos(folder)
        if not photos[name]:
            raise DetectorError(f"{folder}: no photographs of the test fifth, by the numbers of their files")
    if wanted.wider is not None:
        for name, of in read_wider(*wanted.wider).items():
            if name in photos:
                raise DetectorError(f"a second set of photographs called {name}; rename the folder")
            photos[name] = of
    if not photos:
        raise DetectorError("give photographs to evaluate on: --wild, --held-out or --wider")
    return photos


def _files(wanted: Wanted) -> dict[str, Path]:
    """Each model's file by the name it has in tables; whatever is wrong with one is said before any work.

    Raises:
        DetectorError: two models of the same name, or one that cannot be used.
    """
    files: dict[str, Path] = {}
    for model in wanted.detectors:
        if model.stem in files or (model.stem == YUNET and wanted.yunet is not None):
            raise DetectorError(f"{model}: a second detector called {model.stem}; rename one of the files")
        files[model.stem] = detectors.detector_file(model)
        YoloDetector(files[model.stem])
    if wanted.yunet is not None:
        files[YUNET] = wanted.yunet
        YuNet(wanted.yunet)
    return files


def _makers(
    files: Mapping[str, Path], wanted: Wanted, sizes: Sequence[int], confidence: float
) -> dict[str, Maker]:
    """What makes each detector at each size, by its name in tables."""

    def ours(file: Path, size: int) -> Detector:
        cv2.setNumThreads(1)  # as `pipeline.build` sets it: the cores are onnxruntime's
        settings = load(
            None, [f"det.size={size}", f"det.confidence={confidence}", "det.max_faces=1000",
                   f"det.cascade={str(wanted.cascade).lower()}", f"det.model={json.dumps(str(file))}"]
        )  # fmt: skip
        return detectors.detector(settings, detectors.Graphs(settings, spin=True))

    def yunet(file: Path, size: int) -> Detector:
        cv2.setNumThreads(os.cpu_count() or 1)  # here OpenCV is what runs the network
        return YuNet(file, size, confidence)

    return {
        f"{name} {size}": partial(yunet if name == YUNET and wanted.yunet is not None else ours, file, size)
        for size in sizes
        for name, file in files.items()
    }


def _compare(
    name: str, photos: list[Photo], files: Mapping[str, Path], wanted: Wanted
) -> dict[str, evaluating.Report]:
    makers = _makers(files, wanted, wanted.sizes, LOW)
    proposers = _proposers(wanted)
    with progress() as display:
        task = display.add_task(name, total=len(photos) * (len(makers) + bool(proposers)))
        advance = partial(display.advance, task)
        given = evaluating.proposed_landmarks(photos, proposers, advance) if proposers else None
        return evaluating.compare(makers, photos, given, IN_USE, advance)


def _check_lfw(
    images: lfw_check.LfwImages, files: Mapping[str, Path], wanted: Wanted
) -> dict[str, lfw_check.LfwReport]:
    proposers = _proposers(wanted)
    with progress() as display:
        task = display.add_task("LFW", total=lfw_check.steps(len(files), images, bool(proposers)))
        advance = partial(display.advance, task)
        return lfw_check.check(_makers(files, wanted, [SMALL], IN_USE), images, proposers, IN_USE, advance)


def _alarms(photos: Sequence[Path], files: Mapping[str, Path], wanted: Wanted) -> dict[str, alarms.Alarms]:
    makers = _makers(files, wanted, wanted.sizes, IN_USE)
    with progress() as display:
        task = display.add_task("without people", total=len(photos) * len(makers))
        return alarms.count(makers, photos, IN_USE, partial(display.advance, task))


def _proposers(wanted: Wanted) -> list[Detector]:
    """The independent detector at the scales that it labelled the training set at; none without its file."""
    return [YuNet(wanted.yunet, size, 0.5) for size in SCALES] if wanted.yunet is not None else []


def _show_failures(
    photos: Mapping[str, list[Photo]], files: Mapping[str, Path], wanted: Wanted, folder: Path
) -> None:
    makers = _makers(files, wanted, wanted.sizes, IN_USE)
    for name, of in photos.items():
        for detector, make in makers.items():
            missed, false = failures(make(), of, IN_USE)
            stem = f"{name}-{detector.replace(' ', '-')}"
            write_sheet(missed, folder / f"{stem}-missed.jpg")
            write_sheet(false, folder / f"{stem}-false.jpg")


def _described(
    photos: Mapping[str, Sequence[Photo]], files: Mapping[str, Path], wanted: Wanted
) -> dict[str, Any]:
    """What the figures are of: settings, models, data, code and machine."""
    return {
        "settings": {
            "sizes": list(wanted.sizes),
            "confidence of average precision": LOW,
            "confidence in use": IN_USE,
            "size on LFW and for times": SMALL,
            "cascade": wanted.cascade,
        },
        "models": {name: {"file": file.name, "sha256": sha256(file)} for name, file in files.items()},
        "second stage": sha256(SECOND_STAGE) if wanted.cascade else None,
        "data": {name: _summed(of) for name, of in photos.items()},
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }


def _summed(photos: Sequence[Photo]) -> dict[str, Any]:
    """How many photographs and faces, and a checksum of their names, files and boxes."""
    content = hashlib.sha256()
    for photo in photos:
        content.update(name_of(photo.path).encode() + photo.path.read_bytes() + photo.boxes.tobytes())
    faces = sum(len(photo.boxes) for photo in photos)
    return {"photographs": len(photos), "faces": faces, "sha256": content.hexdigest()}


def _time(photo: Photo, files: Mapping[str, Path], wanted: Wanted) -> dict[str, timing.Timing]:
    """Whole calls on a frame of a video's size with a face in it."""
    frame = letterbox(evaluating.read_image(photo.path), FRAME)
    return timing.in_rounds(_makers(files, wanted, [SMALL], IN_USE), frame)


def _print(title: str, rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    # A column for each detector: there are more figures than a terminal is wide.
    heading, *values = zip(*rows, strict=True)
    table = Table(*heading, title=title)
    for row in values:
        table.add_row(*row)
    Console().print(table, markup=False)
