"""From a folder of photographs to the aligned crops that the network is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.faces import align
from pipeline.faces.choose import subject
from pipeline.faces.examine import examine
from pipeline.protocols import Detector
from pipeline.sources.images import read_plain
from pipeline.types import Image
from siamese.crops import GrowingCrops

PORTION = 64  # faces between two writes to the disk


def align_files(
    root: Path, files: Sequence[str], detector: Detector, pool: ThreadPoolExecutor
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Detect, choose and align the subject of every file; where no face is found, take the centre.

    Args:
        pool: its threads call the detector side by side.

    Returns:
        Crops (n, 112, 112, 3) BGR, and whether a face was found in each, (n,).

    Raises:
        SourceError: a file cannot be read as an image.
    """
    made = list(pool.map(lambda file: _align(root / file, detector), files))
    images = np.empty((len(files), align.SIZE, align.SIZE, 3), np.uint8)
    for row, (crop, _) in enumerate(made):
        images[row] = crop
    return images, np.array([found for _, found in made], np.bool_)


def align_into(
    crops: GrowingCrops,
    root: Path,
    detector: Detector,
    threads: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Align what a crop set lacks yet, and put the set in place.

    Args:
        threads: how many call the detector side by side.
        progress: called with how many faces are done.

    Raises:
        SourceError: a file cannot be read as an image.
        OSError: the set cannot be written; what was aligned so far is kept.
    """
    with ThreadPoolExecutor(threads) as pool:
        progress(crops.done)
        for start in range(crops.done, len(crops.files), PORTION):
            crops.append(*align_files(root, crops.files[start : start + PORTION], detector, pool))
            progress(crops.done)
    crops.finish()


def _align(path: Path, detector: Detector) -> tuple[Image, bool]:
    """The crop of a file's subject, or its centre; whether a face was found."""
    image = read_plain(path)
    if image is None:
        raise SourceError(f"{path}: cannot be read as an image")
    picture = image.astype(np.uint8, copy=False)
    detections = detector.detect(picture)
    if not len(detections):
        return align.center_crop(picture), False
    return examine(picture, detections[[subject(detections, picture)]]).crops[0], True
