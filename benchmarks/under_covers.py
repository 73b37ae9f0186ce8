"""Whether anybody is recognised under what `--blur` covers: the second part of blur.py, which says how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from names import labels_of

from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.detection.training.yunet import YuNet
from pipeline.drawing.cover import cover
from pipeline.faces.boxes import iou
from pipeline.faces.examine import examine
from pipeline.recognition.covering import Covering
from pipeline.sources.open import open_source
from pipeline.types import UNDECIDED, Detections, Floats, Frame, Image, Result, TrackedFace
from siamese.lfw.files import read_people, read_people_folds
from siamese.session import onnx_runtime

STYLES = ("pixelated", "blurred", "filled")

Embeds = Callable[[Image], Floats]


def teacher(model: Path) -> Embeds:
    """mobilefacenet.onnx, unit length."""
    session = onnx_runtime().InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def embed(crops: Image) -> Floats:
        planes = ((crops[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(0, 3, 1, 2)
        rows = [session.run(None, {"input": planes[i : i + 64]})[0] for i in range(0, len(planes), 64)]
        made = np.concatenate(rows)
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)

    return embed


def distances(probes: Floats, gallery: Floats, unit: bool) -> Floats:
    """L1, or of embeddings of unit length the negative cosine, (n, m)."""
    if unit:
        return np.asarray(-(probes @ gallery.T), np.float32)
    return np.stack([np.abs(gallery - each).sum(axis=1) for each in probes]).astype(np.float32)


def covers_of(image: Image, found: Detections, settings: Settings) -> Floats:
    """What a run would cover of one face."""
    face = TrackedFace(0, found.boxes[0], found.landmarks[0], 1.0, UNDECIDED, covered=True)
    (result,) = [*Covering(settings.blur, 0.0).take(Result(Frame(image, 0, 0.0, ""), (face,)))]
    assert result.covers is not None
    return result.covers


def photographs(lfw: Path, names: list[str], settings: Settings) -> list[list[tuple[Image, Detections]]]:
    """Two photographs of each person, with the face in the middle."""
    detector, people = detectors.detector(settings), []
    for name in names:
        pair = []
        for number in (1, 2):
            image = np.asarray(
                cv2.imread(str(lfw / "lfw-deepfunneled" / name / f"{name}_{number:04d}.jpg")), np.uint8
            )
            found = detector.detect(image)
            if len(found):
                middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - np.array(image.shape[1::-1]) / 2
                pair.append((image, found[[int(np.hypot(*middles.T).argmin())]]))
        if len(pair) == 2:
            people.append(pair)
    return people


def identified_photographs(
    people: list[list[tuple[Image, Detections]]], embeds: dict[str, Embeds], settings: Settings
) -> dict[str, Any]:
    """How many people are found by a covered photograph, among all."""

    def crops(place: int, style: str | None) -> Image:
        made = []
        for pair in people:
            image, found = pair[place]
            if style is not None:
                image = cover(image, covers_of(image, found, settings), style)  # type: ignore[arg-type]
            made.append(examine(image, found).crops[0])
        return np.stack(made)

    told: dict[str, Any] = {"people": len(people), "chance": round(1 / len(people), 4)}
    for name, embed in embeds.items():
        clear = embed(crops(0, None))
        for style in (None, *STYLES):
            probes = embed(crops(1, style))
            galleries = (
                {"": clear} if style is None else {"": clear, ", gallery covered too": embed(crops(0, style))}
            )
            for extra, gallery in galleries.items():
                apart = distances(probes, gallery, name != "shipped")
                ranks = (apart < np.diag(apart)[:, None]).sum(axis=1)
                # Ties count as chance would have them: filled, all are alike.
                ties = (apart == np.diag(apart)[:, None]).sum(axis=1)
                right = float(np.where(ranks == 0, 1 / ties, 0).sum())
                told[f"{name}, {style or 'as it was'}{extra}"] = {"found": round(right, 1), "of": len(people)}
    return told


def identified_film(
    film: Path, photos: dict[str, list[Path]], yunet: Path, embeds: dict[str, Embeds], settings: Settings
) -> dict[str, Any]:
    """How often the labelled faces of a film are found among the people of its group, each person alike."""
    looker = build.looker(settings, build.embedder(settings))
    from pipeline.enrolment.photos import look_at

    known = {
        name: np.stack([each.template.crop for each in look_at(files, looker) if each.template])
        for name, files in photos.items()
    }
    names, labels = sorted(known), labels_of(film.name)
    faces: dict[str, list[tuple[str, Image]]] = {style: [] for style in ("as it was", *STYLES)}
    look = None
    with open_source(str(film)) as source:
        for frame in source:
            here = [
                (each.who, box)
                for each in labels
                if each.who in known and (box := each.at(frame.index)) is not None
            ]
            if not here or frame.index % 5:
                continue
            look = look or YuNet(yunet, max(640, *frame.image.shape[:2]), 0.6)
            found = look.detect(frame.image)
            if not len(found):
                continue
            overlaps = iou(np.array([box for _, box in here], np.float32), found.boxes)
            for (who, _), row in zip(here, overlaps, strict=True):
                if row.max() < 0.3:
                    continue
                one = found[[int(row.argmax())]]
                for style in faces:
                    image = frame.image
                    if style != "as it was":
                        image = cover(image, covers_of(image, one, settings), style)  # type: ignore[arg-type]
                    faces[style].append((str(who), examine(image, one).crops[0]))
    told: dict[str, Any] = {
        "people": len(names),
        "chance": round(1 / len(names), 3),
        "faces": len(faces["filled"]),
    }
    for name, embed in embeds.items():
        gallery = {who: embed(crops) for who, crops in known.items()}
        for style, each in faces.items():
            probes = embed(np.stack([crop for _, crop in each]))
            near = np.stack(
                [distances(probes, gallery[who], name != "shipped").min(axis=1) for who in names], axis=1
            )
            said = near.argmin(axis=1)
            truth = np.array([names.index(who) for who, _ in each])
            shares = [float((said[truth == place] == place).mean()) for place in np.unique(truth)]
            told[f"{name}, {style}"] = round(float(np.mean(shares)), 3)
    return told


def held_out(lfw: Path) -> list[str]:
    """People of folds 9 and 10 of LFW's View 2 with two photographs or more.

    Nothing was trained on them; the cells were chosen on people of View 1's test half, who are left out.
    """
    seen = {each.name for each in read_people(lfw / "peopleDevTest.txt")}
    people = [each for fold in read_people_folds(lfw / "people.txt")[8:10] for each in fold]
    return sorted(each.name for each in people if each.images >= 2 and each.name not in seen)
