"""What `--blur` hides: faces that escape it in films, whether anybody is recognised under it, what it costs.

Escapes: each film is run as `recog run --blur unknown` runs it, with people enrolled who are not in it, so
that every face has to be covered; YuNet, another detector, looks at the films as they were, at a low score. A
face escapes where less than half of YuNet's box is covered. At such scores YuNet takes much for a face that
is none: each escape is written out as a picture, to be looked at (`--pictures`).

Identification: labelled faces of friends.mp4 and photographs of LFW (one photograph of each person is the
gallery, another one is covered), aligned by the landmarks of the picture as it was, which nobody who only has
the covered one knows. Embedded by the shipped model and by another; the nearest person is the answer.
Besides, the gallery is covered, too: somebody who covers what they search for, as those do who attack mosaics
(McPherson et al., "Defeating Image Obfuscation with Deep Learning", 2016).

    uv run python benchmarks/blur.py --data ../shared/data --lfw LFW --out benchmarks/results/blur.json

No setting may be chosen by what this prints: cells and steps were chosen on people of LFW's development half.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from names import enroll, labels_of

from pipeline import build
from pipeline.config import Settings, load
from pipeline.detection.training.yunet import YuNet
from pipeline.drawing.cover import cover
from pipeline.enrolment.photos import find_photos
from pipeline.faces.boxes import iou
from pipeline.faces.examine import examine
from pipeline.outputs.outputs import Opened, Outputs
from pipeline.outputs.places import output_file, output_folder
from pipeline.progress import unheard
from pipeline.recognition.bench import environment
from pipeline.recognition.covering import Covering
from pipeline.recognition.engine import Models, Stream, models
from pipeline.sources.open import open_source
from pipeline.types import UNDECIDED, Detections, Floats, Frame, Image, Result, TrackedFace
from siamese.lfw.files import read_people, read_people_folds
from siamese.session import onnx_runtime

FILMS = {
    "friends.mp4": "hamilton",
    "hamilton.mp4": "friends",
    "obama.mp4": "friends",
    "street.mp4": "friends",
    "dance.mp4": "friends",
    "signing.mkv": "friends",
}
LOW = 0.3  # YuNet's score from which something counts
SCORES = (0.3, 0.5, 0.7)
HALF = 0.5
WIDTHS = (0, 16, 24)  # pixels: in narrower faces nobody is recognised, covered or not
STYLES = ("pixelated", "blurred", "filled")

Embeds = Callable[[Image], Floats]


@dataclass
class Escapes:
    """Faces of one film, by YuNet, and those that were not covered."""

    frames: int = 0
    faces: dict[float, int] = field(default_factory=lambda: dict.fromkeys(SCORES, 0))
    escaped: list[tuple[int, float, list[int]]] = field(default_factory=list)  # frame, score, box
    covered: list[float] = field(default_factory=list)  # share of each frame

    def take(self, frame: Frame, covers: Floats, found: Detections) -> None:
        """Count a frame as it was, what was covered in it, and YuNet's faces."""
        height, width = frame.image.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        for x1, y1, x2, y2 in covers.astype(int).tolist():
            mask[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 1
        self.frames += 1
        self.covered.append(float(mask.mean()))
        for box, score in zip(found.boxes, found.scores, strict=True):
            x1, y1 = np.clip(box[:2].astype(int), 0, None)
            x2, y2 = box[2:].astype(int)
            part = mask[y1:y2, x1:x2]
            if not part.size:
                continue
            for least in SCORES:
                self.faces[least] += bool(score >= least)
            if part.mean() < HALF:
                self.escaped.append(
                    (frame.index, round(float(score), 2), [int(x1), int(y1), int(x2), int(y2)])
                )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told: dict[str, Any] = {
            "frames": self.frames,
            "share covered": round(float(np.mean(self.covered)), 4),
        }
        for least in SCORES:
            told[f"score {least}"] = {"faces": self.faces[least]}
            for width in WIDTHS:
                escaped = sum(score >= least and box[2] - box[0] >= width for _, score, box in self.escaped)
                told[f"score {least}"][f"escaped, {width} px and wider"] = escaped
        return told | {"which": self.escaped}


def escapes(film: Path, gallery: Path, settings: Settings, made: tuple[Any, Any], yunet: Path) -> Escapes:
    """Run over a film, and look at each of its frames with YuNet."""
    counts, found = Escapes(), dict[int, Floats]()
    with build.gallery(gallery, made[1]) as people, open_source(str(film)) as source:
        # Drawn: without pictures less is held back, and less is known of what comes.
        stream = Stream(str(film), source, Models(*made, people), settings, None, True, lambda: False)
        with stream.run() as results:
            for result, _ in results:
                assert result.covers is not None
                found[result.frame.index] = result.covers
    with open_source(str(film)) as source:
        look: YuNet | None = None
        for frame in source:
            look = look or YuNet(yunet, max(640, *frame.image.shape[:2]), LOW)
            counts.take(frame, found[frame.index], look.detect(frame.image))
    return counts


def write_pictures(folder: Path, film: Path, counts: Escapes) -> None:
    """Each escape as a picture, with some of what is around it."""
    wanted: dict[int, list[tuple[float, list[int]]]] = {}
    for index, score, box in counts.escaped:
        wanted.setdefault(index, []).append((score, box))
    with open_source(str(film)) as source:
        for frame in source:
            for number, (score, (x1, y1, x2, y2)) in enumerate(wanted.get(frame.index, [])):
                side = max(x2 - x1, y2 - y1)
                image = frame.image.copy()
                cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 255), 1)
                part = image[max(0, y1 - side) : y2 + side, max(0, x1 - side) : x2 + side]
                scale = 160 / max(part.shape[:2])
                part = cv2.resize(part, None, fx=scale, fy=scale)
                cv2.imwrite(str(folder / f"{film.stem}-{frame.index}-{number}-{score:.2f}.png"), part)


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
    detector, people = build.detector(settings), []
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


