"""Our whole run against what bounds it and against peers, interleaved in one process: ratios, not promises.

    python benchmarks/engine.py --data ../shared/data --out benchmarks/results

What runs, on the same frames of each video, all from file to finished file:
  read        decoding alone
  reencode    decoding and writing, with the encoder that our run uses: the limit
  mp4v        the same with OpenCV's mp4v
  yunet       YuNet and mobilefacenet.onnx on every face of every frame, boxes drawn, mp4v: as people build it
  dlib        the package face_recognition (dependency group `peers`; left out where it is missing)
  ours        `pipeline.recognition.engine.recognise`: annotated video and events
  live        ours, of a simulated camera of 30 frames a second: dropped frames and delay
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from pipeline import build
from pipeline.config import Settings
from pipeline.enrolment.photos import find_photos, look_at
from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.outputs.outputs import Outputs
from pipeline.outputs.places import output_folder
from pipeline.outputs.video import VideoSink
from pipeline.recognition.bench import Wanted, bench, environment
from pipeline.recognition.engine import recognise
from pipeline.sources.open import open_source
from siamese.session import open_session

VIDEOS = {"friends.mp4": "friends", "street.mp4": "friends", "dance.mp4": "friends"}
LIVE_RATE = 30.0


def read(video: Path, out: Path, frames: int) -> None:
    with open_source(str(video)) as source:
        for _ in islice(source, frames):
            pass


def reencode(video: Path, out: Path, frames: int) -> None:
    with open_source(str(video)) as source, VideoSink(out, source.fps) as sink:
        for frame in islice(source, frames):
            sink.write(frame.image, frame.seconds)


class Writer:
    """OpenCV's mp4v, as people use it."""

    def __init__(self, video: Path, out: Path) -> None:
        self.capture = cv2.VideoCapture(str(video))
        size = (
            int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.size, rate = size, self.capture.get(cv2.CAP_PROP_FPS)
        self._writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)

    def each(self, frames: int, mark: Callable[[np.ndarray], None]) -> None:
        for _ in range(frames):
            found, image = self.capture.read()
            if not found:
                break
            mark(image)
            self._writer.write(image)
        self._writer.release()
        self.capture.release()


def mp4v(video: Path, out: Path, frames: int) -> None:
    Writer(video, out).each(frames, lambda image: None)


