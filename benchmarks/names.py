"""Who is named in the labelled videos, rightly and wrongly, alone in the gallery and among a thousand others.

Enrolls the people of a group of `people/` and LFW people beside them, recognises over the videos as `recog
run` does with files, and compares every face of every frame with `labels/`. A label counts whether or not its
face was found. Faces that others hide or the frame cuts have no label; names on them are counted apart, and
are to be looked at. The LFW people are drawn from those whom the embedder never saw.

    uv run python benchmarks/names.py --data ../shared/data --lfw LFW --out benchmarks/results

No setting may be chosen by what this prints.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from gallery import Gallery
from pipeline import build, detectors
from pipeline.config import Settings, load
from pipeline.enrolment.photos import find_photos, look_at
from pipeline.faces.boxes import iou
from pipeline.outputs.places import output_folder
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.open import open_source
from pipeline.types import Result, State
from siamese.lfw.split import VIEW1, split
from siamese.runtime import Embedder

LABELS = Path(__file__).parent / "labels"
# Video -> the groups enrolled, each in a run of its own. Where it has labels, people of the first are in it.
CASES = {
    "friends.mp4": ["friends"],
    "hamilton.mp4": ["hamilton", "friends"],
    "obama.mp4": ["obama", "friends"],
    "street.mp4": ["friends"],
    "dance.mp4": ["friends"],
    "signing.mkv": ["friends"],
}
# People of LFW who are in the videos: they would be no strangers.
IN_VIDEOS = {
    "Barack_Obama", "Courteney_Cox", "David_Schwimmer", "Jennifer_Aniston", "Lisa_Kudrow", "Matt_LeBlanc",
    "Matthew_Perry", "Michelle_Obama", "Joe_Biden", "Joseph_Biden",
}  # fmt: skip
SAME = 0.3  # IoU from which a face is the labelled one


@dataclass
class Label:
    """One labelled track."""

    who: str | None
    view: str
    boxes: dict[int, list[float]]

    def at(self, frame: int) -> np.ndarray | None:
        """The box (4,) in a frame, interpolated; None where the face is not to be seen."""
        keys = sorted(self.boxes)
        if not keys[0] <= frame <= keys[-1]:
            return None
        return np.array([np.interp(frame, keys, [self.boxes[key][i] for key in keys]) for i in range(4)])


@dataclass
class Counts:
    """What became of the labelled faces of a video."""

    frames: Counter[str] = field(default_factory=Counter)  # of enrolled people, by what they were called
    by_person: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    strangers: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))  # by track, names
    unlabelled: Counter[str] = field(default_factory=Counter)  # names on faces that nobody labelled

    def take(self, result: Result, labels: list[Label], own: bool) -> None:
        """Compare the faces of a frame with its labels.

        Args:
            own: people of this video are enrolled; else whoever is named is a stranger.
        """
        here = [(label, box) for label in labels if (box := label.at(result.frame.index)) is not None]
        matched: dict[int, Label] = {}
        if here and result.faces:
            overlaps = iou(np.array([box for _, box in here]), np.array([face.box for face in result.faces]))
            for i, j in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
                if overlaps[i, j] >= SAME:
                    matched[int(j)] = here[i][0]
        found = {id(label): result.faces[j] for j, label in matched.items()}
        for label, _ in here:
            if label.who in (None, "?"):
                continue
            face = found.get(id(label))
            if face is None:
                verdict = "not found"
            elif face.identity.state is State.NAMED:
                verdict = "right" if face.identity.name == label.who else "wrong"
            else:
                verdict = face.identity.state.value
            self.frames[verdict] += 1
            self.by_person[f"{label.who}, {label.view}"][verdict] += 1
        for j, face in enumerate(result.faces):
            if face.identity.state is not State.NAMED:
                continue
            label_of = matched.get(j)
            if not own or (label_of is not None and label_of.who is None):
                self.strangers[face.track].add(str(face.identity.name))
            elif label_of is None:
                self.unlabelled[str(face.identity.name)] += 1


def enroll(
    path: Path,
    photos: dict[str, list[Path]],
    embedder: Embedder,
    settings: Settings,
    most: float = math.inf,
) -> None:
    """Enroll people in the gallery at `path`, unless they are there, until it holds `most`."""
    looker = build.looker(settings, embedder)
    with build.gallery(path, embedder, create=True) as gallery:
        enrolled = {person.name for person in gallery.people()}
        for name, files in photos.items():
            if len(enrolled) >= most:
                return
            if name in enrolled:
                continue
            outcomes = look_at(files, looker)
            if templates := [outcome.template for outcome in outcomes if outcome.template]:
                gallery.add(name, templates)
                enrolled.add(name)


def lfw_people(root: Path, hold_out: str) -> dict[str, list[Path]]:
    """A first photograph of the people whom the embedder's card says were held out, in random order."""
    names = sorted(set(split(root, hold_out).test) - IN_VIDEOS)
    random.Random(0).shuffle(names)
    return {name: [root / "lfw-deepfunneled" / name / f"{name}_0001.jpg"] for name in names}


