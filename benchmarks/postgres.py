"""A gallery on PostgreSQL: how fast and how exactly it is searched, built, copied and followed.

    uv run python benchmarks/postgres.py --crops DIR --templates 100000 --out benchmarks/results/postgres.json

`--crops` is what `recog data align` made of LFW; its embeddings by the shipped network are blown up to
made-up looks as in gallery_scale.py; `--photos` in a row are a person's. The server is that of the tests
(PostgreSQL 16 with pgvector, on this machine, asked over TCP), with `--shared-buffers`; nothing is written
through to the disk, so that writing is quicker than with a server that survives a power cut. Searching does
not write. With `--data DIR` the server's files stay there, and what was copied once is searched again.
`copied_s` is from the beginning of the copy to that of its index, `index_built_s` from there to its end, and
`copying_processor_s` the processor time of the server for both.

`memory` is a gallery that is held in memory, as up to 100,000 templates; `server` one that the server's index
is asked for. Both give the five nearest people by all their photos pooled, one probe at a time, end to
end. `processor_ms` is the processor time of
the asking process and of the server's for one probe: on a machine that does nothing else, what it takes.
`heard` is from the end of an enrolment by one process to the frame for which another one knows the person,
at 25 frames a second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from gallery_scale import MODEL, NEAREST, Floats, blown_up, real_embeddings

from gallery import Gallery, NewTemplate
from gallery.address import place
from gallery.followed import Enrolled
from gallery.index import ExactIndex
from gallery.server import building
from gallery.server import index as server_index
from gallery.server import store as server_store
from gallery.transfer import copy
from pipeline.outputs.places import output_file
from tests.postgres import Server

FRAME = 1 / 25


def made(path: Path, templates: Floats, photos: int) -> float:
    """A gallery of SQLite with so many photos of each person; seconds it took."""
    started = time.monotonic()
    with Gallery.open(path, MODEL, templates.shape[1], create=True) as gallery:
        size = 5000 * photos
        for start in range(0, len(templates), size):
            people: dict[str, list[NewTemplate]] = {}
            for row in range(start, min(start + size, len(templates))):
                look = NewTemplate(templates[row], None, 0.8, f"{row}.jpg", f"{row:064}")
                people.setdefault(f"person {row // photos}", []).append(look)
            gallery.add_people(people, "import")
    return time.monotonic() - started


def processor(process: int, children: bool = False) -> float:
    """Seconds of processor that a process has used; with those of its `children` that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if children else 13])) / os.sysconf("SC_CLK_TCK")


def copied(server: Server, file: Path, count: int, dimension: int) -> dict[str, Any]:
    """What it took to copy a gallery to the server, and to make its index."""
    assert server._process is not None
    began, said = [], []

    def progress(what: str, done: int, total: int | None) -> None:
        if what == "making the index":
            began.append(time.monotonic())

    worked, started = processor(server._process.pid, children=True), time.monotonic()
    copy(file, place(server.url), said.append, progress)
    ended = time.monotonic()
    index = began[0] if began else ended
    time.sleep(1)  # until its processes have ended
    return {
        "copied_s": round(index - started, 1), "index_built_s": round(ended - index, 1),
        "copying_processor_s": round(processor(server._process.pid, children=True) - worked, 1),
        "graph_bytes": building.needed(count, dimension), "said": said,
    }  # fmt: skip


def resident() -> float:
    """MiB of memory that this process has."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    return int(line.split()[1]) / 1024


def searched(url: str, dimension: int, mode: str, probes: Floats, answers: Any) -> None:
    """One probe at a time in a fresh process, by the server's index or in memory."""
    if mode == "server":
        server_store.LARGE = server_index.LARGE = 0
    else:
        server_store.LARGE = server_index.LARGE = 10**9
    before, started = resident(), time.monotonic()
    with Gallery.open(place(url), MODEL, dimension, live=True) as gallery:
        gallery.search(probes[:1], NEAREST, pooled=True)
        ready = time.monotonic() - started
        grown = resident() - before
        nearest, templates, spent = [], [], []
        asked = gallery._store._db.pid  # type: ignore[attr-defined]
        worked = time.process_time() + processor(asked)
        for probe in probes:
            began = time.perf_counter()
            gallery.search(probe[None], NEAREST, pooled=True)
            spent.append(1e3 * (time.perf_counter() - began))
        worked = 1e3 * (time.process_time() + processor(asked) - worked) / len(probes)
        assert gallery._matcher is not None
        for probe in probes:  # of the templates themselves, for recall
            distances, ids = gallery._matcher._index.search(probe[None], 1)
            nearest.append(float(distances[0, 0]))
            templates.append(int(ids[0, 0]))
    answers.put((templates, nearest, spent, worked, ready, grown))


