"""Who is named in the test videos, for how many frames, and how often wrongly.

Enrolls the people of `people/`, recognises over `videos/` as `recog run` does, and counts. Which names can
appear in which video is known from the data's own description; where strangers and enrolled people share a
picture, a name on the wrong face has to be found by eye, in the annotated files that this leaves in --out.

    uv run python benchmarks/videos.py --data ../shared/data --out runs/videos
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from pipeline import build
from pipeline.config import load
from pipeline.draw import draw
from pipeline.enroll import find_photos
from pipeline.recognise import Recogniser
from pipeline.runner import Runner
from pipeline.sinks import VideoSink
from pipeline.sources import open_source
from pipeline.types import State

# Video -> (folder of people enrolled, those of them who appear in it).
CASES = {
    "hamilton.mp4": ("hamilton", {"alex-lacamoire", "lin-manuel-miranda"}),
    "obama.mp4": ("obama", {"obama"}),
    "friends.mp4": ("friends", {"Joey", "Phoebe", "Rachel", "Ross"}),
    "street.mp4": ("friends", set()),
    "dance.mp4": ("friends", set()),
    "signing.mkv": ("friends", set()),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds people/ and videos/")
    parser.add_argument("--out", type=Path, default=Path("runs/videos"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = load()
    embedder, detector = build.embedder(settings), build.detector(settings)
    enrolled: dict[str, dict[str, int]] = {}
    for group in sorted({group for group, _ in CASES.values()}):
        path = arguments.out / f"{group}.db"
        path.unlink(missing_ok=True)
        enrolled[group] = {}
        with build.gallery(path, embedder, create=True) as gallery:
            for person in sorted((arguments.data / "people" / group).iterdir()):
                outcomes = build.looker(settings, embedder).look(find_photos([person]))
                for outcome in outcomes:
                    print(f"{outcome.origin}: {outcome.reason or 'accepted'}")
                templates = [outcome.template for outcome in outcomes if outcome.template]
                gallery.add(person.name, templates)
                enrolled[group][person.name] = len(templates)
    results = {}
    for video, (group, present) in CASES.items():
        annotated = arguments.out / f"{Path(video).stem}.mp4"
        frames: Counter[str] = Counter()
        states: Counter[str] = Counter()

        started = time.perf_counter()
        with (
            build.gallery(arguments.out / f"{group}.db", embedder) as gallery,
            open_source(str(arguments.data / "videos" / video)) as source,
            VideoSink(annotated, source.fps) as sink,
        ):
            recogniser = Recogniser(detector, embedder, gallery, settings)
            for result in Runner(source, [recogniser.detect, recogniser.identify]):
                for face in result.faces:
                    states[face.identity.state.value] += 1
                    if face.identity.state is State.NAMED:
                        frames[str(face.identity.name)] += 1
                sink.write(draw(result.frame.image, result.faces))
        seconds = time.perf_counter() - started
        results[video] = {
            "enrolled": enrolled[group],
            "frames": sink.frames,
            "frames a second": round(sink.frames / seconds, 1),
            "faces by state": dict(states),
            "frames by name": dict(frames),
            "frames with a name that is not in the video": sum(
                n for who, n in frames.items() if who not in present
            ),
        }
        print(video, json.dumps(results[video]))
    (arguments.out / "videos.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
