"""How often `recog auth` accepts an attack or refuses the person, in the terms of ISO/IEC 30107-3.

Everything is simulated but the pictures: attacks from photographs of LFW, genuine answers from real turns of
heads in films (benchmarks/attacks.py says how). Films and people are split by name before anything is
measured: with `--development` the half is used by which thresholds were chosen, without it the other half,
which is reported.

    uv run python benchmarks/authentication.py --lfw DIR --films FILM... \\
        --out benchmarks/results/authentication.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from attacks import FPS, SIZE, Flat, Head, Sheet, Shown, cut_out, enlarged, paths
from attacks import Path as Way

from gallery.calibration import upper_bound
from pipeline import build
from pipeline.authentication.attempt import Attempt
from pipeline.authentication.claimed import EACH, Claimed
from pipeline.authentication.policy import Verdict, decide
from pipeline.authentication.report import GENUINE, Tally, headline
from pipeline.authentication.session import Authentication, circumstances
from pipeline.authentication.watch import Sight, Watch
from pipeline.config import RuntimeSettings, Settings
from pipeline.faces.turn import nod, yaw
from pipeline.liveness.challenge import SIDES, Challenge, Move, draw
from pipeline.outputs.places import output_file
from pipeline.sources.images import read_photo
from pipeline.sources.open import open_source
from pipeline.tracking.cuts import CutDetector
from pipeline.types import Floats, Frame, Image
from siamese.cohort import Cohort
from siamese.provenance import commit, machine, versions
from siamese.runtime import Embedder

Picture = Callable[[float, Move | None], Image]
KNOWN = circumstances(None, None, True, "simulated", intended=True)
WIDEST, FASTEST, LONGEST = 640, 30, 6.0  # pixels, frames a second and seconds to which films are reduced


@dataclass(frozen=True, slots=True)
class Film:
    """A film of one head, with what was seen in each of its frames."""

    name: str
    images: tuple[Image, ...]
    sights: tuple[Sight, ...]
    ways: dict[Move, Way]
    templates: Floats  # (t, d) as enrolled: from the front and in the turns, other frames than are shown

    @property
    def middle(self) -> Floats:
        """Where the face is, (2,) pixels."""
        boxes = np.stack([each.box for each in self.sights if each.box is not None])
        return np.asarray(np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0), np.float32)


class Bench:
    """The models, and what runs attempts."""

    def __init__(self, threads: int) -> None:
        self.settings = Settings(runtime=RuntimeSettings(threads=threads))
        self.embedder: Embedder = build.embedder(self.settings)
        self.cohort: Cohort | None = build.cohort(self.settings, self.embedder)
        self.watch = Watch(build.detector(self.settings), self.embedder, self.settings.quality)

    def claimed(self, name: str, templates: Floats) -> Claimed:
        strangers = templates[:0] if self.cohort is None else self.cohort.one_each
        return Claimed(name, templates, self.embedder.calibration, strangers)

    def attempt(self, claimed: Claimed, challenge: Challenge) -> Attempt:
        return Attempt(claimed, challenge, self.settings.track, self.settings.det.confidence)

    def run(self, attempt: Attempt, picture: Picture) -> Authentication:
        """Pictures of the simulated camera, each looked at as one of a real camera is."""
        cuts, index = CutDetector(), 0
        while not attempt.ended:
            now = index / FPS
            image = picture(now, attempt._response.asked)
            sight = self.watch.look(Frame(image, index, now, "simulated"))
            attempt.take(sight, cuts.is_cut(image))
            index += 1
        return outcome(attempt)

    def film(self, path: Path) -> Film:
        """Look at a film, at FASTEST frames a second at most; `ways` is empty where nobody turns in it."""
        images, sights, due = [], [], 0.0
        with open_source(str(path)) as source:
            for frame in source:
                if frame.seconds > LONGEST:
                    break
                if frame.seconds < due:
                    continue
                due = frame.seconds + 0.9 / FASTEST
                image, share = frame.image, WIDEST / frame.image.shape[1]
                if share < 1:
                    image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
                images.append(image)
                sights.append(self.watch.look(replace(frame, image=image)))
        poses = np.array(
            [
                (np.nan, np.nan) if each.landmarks is None else (yaw(each.landmarks), nod(each.landmarks))
                for each in sights
            ],
            np.float32,
        )
        boxes = np.stack([np.full(4, np.nan) if each.box is None else each.box for each in sights])
        breadth = boxes[:, 2] - boxes[:, 0]
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        places = np.concatenate([middles, breadth[:, None]], axis=1) / float(np.nanmedian(breadth))
        sharp = np.array([each.embedding is not None for each in sights])
        ways = paths(poses[:, 0], poses[:, 1], places.astype(np.float32), sharp)
        shown = {index for way in ways.values() for index in way.frames}
        usable = [i for i, each in enumerate(sights) if each.embedding is not None and i not in shown]
        chosen: list[int] = []
        if usable and ways:
            turns = poses[usable, 0] - np.nanmedian(poses[:, 0])
            # The most frontal that is not shown, and those turned most like the ends of the ways.
            goals = [0.0, *(poses[way.frames[-1], 0] - np.nanmedian(poses[:, 0]) for way in ways.values())]
            chosen = [usable[int(np.argmin(np.abs(turns - goal)))] for goal in goals]
        kept = [each for each in (sights[i].embedding for i in chosen) if each is not None]
        templates = np.stack(kept) if kept else np.zeros((0, self.embedder.dimension), np.float32)
        return Film(path.name, tuple(images), tuple(sights), ways, templates)


def outcome(attempt: Attempt) -> Authentication:
    findings = KNOWN | attempt.findings()
    verdict: Verdict = decide(findings)
    return Authentication(verdict, findings, attempt.report(), None, attempt.judged)


def possible(film: Film, chance: Random) -> Challenge:
    """A challenge of moves that the film has; nearer is made by a zoom."""
    while True:
        challenge = draw(random=chance)
        if all(step.move in film.ways or step.move is Move.NEARER for step in challenge.steps):
            return challenge


def can_answer(film: Film) -> bool:
    """Whether any challenge of three moves is possible: with a turn to one side there is one, with nearer."""
    return len(film.templates) > 0 and bool(SIDES & set(film.ways))


def genuine(bench: Bench, film: Film, chance: Random, random: np.random.Generator) -> Authentication:
    head = Head(film.ways, random)

    def picture(now: float, asked: Move | None) -> Image:
        shown = head.frame(now, asked)
        return enlarged(shown.image(film.images), shown.nearer, film.middle, random)

    attempt = bench.attempt(bench.claimed(film.name, film.templates), possible(film, chance))
    return bench.run(attempt, picture)


def genuine_by_landmarks(
    bench: Bench, film: Film, chance: Random, random: np.random.Generator
) -> Authentication:
    """The same by what was seen in the film's frames: without cuts and cues, and a hundred times as fast."""
    attempt = bench.attempt(bench.claimed(film.name, film.templates), possible(film, chance))
    answered(film, attempt, random)
    return outcome(attempt)


