"""How often `recog auth` accepts an attack or refuses the person, in the terms of ISO/IEC 30107-3.

Everything is simulated but the pictures: attacks from photographs of LFW (benchmarks/attacks.py), genuine
answers from real turns of heads in films (benchmarks/heads.py); benchmarks/presentations.py has the species.
Films and people are split by name before anything is measured: with `--development` those are used by which
thresholds were chosen, without it the others, which are reported.

    uv run python benchmarks/authentication.py --lfw DIR --films FILM... \\
        --out benchmarks/results/authentication.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path

import cv2
from attacks import Sheet
from camera import FPS, SIZE
from films import Bench, Film
from identities import against_each_other, of_other_days, people_of, photographed
from presentations import ELSE, FLAT, QUICK, REPLAY, SPECIES, Material, present

from pipeline.authentication.report import GENUINE, Tally, headline
from pipeline.authentication.session import Authentication
from pipeline.faces.turn import yaw
from pipeline.outputs.places import output_file
from pipeline.sources.images import read_photo
from pipeline.types import Floats, Frame
from siamese.provenance import commit, machine, versions


@dataclass(slots=True)
class Worker:
    """What each process works with."""

    bench: Bench
    material: Material
    seed: int


@dataclass(slots=True)
class Results:
    """Everything that was counted so far."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    by_film: dict[str, dict[str, list[int]]] = field(default_factory=dict)  # [errors, presentations]
    details: list[dict[str, object]] = field(default_factory=list)

    def add(self, species: str, number: int, films: list[Film], found: Authentication) -> None:
        """Count an outcome, and keep what is known of it."""
        tally = self.tallies[species]
        before = tally.errors
        tally.add(found)
        film = films[number % len(films)].name if films and species not in (*FLAT, ELSE) else ""
        if film:
            counted = self.by_film.setdefault(species, {}).setdefault(film, [0, 0])
            counted[0] += tally.errors - before
            counted[1] += 1
        self.details.append(
            {
                "species": species,
                "film": film,
                "accepted": found.verdict.accepted,
                "part": found.verdict.part,
                "why": found.verdict.why,
                "measured": found.measured,
            }
        )


_worker: Worker


def begin(material: Material, seed: int) -> None:
    """Make a process ready."""
    global _worker  # each process of the pool has its own
    cv2.setNumThreads(1)
    _worker = Worker(Bench(), material, seed)


def run(task: tuple[str, int]) -> tuple[str, int, Authentication | None]:
    """One presentation."""
    species, number = task
    return species, number, present(_worker.bench, _worker.material, species, number, _worker.seed)


def in_turn(counts: dict[str, int]) -> Iterator[tuple[str, int]]:
    """One of each species after the other, so that all are tried as often where time runs out."""
    for quick in (True, False):
        these = [(species, n) for species, n in counts.items() if (species in QUICK) == quick]
        for round_ in zip_longest(*([(species, i) for i in range(n)] for species, n in these)):
            yield from (task for task in round_ if task is not None)


def sheets_of(bench: Bench, lfw: Path, development: bool, count: int) -> list[tuple[Sheet, Floats]]:
    """Photographs of LFW with one large face, one of each person; every other person is for development.

    People whom the model never saw and who are not among the strangers that ship: whoever is one of them
    would be refused for resembling themselves.
    """
    made: list[tuple[Sheet, Floats]] = []
    people = people_of(lfw, development)
    for person in people[:: max(1, len(people) // (2 * count))]:
        image = read_photo(lfw / "lfw-deepfunneled" / person / f"{person}_0001.jpg")
        sight = bench.watch.look(Frame(image, 0, 0.0, "photo"))
        if sight.row is None or sight.embedding is None or sight.landmarks is None:
            continue
        if abs(yaw(sight.landmarks)) < 0.25:
            made.append((Sheet(image, sight.landmarks), sight.embedding))
        if len(made) == count:
            break
    return made


def half_of(films: list[Path], chosen_on: list[str], development: bool) -> list[Path]:
    """The films that are wanted: what something was chosen on, or that was looked at, is for development."""
    return sorted(
        (each for each in films if (each.name in chosen_on) == development), key=lambda each: each.name
    )


def arguments_() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path, required=True, help="folder of lfw-deepfunneled/ and its lists")
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="one head each, that turns")
    parser.add_argument(
        "--chosen-on",
        nargs="*",
        default=[],
        help="names of films of development",
    )
    parser.add_argument(
        "--shared", type=Path, help="folder of folders of photographs: all against each other"
    )
    parser.add_argument("--development", action="store_true", help="the half by which thresholds are chosen")
    parser.add_argument("--tries", type=int, default=75, help="of each species that is judged by pixels")
    parser.add_argument("--replays", type=int, default=160, help="of genuine and recorded answers")
    parser.add_argument("--people", type=int, default=50, help="whose photographs are printed")
    parser.add_argument("--compared", type=int, default=100, help="whose photographs are compared")
    parser.add_argument("--only", nargs="*", choices=SPECIES, help="species")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--details", type=output_file, help="every attempt, for choosing thresholds")
    parser.add_argument("--out", type=output_file, default="runs/authentication.json")
    return parser.parse_args()


