"""How fast and how exact searching galleries of all sizes is, against numpy and other approximate indexes.

    uv run python benchmarks/gallery_scale.py --crops DIR --out benchmarks/results/gallery-scale.json

`--crops` is what `recog data align` made of LFW. Its embeddings by the shipped network are blown up: a
made-up person lies between two real ones at their usual length, and each look at them differs by what two
photographs of some real person differ by. The probe of a person is another look than the one enrolled.

`in_use` is what a look at a face costs in a run: whether the gallery has changed, how many are enrolled, and
the nearest people by all their photos pooled. The gallery is a file, with one photo of each person, or more.
Its times are of the thread's processor, so that they mean something on a machine that is busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from gallery import Gallery, NewTemplate
from gallery.followed import Enrolled
from gallery.index import use_threads
from gallery.large import LARGE
from gallery.live import Difference, Held
from gallery.matching import Matcher
from pipeline.outputs.places import output_file

Floats = npt.NDArray[np.float32]
SHORTLIST = 128  # that an approximate index hands on to exact L1
NEAREST = 5  # people that `recog run` asks for
MODEL = "benchmark"  # fingerprint of made-up galleries
ROUNDS = 5

# In a fresh process, as a command does it. A gallery with a shortlist is ready when that is.
LOAD = """
import sys, time
from pathlib import Path
import numpy as np
from gallery import Gallery
from gallery.index import ExactIndex
clock = time.perf_counter
dimension, started = int(sys.argv[2]), clock()
ExactIndex(dimension)
imported = clock()
with Gallery.open(Path(sys.argv[1]), "benchmark", dimension) as opened:
    opened.search(np.zeros((1, dimension), np.float32), 5)
    searched = clock()
    building = opened._matcher._index._building
    if building is not None:
        building.result()
    print(imported - started, searched - imported, clock() - imported)
"""


def real_embeddings(crops: Path, cache: Path | None) -> tuple[Floats, npt.NDArray[np.int64]]:
    """LFW's faces (n, d) and a number for each person (n,)."""
    from siamese.crops import read
    from siamese.runtime import Embedder

    faces = read(crops)
    if cache is not None and cache.exists():
        return np.load(cache), faces.labels()
    embedder = Embedder()
    parts = [embedder.embed(faces.images[start : start + 256]) for start in range(0, len(faces), 256)]
    embeddings = np.concatenate(parts)
    if cache is not None:
        np.save(cache, embeddings)
    return embeddings, faces.labels()


def blown_up(
    real: Floats, labels: npt.NDArray[np.int64], count: int, probes: int, seed: int
) -> tuple[Floats, Floats]:
    """Templates (count, d) of as many made-up people, and other looks (probes, d) at the first of them."""
    chance = np.random.default_rng(seed)
    order = np.argsort(labels, kind="stable")
    neighbours = labels[order[1:]] == labels[order[:-1]]
    differences = (real[order[1:]] - real[order[:-1]])[neighbours] / np.sqrt(2)
    length = float(np.median(np.linalg.norm(real, axis=1)))

    def looks(people: Floats) -> Floats:
        signs = chance.choice([-1, 1], (len(people), 1)).astype(np.float32)
        looks = people + signs * differences[chance.integers(len(differences), size=len(people))]
        return (looks * (length / np.linalg.norm(looks, axis=1, keepdims=True))).astype(np.float32)

    templates = np.empty((count, real.shape[1]), np.float32)
    asked = np.empty((0, real.shape[1]), np.float32)
    for start in range(0, count, 65536):
        size = min(65536, count - start)
        share = chance.uniform(0.3, 0.7, (size, 1)).astype(np.float32)
        one, other = chance.integers(len(real), size=(2, size))
        people = share * real[one] + (1 - share) * real[other]
        people *= length / np.linalg.norm(people, axis=1, keepdims=True)
        templates[start : start + size] = looks(people)
        if not start:
            asked = looks(people[:probes])
    return templates, asked


def by_numpy(templates: Floats, probe: Floats) -> int:
    """The nearest, by blocks that fit the cache."""
    best, nearest = np.inf, -1
    for start in range(0, len(templates), 2048):
        distances = np.abs(templates[start : start + 2048] - probe).sum(axis=1)
        row = int(distances.argmin())
        if distances[row] < best:
            best, nearest = float(distances[row]), start + row
    return nearest


def reranked(index: Any, templates: Floats, probe: Floats) -> int:
    """The nearest by exact L1 among those that an approximate index suggests."""
    rows = index.search(probe[None], SHORTLIST)[1][0]
    rows = rows[rows >= 0]
    return int(rows[np.abs(templates[rows] - probe).sum(axis=1).argmin()])