def answered(film: Film, attempt: Attempt, random: np.random.Generator) -> list[Shown]:
    """Have the film's head answer; return what was shown, frame by frame."""
    head, record, index = Head(film.ways, random), [], 0
    while not attempt.ended:
        now = index / FPS
        record.append(head.frame(now, attempt._response.asked))
        attempt.take(seen_again(film, record[-1], now, index, random), cut=False)
        index += 1
    return record


def replayed(bench: Bench, film: Film, chance: Random, random: np.random.Generator) -> Authentication | None:
    """An answer that was accepted, shown again pixel by pixel for another challenge; None if none was.

    Judged by what was seen in the film's frames, with landmarks scaled where the recording came nearer.
    """
    claimed = bench.claimed(film.name, film.templates)
    first = bench.attempt(claimed, possible(film, chance))
    record = answered(film, first, random)
    if not outcome(first).verdict.accepted:
        return None
    other = bench.attempt(claimed, draw(random=chance))  # any, whether or not the film could answer it
    late = int(random.uniform(0, 1) * FPS)
    index = 0
    while not other.ended:
        place = min(max(0, index - late), len(record) - 1)
        other.take(seen_again(film, record[place], index / FPS, index, random), cut=False)
        index += 1
    return outcome(other)


def seen_again(film: Film, shown: Shown, now: float, number: int, random: np.random.Generator) -> Sight:
    """What was seen in a frame, enlarged, with landmarks as noisy as a detector's."""
    sight, by = film.sights[shown.frame], shown.nearer
    found = sight.found
    points = film.middle + (found.landmarks - film.middle) * np.float32(by)
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)[:, None, None]
    points = points + (random.normal(0, 0.006, points.shape) * eyes).astype(np.float32)
    middle = np.tile(film.middle, 2)
    boxes = middle + (found.boxes - middle) * np.float32(by)
    moved = replace(found, boxes=boxes.astype(np.float32), landmarks=points.astype(np.float32))
    return replace(sight, seconds=now, digest=number.to_bytes(8, "big"), found=moved, cues=None)