def follow(url: str, dimension: int, names: Any, heard: Any) -> None:
    """Ask for news as the frames of a run do; when each of the names is known."""
    with closing(Enrolled(place(url), MODEL, dimension)) as people:
        people.search(np.zeros((1, dimension), np.float32), NEAREST, pooled=True)
        heard.put(0.0)
        while (name := names.get()) is not None:
            while not people.knows(name):
                time.sleep(FRAME)
                people.refresh()
            heard.put(time.time())


def told(url: str, dimension: int, count: int) -> dict[str, Any]:
    """Seconds from an enrolment here to a name in another process."""
    context = multiprocessing.get_context("spawn")
    names, heard = context.Queue(), context.Queue()
    new = f"new {time.time_ns()}"  # to a server whose files were kept, too
    other = context.Process(target=follow, args=(url, dimension, names, heard))
    other.start()
    heard.get()
    chance, took = np.random.default_rng(7), []
    with Gallery.open(place(url), MODEL, dimension) as gallery:
        for number in range(count):
            names.put(f"{new} {number}")
            look = NewTemplate(
                chance.normal(size=dimension).astype(np.float32), None, 0.8, "", f"{new} {number}"
            )
            gallery.add(f"{new} {number}", [look])
            added = time.time()
            took.append(heard.get() - added)
        names.put(None)
    other.join()
    return {"median_s": round(float(np.median(took)), 3), "most_s": round(max(took), 3), "enrolments": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--crops", type=Path, required=True)
    parser.add_argument("--cache", type=output_file, help="keeps the embeddings of the crops (.npy)")
    parser.add_argument("--templates", type=int, default=100_000)
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--shared-buffers", default="1GB")
    parser.add_argument("--modes", default="memory,server")
    parser.add_argument("--data", type=Path, help="keeps the server's files, and uses them again")
    parser.add_argument("--out", type=output_file, required=True)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server is not left behind
    real, labels = real_embeddings(given.crops, given.cache)
    people, probes = blown_up(real, labels, given.templates, given.probes, seed=0)
    dimension = people.shape[1]
    exact = ExactIndex(dimension)
    exact.add(np.arange(1, len(people) + 1), people)
    truth = np.concatenate([exact.search(part, 1)[1][:, 0] for part in np.array_split(probes, 20)])
    results: dict[str, Any] = {
        "templates": given.templates, "photos_of_each": given.photos, "dimension": dimension,
        "probes": given.probes, "shared_buffers": given.shared_buffers,
        "load_average": round(os.getloadavg()[0], 2),
    }  # fmt: skip
    server = Server(
        f"shared_buffers={given.shared_buffers}", "max_wal_size=4GB", folder=given.data
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "faces.db"
            if not server.execute("SELECT to_regnamespace('recog')")[0][0]:
                results["sqlite_made_s"] = round(made(file, people, given.photos), 1)
                results["sqlite_bytes"] = file.stat().st_size
                results |= copied(server, file, given.templates, dimension)
                print(json.dumps(results), flush=True)
        results["version"] = server.execute("SELECT version()")[0][0].split(",")[0]
        version = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        results["pgvector"] = server.execute(version)[0][0]
        sizes = "SELECT relname, pg_table_size(oid) FROM pg_class WHERE relname IN"
        results["bytes"] = dict(server.execute(f"{sizes} ('templates', 'templates_l1')"))
        context = multiprocessing.get_context("spawn")
        for mode in given.modes.split(","):
            answers = context.Queue()
            process = context.Process(target=searched, args=(server.url, dimension, mode, probes, answers))
            process.start()
            found, nearest, spent, worked, ready, grown = answers.get()
            process.join()
            best = np.array(
                [np.abs(people[row - 1] - probe).sum() for row, probe in zip(truth, probes, strict=True)]
            )
            results[mode] = {
                "load_average": round(os.getloadavg()[0], 2),
                "median_ms": round(float(np.median(spent)), 2),
                "least_ms": round(min(spent), 2),
                "processor_ms": round(worked, 2),
                "p95_ms": round(float(np.quantile(spent, 0.95)), 2),
                "recall_at_1": round(float(np.mean(np.array(found) == truth)), 4),
                "largest_difference_of_a_distance": float(
                    np.abs(np.array(nearest) - best)[np.array(found) == truth].max()
                ),
                "first_search_s": round(ready, 2), "memory_mib": round(grown),
            }  # fmt: skip
        results["heard"] = told(server.url, dimension, 20)
        results["load_average_after"] = round(os.getloadavg()[0], 2)
    finally:
        given.out.write_text(json.dumps(results, indent=1) + "\n")  # what there is, should time run out
        print(json.dumps(results, indent=1))
        server.close()


if __name__ == "__main__":
    main()