def costs(film: Path, gallery: Path, settings: Settings, rounds: int) -> dict[str, Any]:
    """What `recog run` that writes a video takes with and without covering, by turns, its start left out.

    One run goes before, unmeasured: the first in a process is slower.
    """
    told: dict[str, list[tuple[float, float, float]]] = {}
    loads, ways = [], ["none", *STYLES]
    with tempfile.TemporaryDirectory() as folder:
        one_run(film, gallery, settings.covering("unknown"), Path(folder) / "out.mp4")
        for number in range(rounds):
            loads.append(round(os.getloadavg()[0], 2))
            for style in ways if number % 2 == 0 else ways[::-1]:
                each = settings if style == "none" else settings.covering("unknown", style)
                told.setdefault(style, []).append(one_run(film, gallery, each, Path(folder) / "out.mp4"))
    medians = {style: np.median(np.array(runs), axis=0) for style, runs in told.items()}
    least = {style: min(spent for _, spent, _ in runs) for style, runs in told.items()}
    return {"rounds": rounds, "load before each": loads} | {
        style: {
            "frames a second": round(float(rate), 1),
            "more or less, %": round(100 * (rate / medians["none"][0] - 1), 1),
            "processor time a frame, ms": round(float(spent), 2),
            "more, %": round(100 * (spent / medians["none"][1] - 1), 1),
            "least of all rounds, ms": round(least[style], 2),
            "more than the least without, %": round(100 * (least[style] / least["none"] - 1), 1),
            "video, KiB": round(float(size) / 1024),
        }
        for style, (rate, spent, size) in medians.items()
    }


