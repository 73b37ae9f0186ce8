"""How fast and how exact searching large galleries is: FAISS's flat scan, numpy, and approximate indexes.

    uv run python benchmarks/gallery_scale.py --crops DIR --templates 1000000 --threads 2

`--crops` is what `recog data align` made of LFW. Its embeddings by the shipped network are blown up: a
made-up person lies between two real ones at their usual length, and each look at them differs by what two
photographs of some real person differ by. The probe of a person is another look than the one enrolled.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SHORTLIST = 128  # that an approximate index hands on to exact L1


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="keeps LFW's embeddings (.npy)")
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--index", nargs="*", default=["IVF4096,SQ8", "HNSW32"])
    parser.add_argument("--effort", nargs="*", type=int, default=[16, 32, 64, 128])
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    real, labels = real_embeddings(options.crops, options.cache)
    templates, probes = blown_up(real, labels, options.templates, options.probes, seed=0)

    flat = faiss.IndexFlat(templates.shape[1], faiss.METRIC_L1)
    flat.add(templates)
    exact, took = timed(lambda probe: int(flat.search(probe[None], 1)[1][0, 0]), probes)
    results: dict[str, Any] = {"flat L1": took}
    same, took = timed(lambda probe: by_numpy(templates, probe), probes[:20])
    results["numpy L1, blocks of 2048"] = took
    assert np.mean(np.array(same) == exact[:20]) > 0.9
    for name in options.index:
        started = time.perf_counter()
        index = faiss.index_factory(templates.shape[1], name)
        if not index.is_trained:
            index.train(templates[: min(len(templates), 200_000)])
        index.add(templates)
        built = time.perf_counter() - started
        for effort in options.effort:
            faiss.ParameterSpace().set_index_parameter(
                index, "nprobe" if "IVF" in name else "efSearch", effort
            )
            found, took = timed(lambda probe, index=index: reranked(index, templates, probe), probes)
            recall = float(np.mean(np.array(found) == exact))
            results[f"{name}, effort {effort}, {SHORTLIST} by exact L1"] = took | {
                "recall_at_1": recall, "build_seconds": round(built, 1)
            }  # fmt: skip
    own = float(np.mean(np.array(exact) == np.arange(len(probes))))
    print(
        json.dumps(
            {"templates": options.templates, "probes": options.probes, "threads": options.threads,
             "probes_nearest_to_their_own_person": own, "results": results, "faiss": faiss.__version__,
             "machine": platform.processor() or platform.machine()},
            indent=2,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