def swapped(
    bench: Bench, film: Film, other: Film, chance: Random, random: np.random.Generator
) -> Authentication:
    """The person's own film until something is asked, then somebody else, who answers."""
    mine, theirs = Head(film.ways, random), Head(other.ways, random)
    size = film.images[0].shape[1::-1]

    def picture(now: float, asked: Move | None) -> Image:
        if asked is None:
            return enlarged(mine.frame(now, None).image(film.images), 1.0, film.middle, random)
        shown = theirs.frame(now, asked)
        return enlarged(placed(film, other, shown.frame, size), shown.nearer, film.middle, random)

    attempt = bench.attempt(bench.claimed(film.name, film.templates), possible(other, chance))
    return bench.run(attempt, picture)


def placed(film: Film, other: Film, index: int, size: tuple[int, int]) -> Image:
    """A frame of another film with its face where that of `film` is, as large, in a picture of that size."""
    here, there = film.sights[0].box, other.sights[index].box
    if here is None or there is None:
        return cv2.resize(other.images[index], size)
    by = float((here[3] - here[1]) / (there[3] - there[1]))
    matrix = np.array([[by, 0, 0], [0, by, 0]], np.float32)
    matrix[:, 2] = (here[:2] + here[2:]) / 2 - by * (there[:2] + there[2:]) / 2
    return cv2.warpAffine(other.images[index], matrix, size, borderMode=cv2.BORDER_REPLICATE)


def on_demand(bench: Bench, film: Film, chance: Random, random: np.random.Generator) -> Authentication:
    """Somebody has film of every move, and plays the right one on a screen as soon as it is asked for."""
    head = Head(film.ways, random)
    points = next(each.landmarks for each in film.sights if each.landmarks is not None)
    flat = Flat(Sheet(film.images[0], points), random, moves=False, screen=True)

    def picture(now: float, asked: Move | None) -> Image:
        shown = head.frame(now, asked)
        flat._picture = flat._framed(enlarged(shown.image(film.images), shown.nearer, film.middle, random))
        return flat.image(now, None)

    attempt = bench.attempt(bench.claimed(film.name, film.templates), possible(film, chance))
    return bench.run(attempt, picture)


def somebody_else(bench: Bench, film: Film, name: str, templates: Floats, chance: Random) -> Authentication:
    """A real head answers, and says that it is another."""
    attempt = bench.attempt(bench.claimed(name, templates), possible(film, chance))
    answered(film, attempt, np.random.default_rng(chance.randrange(1 << 30)))
    return outcome(attempt)


FLAT: dict[str, dict[str, bool | float]] = {
    "print held still": {"moves": False},
    "print moved": {},
    "print bent": {"bend": 0.9, "turns": True},
    "print turned": {"turns": True},
    "screen held still": {"moves": False, "screen": True},
    "screen moved": {"screen": True},
    "screen turned": {"screen": True, "turns": True},
}