def main() -> None:
    arguments = arguments_()
    cv2.setNumThreads(1)
    bench = Bench()
    species = arguments.only or list(SPECIES)
    half = half_of(arguments.films, arguments.chosen_on, arguments.development)
    moving = bool(set(species) - set(FLAT))  # else photographs alone are asked for
    looked_at = list(map(bench.film, half if moving else []))
    films = [film for film in looked_at if film.answers]
    # Which these are depends on the detector: whoever is left out is neither accepted nor refused.
    left_out = [film.name for film in looked_at if not film.answers]
    if left_out:
        print(f"no turn that can be joined to an answer: {', '.join(left_out)}", flush=True)
    for film in films:
        moves = {move.name: len(way.frames) for move, way in film.ways.items()}
        print(f"{film.name}: {len(film.sights)} frames, moves {moves}", flush=True)
    known = sheets_of(bench, arguments.lfw, arguments.development, max(arguments.people, arguments.compared))
    material = Material(films, known[: arguments.people])
    alone = {}
    if arguments.shared:
        alone["shared people"] = against_each_other(bench, photographed(bench, arguments.shared))
        people = {f"photograph {i}": template[None] for i, (_, template) in enumerate(known)}
        alone["photographs"] = against_each_other(bench, people)
        alone["of other days"] = of_other_days(bench, arguments.lfw, arguments.development)
    results = Results({each: Tally(each) for each in species})
    counts = {each: arguments.replays if each in (GENUINE, REPLAY) else arguments.tries for each in species}
    if ELSE in counts:
        counts[ELSE] = len(films) * (len(films) - 1 + len(material.sheets))
    told = {
        "simulated": True,
        "half": "development" if arguments.development else "reported",
        "films": {film.name: sorted(move.name for move in film.ways) for film in films},
        "left_out": left_out,
        "photographs": len(material.sheets),
        "identity_alone": alone,
        "camera": {"frames_per_second": FPS, "height_width": SIZE},
        "settings": {"seed": arguments.seed, "tries": arguments.tries, "replays": arguments.replays},
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }

    def keep() -> None:
        """Write what is known so far: a run that is stopped has not been for nothing."""
        tallies = list(results.tallies.values())
        worst = headline(tallies)
        counted = {
            "species": [each.as_dict() for each in tallies],
            "by_film": results.by_film,
            "worst": None if worst is None else worst.as_dict(),
        }
        arguments.out.write_text(json.dumps(told | counted, indent=2) + "\n")
        if arguments.details:
            arguments.details.write_text(json.dumps(results.details, indent=1) + "\n")

    with ProcessPoolExecutor(
        arguments.jobs, get_context("spawn"), initializer=begin, initargs=(material, arguments.seed)
    ) as pool:
        for done, (each, number, found) in enumerate(pool.map(run, in_turn(counts), chunksize=4)):
            if found is not None:
                results.add(each, number, films, found)
            if done % 20 == 0:
                keep()
    keep()
    for tally in results.tallies.values():
        print(f"{tally}; {dict(tally.refused_by)}; {results.by_film.get(tally.species, '')}", flush=True)


if __name__ == "__main__":
    main()