def timed(search: Callable[[Floats], int], probes: Floats) -> tuple[list[int], dict[str, float]]:
    """What is found for each probe, and milliseconds for one: the median and the least."""
    found, spent = [], []
    for probe in probes:
        started = time.perf_counter()
        found.append(search(probe))
        spent.append(1e3 * (time.perf_counter() - started))
    return found, {"median_ms": round(float(np.median(spent)), 3), "least_ms": round(min(spent), 3)}


def searching(
    templates: Floats, probes: Floats, indexes: list[str], efforts: list[int]
) -> dict[str, dict[str, Any]]:
    """One probe at a time among `templates` (t, d), by everything there is to compare."""
    rows = np.arange(len(templates))
    held = Held(rows, rows, {row: str(row) for row in rows.tolist()}, len(rows), None)
    matcher = Matcher(templates.shape[1])
    matcher.apply(Difference(rows[:0], ((rows, rows, templates),), held))
    flat = faiss.IndexFlat(templates.shape[1], faiss.METRIC_L1)
    flat.add(templates)
    exact = np.concatenate([flat.search(part, 1)[1][:, 0] for part in np.array_split(probes, 20)])
    _, took = timed(lambda probe: int(flat.search(probe[None], 1)[1][0, 0]), probes[:200])
    results: dict[str, dict[str, Any]] = {"flat L1": took}
    if len(templates) <= LARGE:
        same, took = timed(lambda probe: by_numpy(templates, probe), probes[:20])
        results["numpy L1, blocks of 2048"] = took
        assert np.mean(np.array(same) == exact[:20]) > 0.9

    def searched() -> dict[str, Any]:
        found, took = timed(lambda probe: int(matcher.search(probe[None], NEAREST).names[0][0]), probes)
        return took | {"recall_at_1": round(float(np.mean(np.array(found) == exact)), 4)}

    if len(templates) > LARGE:
        started = time.perf_counter()
        matcher.search(probes[:1], NEAREST)
        building = matcher._index._building
        assert building is not None
        building.result()
        built = {"build_seconds": round(time.perf_counter() - started, 1)}
        results[f"recog, the nearest {NEAREST} people, shortlist"] = searched() | built
        for name in indexes:
            results |= others(name, efforts, templates, probes, exact)
    else:
        results[f"recog, the nearest {NEAREST} people"] = searched()
    results["probes nearest to their own person"] = {"share": float(np.mean(exact == rows[: len(probes)]))}
    return results