def flat_attack(
    bench: Bench, species: str, sheets: list[tuple[Sheet, Floats]], number: int, random: np.random.Generator
) -> Authentication:
    """The photograph that is enrolled, printed or on a screen."""
    sheet, template = sheets[number % len(sheets)]
    shape = dict(FLAT.get(species, {"turns": True}))
    if species == "cut-out eyes":
        sheet = cut_out(sheet, sheets[(number + 1) % len(sheets)][0])
    if "bend" in shape:
        shape["bend"] = float(random.uniform(0.7, 2.0))
    flat = Flat(sheet, random, **shape)  # type: ignore[arg-type]
    chance = Random(int(random.integers(1 << 30)))
    return bench.run(bench.attempt(bench.claimed("alice", template[None]), draw(random=chance)), flat.image)


def identity_alone(bench: Bench, people: dict[str, Floats]) -> dict[str, Any]:
    """Everybody says that they are each other person, and everything but the identity is granted to them.

    Args:
        people: the embeddings (n, d) of each one's photographs.
    """
    compared, nearer, matched = 0, 0, []
    for name, templates in people.items():
        claimed = bench.claimed(name, templates)
        for other, faces in people.items():
            if other == name:
                continue
            distances = [claimed.distance(face) for face in faces]
            compared += len(distances)
            nearer += sum(claimed.ratio(each) >= EACH for each in distances)
            matched += [[other, name] for each in distances if each <= claimed.accept]
    told = {"people": len(people), "comparisons": compared, "accepted": len(matched), "pairs": matched}
    told |= {"let_through_in_one_frame": nearer}
    if compared:
        told["upper_95"] = upper_bound(len(matched), compared, 0.95)
    print(f"identity alone: {told}", flush=True)
    return told


def photographed(bench: Bench, folder: Path) -> dict[str, Floats]:
    """The embeddings (n, d) of all people in a folder of folders of photographs."""
    people: dict[str, list[Floats]] = {}
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in (".jpg", ".png")):
        sight = bench.watch.look(Frame(read_photo(path), 0, 0.0, "photo"))
        if sight.embedding is not None:
            people.setdefault(path.parent.name, []).append(sight.embedding)
    return {name: np.stack(faces) for name, faces in people.items()}


