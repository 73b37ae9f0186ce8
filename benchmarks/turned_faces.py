"""Whether landmarks hold in profile, by what counts in the end: turned faces that are still recognised.

Photographs of people whom no detector of ours was trained on: of the test half of LFW's View 1 (`--lfw`), or
in folders of a folder a person, one face in each picture (`--people DIR`, may be given again). How far each
head is turned is told from the landmarks of YuNet at its surest of four sizes (`pipeline.faces.turn.py`).
Each photograph of a head that is turned by FAR degrees or more is a probe; the person's most frontal other
photograph is what it is compared with, by cosine of an embedder's outputs. A probe is recognised where that
exceeds what one in a thousand of all pairs of two people reaches, among the same photographs on YuNet's
crops. All crops, of either photograph, are by the landmarks of the detector in question; a face that it does
not find is not recognised.

    uv run python benchmarks/turned_faces.py --lfw LFW --embedder mobilefacenet.onnx --yunet yunet.onnx
    uv run python benchmarks/turned_faces.py --people STILLS --embedder mobilefacenet.onnx --yunet yunet.onnx
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.config import DetectSettings, Settings
from pipeline.detection.evaluation.evaluate import read_image
from pipeline.detection.files import model_file
from pipeline.detection.training.prepare import SCALES, propose
from pipeline.detection.training.yunet import YuNet
from pipeline.detectors import detector as made_of
from pipeline.faces.align import crop
from pipeline.faces.turn import turns
from pipeline.outputs.places import output_file
from pipeline.protocols import Detector
from pipeline.types import Detections, Floats, Image
from siamese.lfw import files as lfw
from siamese.provenance import commit, machine, versions
from siamese.session import open_session
from siamese.shipped import sha256

FAR = (40, 60)  # degrees from which a head is turned far
FRONT = 20  # degrees up to which a photograph is one to compare with
RATE = 1e-3  # of pairs of two people that would be taken for one
CONFIDENCE = 0.1  # a face that a detector believes little still has landmarks to judge


@dataclass(frozen=True, slots=True)
class Pair:
    """A photograph of a turned head and one of the same person from the front."""

    probe: str
    front: str
    degrees: float


def middle(found: Detections, shape: tuple[int, ...]) -> Detections:
    """The surest face that holds the middle of the image, where LFW has the person it names; or none."""
    point = np.array([shape[1], shape[0]], np.float32) / 2
    holds = (found.boxes[:, :2] <= point).all(axis=1) & (found.boxes[:, 2:] >= point).all(axis=1)
    rows = np.flatnonzero(holds)
    return found[rows[np.argsort(-found.scores[rows], kind="stable")][:1]]


def pairs_of(degrees: Mapping[str, float]) -> list[Pair]:
    """Each photograph of a head turned by FAR or more, with the most frontal of the same person."""
    people: dict[str, list[str]] = {}
    for file in degrees:
        people.setdefault(file.split("/")[0], []).append(file)
    pairs = []
    for files in people.values():
        front = min(files, key=lambda file: degrees[file])
        if degrees[front] < FRONT:
            pairs += [Pair(file, front, degrees[file]) for file in files if degrees[file] >= FAR[0]]
    return pairs


def embedded(detector: Detector, images: Mapping[str, Image], session: Any) -> dict[str, Floats]:
    """An embedding (d,) of length one for each image in which the detector finds the face."""
    known = {}
    for file, image in images.items():
        face = middle(detector.detect(image), image.shape)
        if len(face):
            pixels = crop(image, face.boxes, face.landmarks)[..., ::-1].astype(np.float32)
            planes = np.ascontiguousarray(((pixels - 127.5) / 128).transpose(0, 3, 1, 2))
            (output,) = session.run(None, {session.get_inputs()[0].name: planes})
            known[file] = output[0] / np.linalg.norm(output[0])
    return known


def threshold(pairs: Sequence[Pair], known: Mapping[str, Floats]) -> float:
    """The cosine that RATE of all pairs of a probe with the front of somebody else reach."""
    probes = [pair for pair in pairs if pair.probe in known]
    fronts = sorted({pair.front for pair in pairs} & set(known))
    a = np.stack([known[pair.probe] for pair in probes])
    cosines = a @ np.stack([known[front] for front in fronts]).T
    other = np.array([[p.probe.split("/")[0] != f.split("/")[0] for f in fronts] for p in probes])
    return float(np.quantile(cosines[other], 1 - RATE))


def recognised(pairs: Sequence[Pair], known: Mapping[str, Floats], least: float) -> np.ndarray[Any, Any]:
    """Whether each probe is, (n,)."""
    return np.array(
        [
            p.probe in known and p.front in known and float(known[p.probe] @ known[p.front]) >= least
            for p in pairs
        ]
    )


def photographs(root: Path | None, folders: Sequence[Path]) -> dict[str, Path]:
    """Where each picture is, by person/file: of LFW's test half, or of folders of a folder a person."""
    found: dict[str, Path] = {}
    if root is not None:
        people = set(lfw.view1_split(root)[1])
        folder = root / lfw.FOLDER
        found |= {photo.file: folder / photo.file for photo in lfw.images(folder) if photo.person in people}
    for folder in folders:
        files = sorted(file for file in folder.glob("*/*") if file.is_file())
        found |= {f"{file.parent.name}/{file.name}": file for file in files}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--people", type=Path, action="append", default=[])
    parser.add_argument("--embedder", type=Path, required=True)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--detector", type=Path, action="append")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--out", type=output_file, default="runs/turned-faces.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    session = open_session(arguments.embedder, 1)
    files = photographs(arguments.lfw, arguments.people)
    degrees = {}
    proposers = [YuNet(arguments.yunet, size, 0.5) for size in SCALES[:2]]
    for name, file in files.items():
        image = read_image(file)
        face = middle(propose(image, proposers), image.shape)
        if len(face):
            degrees[name] = float(turns(face.landmarks)[0])
    pairs = pairs_of(degrees)
    images = {file: read_image(files[file]) for pair in pairs for file in (pair.probe, pair.front)}
    detectors: dict[str, tuple[Path, Detector]] = {
        "yunet": (arguments.yunet, YuNet(arguments.yunet, arguments.size, CONFIDENCE))
    }
    for name in arguments.detector or [Path("face-n"), Path("face-p")]:
        file = model_file(name)
        det = DetectSettings(model=file, size=arguments.size, confidence=CONFIDENCE)
        detectors[name.stem] = (file, made_of(Settings(det=det)))
    figures: dict[str, Any] = {}
    least, reference = 0.0, np.zeros(0)
    for name, (_, detector) in detectors.items():
        known = embedded(detector, images, session)
        least = least or threshold(pairs, known)
        right = recognised(pairs, known, least)
        reference = right if name == "yunet" else reference
        figures[name] = {
            f"from {far} degrees": {
                "probes": int(rows.sum()),
                "recognised": float(right[rows].mean()),
                "times yunet's": float(right[rows].sum() / max(1, reference[rows].sum())),
            }
            for far in FAR
            if (rows := np.array([pair.degrees >= far for pair in pairs])).any()
        }
        print(name, figures[name])
    results = {
        "figures": figures,
        "cosine from which a probe is recognised": least,
        "size": arguments.size,
        "models": {name: sha256(file) for name, (file, _) in detectors.items()},
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
