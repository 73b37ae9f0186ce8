"""The server of a gallery gone for a minute that holds more people than are kept in memory: who is not named.

    uv run --group dev python benchmarks/outage_large.py --first hamilton.mp4 --later friends.mp4 \\
        --people DIR --people DIR --out FILE

As outage.py, with 101,000 photos of 1,000 made-up people besides the real ones (as gallery_scale.py makes
them, out of the strangers that ship with the model; among 100,000 people nobody would be named). Of so many
photos only those of people found lately are in memory while the server is gone, and nobody gets a verdict by
them. So the film that is watched begins with the people of `--first`, who are found before the server is
killed; those of `--later` first come while it is gone, and are there again once it is back.

The same film is watched twice, at its own speed, by `recog run` (a pipe) and `recog serve`: first with the
server there all the time, then with the outage. Beforehand, in the middle and afterwards is asked what
searches: the gallery as a run opens it, what the run says, and how often the server's index was scanned.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from gallery_scale import blown_up
from outage import Beside, bare, who_when

from gallery import Gallery, NewTemplate
from gallery.address import place
from gallery.followed import Enrolled
from gallery.large import LARGE
from gallery.server.index import ServerIndex
from gallery.transfer import copy
from pipeline import build
from pipeline.config import load
from pipeline.outputs.places import output_file
from pipeline.recognition.bench import environment
from pipeline.sources.open import open_source
from tests.postgres import Server

FPS, SIZE = 30, (640, 360)
FIRST = 36.0  # seconds of the film at least in which only the first people are
AFTER = 35.0  # seconds of it at least once the server is back
BATCH = 100  # people who are enrolled at once


def composed(first: Path, later: Path, seconds: float, made: Path) -> tuple[float, float]:
    """Both by turns, the first as often as need be before; seconds of it, and when `later` begins."""
    count, begins = 0, 0.0
    with av.open(str(made), "w", "matroska") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        turn = first
        while count < seconds * FPS:
            with open_source(str(turn)) as source:
                for frame in source:
                    picture = np.asarray(cv2.resize(frame.image, SIZE), np.uint8)
                    shown = av.VideoFrame.from_ndarray(picture, format="bgr24")
                    shown.pts = count
                    container.mux(stream.encode(shown))
                    count += 1
            if count < FIRST * FPS:
                continue
            begins = begins or count / FPS
            turn = later if turn == first else first
        container.mux(stream.encode())
    return count / FPS, begins


def others(people: int, photos: int, file: Path) -> tuple[str, int]:
    """A gallery of made-up people, and what it was made with: the fingerprint and dimension of the model.

    Two photos of one of them differ as two of some real person do.
    """
    settings = load(None, [])
    embedder = build.embedder(settings)
    cohort = build.cohort(settings, embedder)
    assert cohort is not None
    made, _ = blown_up(cohort.embeddings, cohort.people, people, 1, seed=0)
    order = np.argsort(cohort.people, kind="stable")
    same = np.diff(cohort.people[order]) == 0
    differences = np.diff(cohort.embeddings[order], axis=0)[same] / np.sqrt(2)
    chance = np.random.default_rng(1)
    made_with = build.fingerprint(embedder), embedder.dimension
    with Gallery.open(file, *made_with, create=True) as gallery:
        for start in range(0, people, BATCH):
            batch: dict[str, list[NewTemplate]] = {}
            for row in range(start, min(start + BATCH, people)):
                looks = made[row] + differences[chance.integers(len(differences), size=photos)]
                looks *= np.linalg.norm(made[row]) / np.linalg.norm(looks, axis=1, keepdims=True)
                batch[f"person {row}"] = [
                    NewTemplate(look, None, 0.8, f"{row}-{number}.jpg", f"{row * photos + number:064}")
                    for number, look in enumerate(looks.astype(np.float32))
                ]
            gallery.add_people(batch, "import")
    return made_with


def searched_by(server: Path, made_with: tuple[str, int]) -> dict[str, Any]:
    """What searches the gallery where it is opened as a run opens it."""
    with closing(Enrolled(server, *made_with)) as run:
        run.search(np.ones((1, made_with[1]), np.float32), 5, pooled=True)
        assert run._gallery is not None
        index = run._gallery._matcher._index
        told = {
            "index": type(index).__name__,
            "templates": len(index),
            "in_memory": len(index._memory) if isinstance(index, ServerIndex) else len(index),
            "remote": index.remote,
        }
    assert told["index"] == "ServerIndex", told
    assert told["remote"], told
    assert told["templates"] > LARGE, told
    return told


def scans(server: Server) -> int:
    """How often the server's index of what is searched was scanned since the server began."""
    found = server.execute("SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelname = 'templates_l1'")
    return int(found[0][0])


def told_so_far(folder: Path) -> float:
    """Up to which second of the film a run has told what happened."""
    lines = (folder / "events.jsonl").read_text().splitlines()
    return max(float(json.loads(line)["seconds"]) for line in lines)