def sheets_of(bench: Bench, folder: Path, development: bool, count: int) -> list[tuple[Sheet, Floats]]:
    """Photographs of LFW with one large face, one of each person; every other person is for development."""
    made: list[tuple[Sheet, Floats]] = []
    people = sorted(each for each in folder.iterdir() if each.is_dir())[int(not development) :: 2]
    for person in people[:: max(1, len(people) // (2 * count))]:
        image = read_photo(min(person.iterdir()))
        sight = bench.watch.look(Frame(image, 0, 0.0, "photo"))
        if sight.row is None or sight.embedding is None or sight.landmarks is None:
            continue
        if abs(yaw(sight.landmarks)) < 0.25:
            made.append((Sheet(image, sight.landmarks), sight.embedding))
        if len(made) == count:
            break
    return made


def count(tally: Tally, found: Authentication, details: list[dict[str, object]]) -> None:
    """Count an outcome, and keep what is known of it."""
    tally.add(found)
    details.append(
        {
            "species": tally.species,
            "accepted": found.verdict.accepted,
            "part": found.verdict.part,
            "why": found.verdict.why,
            "measured": found.measured,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path, required=True, help="folder of folders of photographs")
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="one head each, that turns")
    parser.add_argument(
        "--shared", type=Path, help="folder of folders of photographs: all against each other"
    )
    parser.add_argument("--development", action="store_true", help="the half by which thresholds are chosen")
    parser.add_argument("--tries", type=int, default=60, help="of each species")
    parser.add_argument("--replays", type=int, default=600, help="of recorded answers")
    parser.add_argument("--people", type=int, default=40, help="whose photographs are printed")
    parser.add_argument("--only", nargs="*", help="species, by the beginnings of their names")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--details", type=output_file, help="every attempt, for choosing thresholds")
    parser.add_argument("--out", type=output_file, default="runs/authentication.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    bench = Bench(arguments.threads)
    chance, random = Random(arguments.seed), np.random.default_rng(arguments.seed)
    ordered = sorted(arguments.films, key=lambda path: path.name)
    half = ordered[int(not arguments.development) :: 2]
    only = arguments.only
    if only and all(any(each.startswith(begin) for each in (*FLAT, "cut-out eyes")) for begin in only):
        half = []  # photographs alone are asked for
    films = [film for film in (bench.film(path) for path in half) if can_answer(film)]
    # Who claims to be somebody else may be of the other half too: no film of theirs is judged as themselves.
    crossing = half and (not only or any(each in begin for begin in only for each in ("some", "face")))
    rest = [path for path in ordered if path not in half] if crossing else []
    strangers = [film for film in (bench.film(path) for path in rest) if can_answer(film)]
    for film in films:
        moves = {move.name: len(way.frames) for move, way in film.ways.items()}
        print(f"{film.name}: {len(film.images)} frames, moves {moves}", flush=True)
    sheets = sheets_of(bench, arguments.lfw, arguments.development, arguments.people)
    tries, details = range(arguments.tries), list[dict[str, object]]()
    tallies: list[Tally] = []
    others = [(a, b) for a in films for b in (*films, *strangers) if a is not b]
    alone = {}
    if arguments.shared:
        alone["shared people"] = identity_alone(bench, photographed(bench, arguments.shared))
        known = {f"photograph {i}": template[None] for i, (_, template) in enumerate(sheets)}
        alone["photographs"] = identity_alone(bench, known)

    def keep() -> None:
        """Write what is known so far: a run that is stopped has not been for nothing."""
        worst = headline(tallies)
        results = {
            "simulated": True,
            "half": "development" if arguments.development else "reported",
            "films": {film.name: sorted(move.name for move in film.ways) for film in films},
            "photographs": len(sheets),
            "species": [each.as_dict() for each in tallies],
            "worst": None if worst is None else worst.as_dict(),
            "identity_alone": alone,
            "camera": {"frames_per_second": FPS, "height_width": SIZE},
            "settings": {"seed": arguments.seed, "tries": arguments.tries, "replays": arguments.replays},
            "commit": commit(),
            "versions": versions(),
            "machine": machine(),
        }
        arguments.out.write_text(json.dumps(results, indent=2) + "\n")
        if arguments.details:
            arguments.details.write_text(json.dumps(details, indent=1) + "\n")

    def wanted(species: str) -> bool:
        return not arguments.only or any(species.startswith(each) for each in arguments.only)

    def of(run: Callable[..., Authentication | None], number: int) -> Iterator[Authentication | None]:
        return (run(bench, films[i % len(films)], chance, random) for i in range(number) if films)

    runs: dict[str, Iterator[Authentication | None]] = {
        GENUINE: of(genuine_by_landmarks, arguments.replays),
        "replay of a recorded answer": of(replayed, arguments.replays),
    }
    crossed = [(b, a.name, a.templates) for a, b in others]
    crossed += [(a, "a photograph", template[None]) for a in films for _, template in sheets]
    runs["somebody else"] = (somebody_else(bench, *each, chance) for each in crossed)
    runs["genuine, by pixels"] = of(genuine, arguments.tries)
    runs |= {
        species: (flat_attack(bench, species, sheets, i, random) for i in tries)
        for species in (*FLAT, "cut-out eyes")
    }
    swaps = (swapped(bench, *others[i % len(others)], chance, random) for i in tries if others)
    runs["face swapped in the middle"] = swaps
    runs["film on demand on a screen"] = of(on_demand, arguments.tries // 2)
    runs = {species: each for species, each in runs.items() if wanted(species)}
    tallies += [Tally(species) for species in runs]
    rest = list(zip(tallies, runs.values(), strict=True))
    while rest:  # one of each in turn, so that all are tried as often where time runs out
        for tally, outcomes in tuple(rest):
            try:
                found = next(outcomes)
            except StopIteration:
                rest.remove((tally, outcomes))
                print(f"{tally}; {dict(tally.refused_by)}", flush=True)
                keep()
                continue
            if found is not None:
                count(tally, found, details)
        keep()


if __name__ == "__main__":
    main()
