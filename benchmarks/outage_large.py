"""The server of a gallery gone for a minute that holds more people than are kept in memory: who is not named.

    uv run --group dev python benchmarks/outage_large.py --first hamilton.mp4 --later friends.mp4 \\
        --people DIR --people DIR --out FILE

As outage.py, with 100,001 made-up people besides the real ones (as gallery_scale.py makes them, out of the
strangers that ship with the model). Of so many only those found lately are known while the server is gone. So
the film that is watched begins with the people of `--first`, who are found before the server is killed; those
of `--later` first come while it is gone, and are there again once it is back.

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
from gallery.followed import Enrolled
from gallery.large import LARGE
from gallery.server.index import ServerIndex
from pipeline import build
from pipeline.config import load
from pipeline.outputs.places import output_file
from pipeline.recognition.bench import environment
from pipeline.sources.open import open_source
from tests.postgres import Server

FPS, SIZE = 30, (640, 360)
FIRST = 27.0  # seconds of the film at least in which only the first people are
AFTER = 35.0  # seconds of it at least once the server is back
BATCH = 5000


def composed(first: Path, later: Path, seconds: float, made: Path) -> tuple[float, float]:
    """Both by turns, the first as often as need be before; seconds of it, and when `later` begins."""
    count, begins = 0, 0.0
    with av.open(str(made), "w", "matroska") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "18"})
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


def filled(url: str, count: int) -> tuple[str, int]:
    """Enrol so many made-up people, one template each; the fingerprint and dimension of the model."""
    settings = load(None, [])
    embedder = build.embedder(settings)
    cohort = build.cohort(settings, embedder)
    assert cohort is not None
    templates, _ = blown_up(cohort.embeddings, cohort.people, count, 1, seed=0)
    made_with = build.fingerprint(embedder), embedder.dimension
    with Gallery.open(Path(url), *made_with, create=True) as gallery:
        for start in range(0, count, BATCH):
            gallery.add_people(
                {
                    f"person {row}": [NewTemplate(templates[row], None, 0.8, f"{row}.jpg", f"{row:064}")]
                    for row in range(start, min(start + BATCH, count))
                },
                "import",
            )
    return made_with


def searched_by(url: str, made_with: tuple[str, int]) -> dict[str, Any]:
    """What searches the gallery where it is opened as a run opens it."""
    with closing(Enrolled(Path(url), *made_with)) as run:
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
    parser.add_argument("--others", type=int, default=LARGE + 1)
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
        made_with = filled(server.url, given.others)
        print(f"{given.others} others in {time.monotonic() - started:.0f} s", flush=True)
        told: dict[str, Any] = {"film_seconds": round(length, 1), "later_begins": round(begins, 1)}
        runs = []
        for outage in (False, True):
            own = folder / str(outage)
            own.mkdir()
            if outage:
                told["searched_by"] = searched_by(server.url, made_with)
            before = scans(server)
            beside = Beside(own, server, film, length, *(() if outage else given.people))
            stack.callback(beside.close)
            poured = time.monotonic()
            while not beside.named():
                assert beside.run.poll() is None, "nobody was named"
                time.sleep(0.2)
            print(f"named after {time.monotonic() - poured:.0f} s", flush=True)
            if outage:
                time.sleep(max(0.0, 12 - (time.monotonic() - poured)))
                told["scans_of_the_index_before_it"] = scans(server) - before
                assert told["scans_of_the_index_before_it"] > 0
                gone = time.monotonic() - poured
                assert gone < begins, "those who come later were there before the server went"
                at_once = len(beside.visits())
                server.stop()
                time.sleep(given.seconds)
                meanwhile = len(beside.visits()) - at_once
                server.start()
                back = time.monotonic() - poured
                assert beside.run.poll() is None, "the film was over before the server was back"
            runs.append(beside.ended())
            beside.close()
        (events, visits, _), (its_events, its_visits, said) = runs
        lines = [line.strip() for line in said.splitlines() if "heard" in line or "follow" in line]
        assert any("found lately" in line for line in lines), "the run held everybody in memory"
        told["gone_from_to"] = [round(gone, 1), round(back, 1)]
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