def others(
    name: str, efforts: list[int], templates: Floats, probes: Floats, exact: npt.NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    """An index of FAISS, at several efforts."""
    started = time.perf_counter()
    index = faiss.index_factory(templates.shape[1], name)
    if not index.is_trained:
        index.train(templates[: min(len(templates), 200_000)])
    index.add(templates)
    built, results = time.perf_counter() - started, {}
    for effort in efforts:
        faiss.ParameterSpace().set_index_parameter(index, "nprobe" if "IVF" in name else "efSearch", effort)
        found, took = timed(lambda probe: reranked(index, templates, probe), probes)
        recall = float(np.mean(np.array(found) == exact))
        results[f"{name}, effort {effort}, {SHORTLIST} by exact L1"] = took | {
            "recall_at_1": round(recall, 4), "build_seconds": round(built, 1)
        }  # fmt: skip
    return results


def photographed(
    real: Floats, labels: npt.NDArray[np.int64], people: int, photos: int, probes: int, seed: int
) -> tuple[Floats, Floats]:
    """Templates (people * photos, d), a person's together; other looks (probes, d) at the first people."""
    centres, _ = blown_up(real, labels, people, 0, seed)
    chance = np.random.default_rng(seed + 1)
    order = np.argsort(labels, kind="stable")
    same = labels[order[1:]] == labels[order[:-1]]
    differences = (real[order[1:]] - real[order[:-1]])[same] / np.sqrt(2)
    length = float(np.median(np.linalg.norm(real, axis=1)))

    def looks(at: Floats) -> Floats:
        made = at + differences[chance.integers(len(differences), size=len(at))]
        return (made * (length / np.linalg.norm(made, axis=1, keepdims=True))).astype(np.float32)

    if photos == 1:
        return centres, looks(centres[:probes])
    parts = [looks(np.repeat(centres[at : at + 8192], photos, axis=0)) for at in range(0, people, 8192)]
    return np.concatenate(parts), looks(centres[:probes])


def write_gallery(path: Path, templates: Floats, photos: int) -> None:
    """Write a gallery with so many photos of each person, by the shortest way there is."""
    with Gallery.open(path, MODEL, templates.shape[1], create=True) as opened, opened._store.writing() as db:
        people = [(number + 1, f"p{number}", "2026-01-01") for number in range(len(templates) // photos)]
        db.executemany("INSERT INTO people VALUES (?, ?, ?)", people)
        rows = (
            (row // photos + 1, each.tobytes(), str(row)) for row, each in enumerate(templates.astype("<f4"))
        )
        db.executemany(
            "INSERT INTO templates (person, embedding, quality, origin, digest, added) "
            "VALUES (?, ?, 1, '', ?, '2026-01-01')",
            rows,
        )


def in_use(path: Path, probes: Floats) -> dict[str, Any]:
    """Milliseconds of processor time of the parts of a look, by medians; the gallery is ready and warm."""
    people = Enrolled(path, MODEL, probes.shape[1])
    people.search(probes[:1], NEAREST, pooled=True)
    opened = people._gallery
    assert opened is not None
    assert opened._matcher is not None
    building = opened._matcher._index._building
    if building is not None:
        building.result()
    people.search(probes[:1], NEAREST, pooled=True)
    parts: dict[str, Callable[[Floats], Any]] = {
        "refresh_ms": lambda probe: people.refresh(),
        "people_count_ms": lambda probe: people.people_count,
        "search_ms": lambda probe: people.search(probe[None], NEAREST, pooled=True).names[0],
    }
    spent: dict[str, list[float]] = {name: [] for name in parts}
    found = []
    for probe in probes:
        for name, part in parts.items():
            started = time.thread_time()
            result = part(probe)
            spent[name].append(1e3 * (time.thread_time() - started))
        found.append(result)
    right = [bool(names) and names[0] == f"p{number}" for number, names in enumerate(found)]
    people.close()
    medians = {name: round(float(np.median(each)), 4) for name, each in spent.items()}
    return medians | {"probes": len(probes), "share_found": round(float(np.mean(right)), 4)}


def loading(templates: Floats) -> dict[str, Any]:
    """Seconds to open a gallery of so many people in a new process and to search it for the first time.

    The first of the rounds builds the shortlist, if there is one; the others take it up.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        with Gallery.open(path, MODEL, templates.shape[1], create=True) as opened:
            for start in range(0, len(templates), 50_000):
                rows = range(start, min(start + 50_000, len(templates)))
                people = {f"p{i}": [NewTemplate(templates[i], None, 1.0, "made up", str(i))] for i in rows}
                opened.add_people(people, "enroll")
        command = [sys.executable, "-c", LOAD, str(path), str(templates.shape[1])]
        rounds = [
            [float(each) for each in subprocess.check_output(command, text=True).split()]
            for _ in range(ROUNDS)
        ]
        size = path.stat().st_size
    imported, searched, ready = np.array(rounds).T
    return {
        "median_s": round(float(np.median(searched)), 3),
        "least_s": round(float(searched.min()), 3),
        "besides_importing_faiss_s": round(float(np.median(imported)), 3),
        "shortlist_built_s": round(float(ready[0]), 2) if len(templates) > LARGE else None,
        "shortlist_taken_up_s": round(float(np.median(ready[1:])), 2) if len(templates) > LARGE else None,
        "file_bytes": size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, required=True)
    parser.add_argument("--cache", type=output_file, help="keeps LFW's embeddings (.npy)")
    parser.add_argument("--templates", nargs="*", type=int, default=[1000, 100_000, 1_000_000])
    parser.add_argument("--load", nargs="*", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--in-use", nargs="*", default=["1000x1", "1000x8", "100000x1", "100000x8"],
                        help="TEMPLATESxPHOTOS, photos of each person")  # fmt: skip
    parser.add_argument("--galleries", type=Path, help="keeps the galleries of --in-use")
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--index", nargs="*", default=["IVF4096,SQ8"])
    parser.add_argument("--effort", nargs="*", type=int, default=[64, 128, 256, 512, 1024])
    parser.add_argument("--out", type=output_file, help="where the result is written (.json)")
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    use_threads(options.threads)
    real, labels = real_embeddings(options.crops, options.cache)
    result: dict[str, Any] = {
        "threads": options.threads, "probes": options.probes, "faiss": faiss.__version__,
        "machine": platform.processor() or platform.machine(), "load_average": os.getloadavg()[0],
        "search": {}, "load": {}, "in_use": {},
    }  # fmt: skip
    for count in options.templates:
        templates, probes = blown_up(real, labels, count, min(count, options.probes), seed=0)
        result["search"][count] = searching(templates, probes, options.index, options.effort)
    for count in options.load:
        result["load"][count] = loading(blown_up(real, labels, count, 1, seed=1)[0])
    with tempfile.TemporaryDirectory() as folder:
        for wanted in options.in_use:
            count, photos = map(int, wanted.split("x"))
            path = (options.galleries or Path(folder)) / f"{wanted}.db"
            templates, probes = photographed(
                real, labels, count // photos, photos, min(count // photos, options.probes), seed=2
            )
            if not path.exists():
                write_gallery(path, templates, photos)
            del templates
            result["in_use"][wanted] = in_use(path, probes)
            print(wanted, result["in_use"][wanted], file=sys.stderr, flush=True)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