def labels_of(video: str) -> list[Label]:
    """The labelled tracks of a video; none where nobody in it is enrolled."""
    path = LABELS / f"{Path(video).stem}.json"
    if not path.exists():
        return []
    tracks = json.loads(path.read_text())["tracks"]
    return [Label(t["who"], t["view"], {int(k): box for k, box in t["boxes"].items()}) for t in tracks]


def run(
    video: Path, gallery: Gallery, made: tuple[Any, Any], settings: Settings, own: bool
) -> dict[str, Any]:
    """Recognise over one video and count."""
    labels = labels_of(video.name) if own else []
    own = bool(labels)
    counts = Counts()
    with open_source(str(video)) as source:
        models = Models(made[0], made[1], gallery)
        stream = Stream(str(video), source, models, settings, None, False, lambda: False)
        with stream.run() as results:
            for result, _ in results:
                counts.take(result, labels, own)
    seen = sum(counts.frames.values())
    return {
        "enrolled face-frames": seen,
        **{f"share {each}": round(counts.frames[each] / seen, 3) for each in ("right", "wrong") if seen},
        "face-frames": dict(counts.frames),
        "by person": {who: dict(each) for who, each in sorted(counts.by_person.items())},
        "strangers named (tracks)": len(counts.strangers),
        "their names": sorted(set().union(*counts.strangers.values())),
        "names on faces without a label": dict(counts.unlabelled),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds people/ and videos/")
    parser.add_argument("--lfw", type=Path, required=True, help="folder of lfw-deepfunneled/ and its lists")
    parser.add_argument(
        "--others", type=int, nargs="+", default=[0, 1000], help="LFW people enrolled beside the others"
    )
    parser.add_argument("--out", type=output_folder, default="runs/names")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = load(None, arguments.set)
    embedder = build.embedder(settings)
    enrolling, tracking = detectors.detector(settings), detectors.tracking_detector(settings)
    strangers = lfw_people(arguments.lfw, str(embedder.card.get("held out", VIEW1)))
    results: dict[str, Any] = {
        "embedder": embedder.digest,
        "detector": enrolling.digest,
        "settings": settings.model_dump(mode="json", include={"det", "track", "attention", "evidence"}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for others in sorted(arguments.others):
            crowd = Path(folder) / "crowd.db"  # of fewer, before
            enroll(crowd, strangers, embedder, settings, others)
            for video, groups in CASES.items():
                for group in groups:
                    path = Path(folder) / f"{group}.db"
                    shutil.copy(crowd, path)
                    folders = sorted((arguments.data / "people" / group).iterdir())
                    photos = {each.name: find_photos([each]) for each in folders}
                    enroll(path, photos, embedder, settings)
                    with build.gallery(path, embedder) as gallery:
                        film, made = arguments.data / "videos" / video, (tracking, embedder)
                        counted = run(film, gallery, made, settings, own=group == groups[0])
                        counted["people enrolled"] = gallery.people_count
                    results[f"{video}, {group} and {others} others enrolled"] = counted
                    print(video, group, others, json.dumps(counted), flush=True)
    (arguments.out / "names.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