class Yunet:
    """A detector and an embedder put together in an afternoon: every face of every frame."""

    def __init__(self, models: Path, photos: dict[str, list[Path]]) -> None:
        self._model = str(models / "yunet_n_dynamic.onnx")
        self._session = open_session(models / "mobilefacenet.onnx")
        self._names: list[str] = []
        known = []
        for name, paths in photos.items():
            for path in paths:
                image = cv2.imread(str(path))
                found = self._detector((image.shape[1], image.shape[0])).detect(image)[1]
                if found is not None:
                    known.append(self._embed(image, found[:1])[0])
                    self._names.append(name)
        self._known = np.array(known)

    def __call__(self, video: Path, out: Path, frames: int) -> None:
        writer = Writer(video, out)
        detector = self._detector(writer.size)

        def mark(image: np.ndarray) -> None:
            faces = detector.detect(image)[1]
            if faces is None:
                return
            scores = self._embed(image, faces) @ self._known.T
            for face, row in zip(faces, scores, strict=True):
                x, y, width, height = face[:4].astype(int)
                name = self._names[int(row.argmax())] if row.max() > 0.4 else "unknown"
                cv2.rectangle(image, (x, y), (x + width, y + height), (0, 255, 0), 2)
                cv2.putText(image, name, (x, y - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 0), 2)

        writer.each(frames, mark)

    def _detector(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        return cv2.FaceDetectorYN.create(self._model, "", size, score_threshold=0.6)

    def _embed(self, image: np.ndarray, faces: np.ndarray) -> np.ndarray:
        crops = []
        for face in faces:
            transform, _ = cv2.estimateAffinePartial2D(face[4:14].reshape(5, 2), TEMPLATE, method=cv2.LMEDS)
            crops.append(cv2.warpAffine(image, transform, (SIZE, SIZE)))
        blob = (np.array(crops)[..., ::-1].astype(np.float32) - 127.5) / 128
        vectors = self._session.run(None, {"input": np.ascontiguousarray(blob.transpose(0, 3, 1, 2))})[0]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Dlib:
    """The package face_recognition, as its examples use it, on every frame."""

    def __init__(self, photos: dict[str, list[Path]]) -> None:
        import face_recognition

        self._package = face_recognition
        self._names, self._known = [], []
        for name, paths in photos.items():
            for path in paths:
                for found in face_recognition.face_encodings(face_recognition.load_image_file(path))[:1]:
                    self._names.append(name)
                    self._known.append(found)

    def __call__(self, video: Path, out: Path, frames: int) -> None:
        def mark(image: np.ndarray) -> None:
            colours = np.ascontiguousarray(image[..., ::-1])
            places = self._package.face_locations(colours)
            for place, found in zip(places, self._package.face_encodings(colours, places), strict=True):
                distances = self._package.face_distance(self._known, found)
                name = self._names[int(distances.argmin())] if distances.min() < 0.6 else "unknown"
                top, right, bottom, left = place
                cv2.rectangle(image, (left, top), (right, bottom), (0, 255, 0), 2)
                cv2.putText(image, name, (left, top - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 0), 2)

        Writer(video, out).each(frames, mark)


class Ours:
    """`recog run --out --events` with everybody enrolled, models loaded again each time."""

    def __init__(self, folder: Path, photos: dict[str, list[Path]]) -> None:
        self.gallery = folder / "gallery.db"
        self.settings = Settings()
        embedder = build.embedder(self.settings)
        looker = build.looker(self.settings, embedder)
        with build.gallery(self.gallery, embedder, create=True) as opened:
            for name, paths in photos.items():
                outcomes = look_at(paths, looker)
                opened.add(name, [each.template for each in outcomes if each.template is not None])

    def __call__(self, video: Path, out: Path, frames: int) -> None:
        events = out.with_suffix(".jsonl")
        recognise(str(video), Outputs(out, events, window=False), self.gallery, self.settings)
        events.unlink()


def measure(data: Path, video: str, rounds: int, slow_frames: int, folder: Path) -> dict[str, object]:
    people = data / "people" / VIDEOS[video]
    photos = {each.name: find_photos([each]) for each in sorted(people.iterdir()) if each.is_dir()}
    path = data / "videos" / video
    ours = Ours(Path(tempfile.mkdtemp(dir=folder)), photos)
    arms: dict[str, Callable[[Path, Path, int], None]] = {
        "read": read,
        "reencode": reencode,
        "mp4v": mp4v,
        "yunet": Yunet(data / "models", photos),
        "ours": ours,
    }
    if find_spec("face_recognition"):
        arms["dlib"] = Dlib(photos)
    with open_source(str(path)) as source:
        total = source.frame_count or 1
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():  # interleaved: whatever else the machine does hits all of them
            frames = min(total, slow_frames) if name in ("yunet", "dlib") else total
            started = time.perf_counter()
            arm(path, folder / "out.mp4", frames)
            rates[name].append(frames / (time.perf_counter() - started))
    medians = {name: statistics.median(each) for name, each in rates.items()}
    live = bench(Wanted(path, total, LIVE_RATE), ours.gallery, ours.settings)
    return {
        "frames": total,
        "frames a second, median": {name: round(each, 1) for name, each in medians.items()},
        "frames a second, all rounds": {
            name: [round(rate, 1) for rate in each] for name, each in rates.items()
        },
        "ours as a share of": {name: round(medians["ours"] / each, 3) for name, each in medians.items()},
        "live": {key: live[key] for key in ("frames", "dropped", "delay_ms", "stages_ms")},
    }


def memory(data: Path, video: str, frames: int, folder: Path) -> dict[str, object]:
    """Memory while a film that is repeated is written, MiB by frames."""
    wanted = Wanted(data / "videos" / video, frames, out=folder / "long.mp4")
    measured: list[tuple[int, float]] = bench(wanted, None, Settings())["memory_mib"]
    growth = measured[-1][1] / measured[0][1] - 1 if measured else None
    return {"frames": frames, "mib": measured, "growth": round(growth, 4) if growth is not None else None}


def peers() -> dict[str, str]:
    """Versions of the package that is compared with and of what does its work, where they are installed."""
    return {name: version(name) for name in ("face_recognition", "dlib") if find_spec(name)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of videos/, people/ and models/")
    parser.add_argument("--out", type=output_folder, required=True)
    parser.add_argument("--videos", nargs="+", default=list(VIDEOS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--slow-frames", type=int, default=150, help="frames that the peers are given at most"
    )
    parser.add_argument("--memory-frames", type=int, default=20_000, help="0 to leave it out")
    arguments = parser.parse_args()
    results: dict[str, object] = {"environment": environment(), "peers": peers()}
    with tempfile.TemporaryDirectory() as name:
        for video in arguments.videos:
            results[video] = measure(
                arguments.data, video, arguments.rounds, arguments.slow_frames, Path(name)
            )
            print(video, json.dumps(results[video], indent=2), flush=True)
        if arguments.memory_frames:
            results["memory"] = memory(arguments.data, "friends.mp4", arguments.memory_frames, Path(name))
            print("memory", json.dumps(results["memory"]))
    (arguments.out / "engine.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
