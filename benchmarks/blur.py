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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from names import enroll
from under_covers import (
    STYLES,
    Embeds,
    held_out,
    identified_film,
    identified_photographs,
    photographs,
    teacher,
)

from pipeline import build, detectors
from pipeline.config import Settings, load
from pipeline.detection.training.yunet import YuNet
from pipeline.enrolment.photos import find_photos
from pipeline.outputs.outputs import Opened, Outputs
from pipeline.outputs.places import output_file, output_folder
from pipeline.progress import unheard
from pipeline.recognition.bench import environment
from pipeline.recognition.engine import models
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.open import open_source
from pipeline.types import Detections, Floats, Frame

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
            made = detectors.tracking_detector(covering), embedder
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


if __name__ == "__main__":
    main()
