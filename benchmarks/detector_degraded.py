"""How many faces detectors still find in photographs that are badly resized, noisy, blurred or compressed.

The test fifths, and held-out sets with `--held-out`, are shown as they are and made worse in fixed ways, at
the size that the network sees: what cheap cameras, hasty software and strong compression do. The result is
how many of the faces are found at the default confidence, and how many of what is found are none of them.

    uv run python benchmarks/detector_degraded.py --wild ilc448 --held-out test/crowd --detector face-n
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.config import DetectSettings, RuntimeSettings, Settings
from pipeline.detection.evaluation.evaluate import held_out, read_image
from pipeline.detection.files import model_file
from pipeline.detection.training.prepare import Photo, read_photos
from pipeline.detection.training.yunet import YuNet
from pipeline.detectors import detector as made_of
from pipeline.errors import PipelineError
from pipeline.faces.boxes import area, intersection, iou
from pipeline.outputs.places import output_file
from pipeline.protocols import Detector
from pipeline.types import Floats, Image
from siamese.provenance import commit, machine, versions
from siamese.shipped import sha256

CONFIDENCE = 0.4
LEAST = 8.0  # side of a face in pixels at 416; smaller ones are not asked for


def squashed(image: Image) -> Image:
    """Two thirds of the columns and nine tenths of the rows, and back, by the nearest."""
    height, width = image.shape[:2]
    less = cv2.resize(image, (width * 2 // 3, height * 9 // 10), interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(less, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8)


def noisy(image: Image) -> Image:
    noise = np.random.default_rng(0).normal(0, 15, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def sharpened(image: Image) -> Image:
    soft = cv2.GaussianBlur(image, (0, 0), 1).astype(np.float32)
    return np.clip(image + 1.5 * (image - soft), 0, 255).astype(np.uint8)


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 1.2).astype(np.uint8)


def compressed(image: Image) -> Image:
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded.astype(np.uint8)


WAYS: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "squashed": squashed,
    "noisy": noisy,
    "sharpened": sharpened,
    "blurred": blurred,
    "compressed": compressed,
}


def shown(photo: Photo, size: int) -> tuple[Image, float]:
    """A photograph at the long side that the network sees, and how much smaller it became."""
    image = read_image(photo.path)
    height, width = image.shape[:2]
    scale = size / max(height, width)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=how).astype(
        np.uint8
    ), scale


def count(
    detector: Detector, photos: list[Photo], size: int, way: Callable[[Image], Image]
) -> dict[str, Any]:
    """Faces that are asked for, those that are found, and detections of none."""
    asked = found = wrong = 0
    for photo in photos:
        image, scale = shown(photo, size)
        boxes, unsure = photo.boxes * scale, photo.unsure * scale
        wanted = np.sqrt(area(boxes)) * 416 / size >= LEAST
        detections = detector.detect(way(image)).boxes
        overlaps = iou(boxes, detections)
        asked += int(wanted.sum())
        found += int((overlaps[wanted].max(axis=1, initial=0) >= 0.5).sum())
        wrong += int(((overlaps.max(axis=0, initial=0) < 0.3) & ~_on(detections, unsure)).sum())
    return {"faces": asked, "found": found, "share": round(found / asked, 3), "no drawn face": wrong}


def _on(detections: Floats, unsure: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which lie mostly where there may be a face: those count neither way."""
    on = intersection(detections, unsure).max(axis=1, initial=0) / np.maximum(area(detections), 1e-6)
    return np.asarray(on >= 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wild", type=Path, action="append", default=[], help="its test fifth is looked at")
    parser.add_argument("--held-out", type=Path, action="append", default=[], help="all of it is looked at")
    parser.add_argument(
        "--detector", type=Path, action="append", default=[], help="name or file; may be repeated"
    )
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--out", type=output_file)
    arguments = parser.parse_args()
    try:
        sets = {folder.name: held_out([folder]) for folder in arguments.wild}
        sets |= {folder.name: read_photos(folder) for folder in arguments.held_out}
        settings = DetectSettings(size=arguments.size, confidence=CONFIDENCE, max_faces=1000)
        files = {name.stem: model_file(name) for name in arguments.detector}
        detectors: dict[str, Detector] = {
            name: made_of(
                Settings(det=settings.model_copy(update={"model": file}), runtime=RuntimeSettings(threads=1))
            )
            for name, file in files.items()
        }
    except PipelineError as error:
        raise SystemExit(f"{error}") from error
    if arguments.yunet:
        files["yunet"] = arguments.yunet
        detectors["yunet"] = YuNet(arguments.yunet, arguments.size, CONFIDENCE)
    rows: dict[str, Any] = {}
    for name, photos in sets.items():
        for who, detector in detectors.items():
            for how, way in WAYS.items():
                result = count(detector, photos, arguments.size, way)
                rows.setdefault(name, {}).setdefault(who, {})[how] = result
                print(f"{name:12} {who:12} {how:10} {result['share']:.2f} of {result['faces']}", flush=True)
    if arguments.out:
        arguments.out.write_text(
            json.dumps(
                {
                    "size": arguments.size, "confidence": CONFIDENCE, "least side at 416": LEAST,
                    "detectors": {who: sha256(file) for who, file in files.items()}, "results": rows,
                    "commit": commit(), "versions": versions(), "machine": machine(),
                },
                indent=1,
            )
            + "\n"
        )  # fmt: skip


if __name__ == "__main__":
    main()