def one_run(film: Path, gallery: Path, settings: Settings, out: Path) -> tuple[float, float, float]:
    """Frames a second, milliseconds of processor time a frame, and bytes of the video.

    From the first frame that is read to the last that is written, as `recog run` does it: the models are open
    by then. Not from the first that is given out: the more is held back, the more was done before it.
    """
    outputs = Outputs(window=False, video=out)
    with models(gallery, settings) as made, open_source(str(film)) as source:
        stream = Stream(str(film), source, made, settings, None, True, lambda: False)
        begun, spent = time.perf_counter(), time.process_time()
        with Opened(outputs, stream.about, None, unheard) as opened, stream.run() as runner:
            for result, image in runner:
                opened.take(result, image)
            opened.finish()
        spent, took = time.process_time() - spent, time.perf_counter() - begun
    frames = opened.summary.frames
    return frames / took, 1000 * spent / frames, float(out.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder that holds people/, videos/ and models/"
    )
    parser.add_argument("--lfw", type=Path, help="folder of lfw-deepfunneled/ and its lists")
    parser.add_argument("--out", type=output_file, default="runs/blur.json")
    parser.add_argument("--pictures", type=output_folder, help="receives a picture of each escape")
    parser.add_argument("--parts", nargs="+", default=["escapes", "people", "film", "cost"])
    parser.add_argument("--films", nargs="+", default=list(FILMS))
    parser.add_argument("--rounds", type=int, default=5, help="for the cost")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    arguments = parser.parse_args()
    settings = load(None, arguments.set)
    embedder = build.embedder(settings)
    models, people = arguments.data / "models", arguments.data / "people"
    yunet = models / "yunet_n_dynamic.onnx"
    embeds: dict[str, Embeds] = {
        "shipped": lambda crops: np.concatenate(
            [embedder.embed(crops[i : i + 64]) for i in range(0, len(crops), 64)]
        ),
        "mobilefacenet": teacher(models / "mobilefacenet.onnx"),
    }
    told: dict[str, Any] = {
        "embedder": embedder.digest,
        "settings": settings.model_dump(mode="json", include={"det", "blur"}),
    }
    with tempfile.TemporaryDirectory() as folder:
        galleries = {}
        for group in set(FILMS.values()):
            galleries[group] = Path(folder) / f"{group}.db"
            photos = {each.name: find_photos([each]) for each in sorted((people / group).iterdir())}
            enroll(galleries[group], photos, embedder, settings)
        if "escapes" in arguments.parts:
            covering = settings.covering("unknown")
            made = build.tracking_detector(covering), embedder
            total = Escapes()
            for name in arguments.films:
                film = arguments.data / "videos" / name
                begun = time.perf_counter()
                counts = escapes(film, galleries[FILMS[name]], covering, made, yunet)
                told[f"escapes, {name}"] = counts.as_dict()
                print(
                    name,
                    f"{time.perf_counter() - begun:.0f} s",
                    json.dumps(told[f"escapes, {name}"] | {"which": len(counts.escaped)}),
                    flush=True,
                )
                if arguments.pictures:
                    write_pictures(arguments.pictures, film, counts)
                total.frames += counts.frames
                total.escaped += counts.escaped
                total.covered += counts.covered
                for least in SCORES:
                    total.faces[least] += counts.faces[least]
            told["escapes, all"] = total.as_dict() | {"which": len(total.escaped)}
            print("all", json.dumps(told["escapes, all"]), flush=True)
        if "film" in arguments.parts:
            photos = {each.name: find_photos([each]) for each in sorted((people / "friends").iterdir())}
            film = arguments.data / "videos" / "friends.mp4"
            told["identified, friends.mp4"] = identified_film(film, photos, yunet, embeds, settings)
            print(json.dumps(told["identified, friends.mp4"], indent=1), flush=True)
        if "people" in arguments.parts and arguments.lfw is not None:
            found = photographs(arguments.lfw, held_out(arguments.lfw), settings)
            told["identified, LFW"] = identified_photographs(found, embeds, settings)
            print(json.dumps(told["identified, LFW"], indent=1), flush=True)
        if "cost" in arguments.parts:
            for name in ("friends.mp4", "street.mp4"):
                film = arguments.data / "videos" / name
                told[f"cost, {name}"] = costs(film, galleries[FILMS[name]], settings, arguments.rounds)
                print(name, json.dumps(told[f"cost, {name}"], indent=1), flush=True)
    arguments.out.write_text(json.dumps(told | {"environment": environment()}, indent=1) + "\n")


def held_out(lfw: Path) -> list[str]:
    """People of folds 9 and 10 of LFW's View 2 with two photographs or more.

    Nothing was trained on them; the cells were chosen on people of View 1's test half, who are left out.
    """
    seen = {each.name for each in read_people(lfw / "peopleDevTest.txt")}
    people = [each for fold in read_people_folds(lfw / "people.txt")[8:10] for each in fold]
    return sorted(each.name for each in people if each.images >= 2 and each.name not in seen)


if __name__ == "__main__":
    main()
