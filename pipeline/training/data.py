"""The pictures of a folder as aligned crops, made once and kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.detection.training.yunet import YuNet
from pipeline.errors import SinkError, SourceError
from pipeline.faces import align
from pipeline.progress import Progress, silent
from pipeline.protocols import Detector
from pipeline.sources.images import PHOTO_SUFFIXES
from pipeline.training.align_set import align_into
from siamese import crops
from siamese.crops import CropSet, GrowingCrops
from siamese.errors import DataError
from siamese.shipped import sha256

SIZE = 320  # of the detector's input: in pictures of one person the face is large


def align_folder(
    root: Path,
    out: Path,
    settings: Settings,
    named: bool,
    yunet: Path | None = None,
    progress: Progress = silent,
) -> CropSet:
    """Align the subject of every picture below `root` into the crop set `out`; one that fits is kept.

    Args:
        named: folders below `root` are people's names; else nobody's name is known.
        yunet: a YuNet model whose landmarks shall be used instead of our own detector's.

    Raises:
        SourceError: no pictures there, or one that cannot be read.
        SinkError: the crop set cannot be written.
        DetectorError, siamese.errors.ModelError: the detector cannot be used.
    """
    if not root.is_dir():
        hint = "; bring it with: recog data lfw" if named else ""
        raise SourceError(f"{root}: there is no such folder{hint}")
    inside = out.resolve()
    files = sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.suffix.lower() in PHOTO_SUFFIXES and inside not in path.resolve().parents
    )
    if not files:
        raise SourceError(f"{root}: no pictures in this folder")
    return align_listed(root, files, out, settings, named, yunet, progress=progress)


def align_listed(
    root: Path,
    files: Sequence[str],
    out: Path,
    settings: Settings,
    named: bool,
    yunet: Path | None = None,
    whole: Path | None = None,
    progress: Progress = silent,
) -> CropSet:
    """As `align_folder`, of these files below `root`. Interrupted, it goes on where it was.

    Args:
        whole: another crop set, which serves instead where it holds all these files and maybe more.

    Raises:
        SourceError: a file that cannot be read as an image.
        SinkError, DetectorError, siamese.errors.ModelError: as `align_folder`.
    """
    detector: Detector
    if yunet is None:
        ours = detector_of_subjects(settings)
        detector, named_detector, threads = ours, f"detector {ours.digest[:16]}", build.threads(settings)
    else:
        # It keeps the size of its input from call to call: one thread only.
        detector, named_detector, threads = YuNet(yunet, SIZE), f"yunet {sha256(yunet)[:16]}", 1
    alignment = f"{align.VERSION}, {named_detector} at {SIZE}"
    with contextlib.suppress(DataError):  # none yet, or a damaged one: it is made again
        present = crops.read(out)
        if present.alignment == alignment and present.files == tuple(files):
            return present
    if whole is not None:
        with contextlib.suppress(DataError):
            present = crops.read(whole)
            if present.alignment == alignment and set(present.files) >= set(files):
                return present
    make_folder(out)  # before the work, not after it
    people = [Path(file).parts[0] if named else "" for file in files]
    try:
        with closing(GrowingCrops(out, files, people, alignment)) as growing:
            told = partial(progress, "aligning faces", total=len(files))
            align_into(growing, root, detector, threads, told)
    except OSError as error:
        raise SinkError(
            f"{out}: cannot be written ({error.strerror or error}); what is aligned so far is kept"
        ) from error
    return crops.read(out)


def detector_of_subjects(settings: Settings) -> Detector:
    """Our detector for pictures of one person, single-threaded; raises as `pipeline.detectors.detector`."""
    det = settings.of_photographs().det.model_copy(update={"size": SIZE, "tiles": 1})
    return detectors.detector(build.single_threaded(settings.model_copy(update={"det": det})))


def make_folder(folder: Path) -> None:
    """Make a folder to write into.

    Raises:
        SinkError: it cannot be made, or not be written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"{folder}: cannot be written (no permission); choose another folder")