def names(events: list[dict[str, Any]]) -> dict[str, list[float]]:
    """When whose name was told, seconds of the film."""
    told: dict[str, list[float]] = {}
    for each in events:
        if each["event"] == "recognised":
            told.setdefault(each["name"], []).append(each["seconds"])
    return told


def between(times: list[float], begin: float, end: float) -> int:
    return sum(begin <= each < end for each in times)


def compared(
    wanted: list[dict[str, Any]], had: list[dict[str, Any]], gone: tuple[float, float]
) -> dict[str, Any]:
    """What a run told with the outage, `gone` seconds of the film, against what it tells without."""
    kinds = ("entered", "recognised", "unknown", "left")
    expected, told = Counter(map(bare, wanted)), Counter(map(bare, had))
    visits = [Counter((each["seconds"], each["frame"]) for each in some if each["event"] == "entered")
              for some in (wanted, had)]  # fmt: skip
    without, with_it = names(wanted), names(had)
    nobody = [[each["seconds"] for each in some if each["event"] == "unknown"] for some in (wanted, had)]
    phases = {"before": (0.0, gone[0]), "while_gone": gone, "after": (gone[1], float("inf"))}
    return {
        "events": {kind: sum(each["event"] == kind for each in wanted) for kind in kinds},
        "events_with_it": {kind: sum(each["event"] == kind for each in had) for kind in kinds},
        "the_same_in_every_field": sum((expected & told).values()),
        "tracks_lost": sum((visits[0] - visits[1]).values()),
        "tracks_twice": sum((visits[1] - visits[0]).values()),
        "names_told": {
            name: {
                phase: [between(without.get(name, []), *span), between(with_it.get(name, []), *span)]
                for phase, span in phases.items()
            }
            for name in sorted(without.keys() | with_it.keys())
        },
        "unknown_told": {
            phase: [between(times, *span) for times in nobody] for phase, span in phases.items()
        },
        "names_taken_back": sum("previous" in each for each in had),
        "first_name_after_it": min(
            (each for times in with_it.values() for each in times if each >= gone[1]), default=None
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--first", type=Path, required=True, help="film of those found before")
    parser.add_argument("--later", type=Path, required=True, help="film of those who come meanwhile")
    parser.add_argument("--people", type=Path, action="append", required=True, help="folders of photographs")
    parser.add_argument("--others", type=int, default=1000, help="made-up people")
    parser.add_argument("--photos", type=int, default=101, help="of each of them")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=output_file, metavar="FILE")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        film = folder / "long.mkv"
        length, begins = composed(given.first, given.later, FIRST + given.seconds + AFTER, film)
        server = Server("max_wal_size=4GB", "shared_buffers=256MB")
        stack.callback(server.close)
        started = time.monotonic()
        made_with = others(given.others, given.photos, folder / "others.db")
        copy(folder / "others.db", place(server.url))  # at once, and not row by row
        print(f"{given.others} others in {time.monotonic() - started:.0f} s", flush=True)
        told: dict[str, Any] = {"film_seconds": round(length, 1), "later_begins": round(begins, 1)}
        runs = []
        for outage in (False, True):
            own = folder / str(outage)
            own.mkdir()
            if outage:
                told["searched_by"] = searched_by(place(server.url), made_with)
            before = scans(server)
            beside = Beside(own, server, film, length, *(() if outage else given.people))
            stack.callback(beside.close)
            while not beside.named():
                assert beside.run.poll() is None, "nobody was named"
                time.sleep(0.2)
            if outage:
                told["scans_of_the_index_before_it"] = scans(server) - before
                assert told["scans_of_the_index_before_it"] > 0
                gone, at_once = told_so_far(own), len(beside.visits())
                assert gone < begins, "those who come later were there before the server went"
                server.stop()
                stopped = time.monotonic()
                time.sleep(given.seconds)
                back, meanwhile = told_so_far(own), len(beside.visits()) - at_once
                server.start()
                told["away_seconds"] = round(time.monotonic() - stopped, 1)
                assert beside.run.poll() is None, "the film was over before the server was back"
            runs.append(beside.ended())
            beside.close()
        (events, visits, _), (its_events, its_visits, said) = runs
        lines = [line.strip() for line in said.splitlines() if "heard" in line or "follow" in line]
        assert any("verdicts that stand" in line for line in lines), "the run held everybody in memory"
        told["film_told_when_it_went_and_came_back"] = [gone, back]
        told["run"] = compared(events, its_events, (gone, back)) | {"said": lines}
        came, seen = Counter(map(who_when, visits)), Counter(map(who_when, its_visits))
        told["serve"] = {
            "visits": len(visits),
            "stored_during_the_outage": meanwhile,
            "visits_with_it": len(its_visits),
            "not_with_the_same_name_in_the_same_second": sum((came - seen).values()),
            "named": [sum(bool(each["name"]) for each in some) for some in (visits, its_visits)],
        }
        told |= {"load": round(os.getloadavg()[0], 1), "environment": environment()}
    text = json.dumps(told, indent=2) + "\n"
    print(text, end="")
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
