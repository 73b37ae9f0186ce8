"""Each species of presentation: genuine answers, and the attacks, each judged as `recog auth` does.

Each draws from its own seed: one can be run again by itself, and their order says nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import cv2
import numpy as np
from attacks import Flat, Sheet, cut_out
from camera import FPS
from films import Bench, Film, outcome, possible
from heads import Head, Shown, about, enlarged, tilted

from pipeline.authentication.attempt import Attempt
from pipeline.authentication.report import GENUINE
from pipeline.authentication.session import Authentication
from pipeline.authentication.watch import Sight
from pipeline.liveness.challenge import SIDES, Move, draw
from pipeline.types import Detections, Floats, Image

FLAT: dict[str, dict[str, bool | float]] = {
    "print held still": {"moves": False},
    "print moved": {},
    "print bent": {"bend": 0.9, "turns": True},
    "print bent aslant": {"bend": 0.9, "axis": 0.0, "turns": True},
    "print turned": {"turns": True},
    "screen held still": {"moves": False, "screen": True},
    "screen moved": {"screen": True},
    "screen turned": {"screen": True, "turns": True},
    "cut-out eyes": {"turns": True},
}
PIXELS = f"{GENUINE}, by pixels"
REPLAY, ELSE, SWAP = "replay of a recorded answer", "somebody else", "face swapped in the middle"
DEMAND = "film on demand on a screen"
QUICK = (GENUINE, REPLAY, ELSE)  # judged by what was seen in the films, not by pixels
SPECIES = (GENUINE, PIXELS, REPLAY, ELSE, *FLAT, SWAP, DEMAND)
SHOWN = 0.8  # of a tilt, by the landmarks of `face-n`
RECORDED = 5  # answers of which one must be accepted to be replayed
SWAPPED = 0.0, 1.2  # seconds after the first answer at which a face is swapped, from ... to


@dataclass(frozen=True, slots=True)
class Material:
    """What presentations are made of."""

    films: list[Film]  # whose people are presented, and who say that they are each other
    sheets: list[tuple[Sheet, Floats]]  # photographs of other people, with their embeddings (d,)


def present(bench: Bench, material: Material, species: str, number: int, seed: int) -> Authentication | None:
    """One presentation of a species; None where there is nothing to make it of."""
    chance = Random(f"{seed} {species} {number}")
    random = np.random.default_rng([seed, zlib.crc32(species.encode()), number])
    if species in FLAT:
        return flat_attack(bench, species, material.sheets, number, random)
    if not material.films:
        return None
    film = material.films[number % len(material.films)]
    if species == ELSE:
        return somebody_else(bench, material, number, chance, random)
    if species == SWAP:
        return swapped(bench, material, film, number // len(material.films), chance, random)
    runs: dict[str, Callable[..., Authentication | None]] = {
        GENUINE: genuine_by_landmarks,
        PIXELS: genuine,
        REPLAY: replayed,
        DEMAND: on_demand,
    }
    return runs[species](bench, film, chance, random)


def genuine(bench: Bench, film: Film, chance: Random, random: np.random.Generator) -> Authentication:
    head = Head(film.ways, random)

    def picture(now: float, asked: Move | None) -> Image:
        shown = head.frame(now, asked)
        return as_shown(film, shown, shown.image(film.images), random)

    return bench.run(_asked(bench, film, [film], chance), picture)


def as_shown(film: Film, shown: Shown, image: Image, random: np.random.Generator) -> Image:
    """A frame of the film with the head tilted and nearer, as a camera sees it."""
    if shown.tilt:
        image = tilted(image, shown.tilt, film.chin, film.height)
    return enlarged(image, shown.nearer, film.middle, random)


def genuine_by_landmarks(
    bench: Bench, film: Film, chance: Random, random: np.random.Generator
) -> Authentication:
    """The same by what was seen in the film's frames: without cuts and cues, and a hundred times as fast."""
    attempt = _asked(bench, film, [film], chance)
    answered(film, attempt, random)
    return outcome(attempt)


def answered(film: Film, attempt: Attempt, random: np.random.Generator) -> list[Shown]:
    """Have the film's head answer; return what was shown, frame by frame."""
    head, record, index = Head(film.ways, random), list[Shown](), 0
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
    for _ in range(RECORDED):
        first = _asked(bench, film, [film], chance)
        record = answered(film, first, random)
        if outcome(first).verdict.accepted:
            break
    else:
        return None
    claimed = bench.claimed(film.name, film.templates)
    other = bench.attempt(claimed, draw(random=chance))  # any, whether or not the film could answer it
    late = int(random.uniform(0, 1) * FPS)
    index = 0
    while not other.ended:
        place = min(max(0, index - late), len(record) - 1)
        other.take(seen_again(film, record[place], index / FPS, index, random), cut=False)
        index += 1
    return outcome(other)


def seen_again(film: Film, shown: Shown, now: float, number: int, random: np.random.Generator) -> Sight:
    """What was seen in a frame, enlarged, with landmarks as noisy as a detector's.

    Where the head goes from one place of the film to another, or tilts, its box and landmarks go with it.
    """
    sight, by = film.sights[shown.frame], shown.nearer
    found = sight.found
    if sight.row is not None:
        found = _on_the_way(found, sight.row, film.sights[shown.before], shown.share)
        found = _tilted(found, sight.row, film.chin, shown.tilt)
    points = film.middle + (found.landmarks - film.middle) * np.float32(by)
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)[:, None, None]
    points = points + (random.normal(0, 0.006, points.shape) * eyes).astype(np.float32)
    middle = np.tile(film.middle, 2)
    boxes = middle + (found.boxes - middle) * np.float32(by)
    moved = replace(found, boxes=boxes.astype(np.float32), landmarks=points.astype(np.float32))
    return replace(sight, seconds=now, digest=number.to_bytes(8, "big"), found=moved, cues=None)


def _on_the_way(found: Detections, row: int, before: Sight, share: float) -> Detections:
    """With the face `share` of the way from where it was before to where it is."""
    if share == 1 or before.box is None or before.landmarks is None:
        return found
    boxes, points = found.boxes.copy(), found.landmarks.copy()
    boxes[row] += (1 - share) * (before.box - boxes[row])
    points[row] += (1 - share) * (before.landmarks - points[row])
    return replace(found, boxes=boxes, landmarks=points)


def _tilted(found: Detections, row: int, chin: Floats, degrees: float) -> Detections:
    """With the face tilted about the chin, as far as landmarks show it."""
    if not degrees:
        return found
    boxes, points = found.boxes.copy(), found.landmarks.copy()
    points[row] = about(chin, SHOWN * degrees, points[row])
    corners = boxes[row].reshape(2, 2)
    moved_by = about(chin, degrees, corners.mean(axis=0)) - corners.mean(axis=0)
    boxes[row] = (corners + moved_by).ravel()
    return replace(found, boxes=boxes, landmarks=points)


def somebody_else(
    bench: Bench, material: Material, number: int, chance: Random, random: np.random.Generator
) -> Authentication | None:
    """A real head answers, and says that it is another: of a film, or of a photograph."""
    known = [(film.name, film.templates) for film in material.films]
    known += [(f"photograph {place}", template[None]) for place, (_, template) in enumerate(material.sheets)]
    pairs = [(film, *each) for each in known for film in material.films if film.name != each[0]]
    if number >= len(pairs):
        return None
    film, name, templates = pairs[number]
    challenge = possible([film], chance)
    if challenge is None:
        return None
    attempt = bench.attempt(bench.claimed(name, templates), challenge)
    answered(film, attempt, random)
    return outcome(attempt)


def swapped(
    bench: Bench, material: Material, film: Film, number: int, chance: Random, random: np.random.Generator
) -> Authentication | None:
    """After the first move the face of somebody else is put over the person's, where it is and as large.

    Of every two one is a photograph, which looks ahead; the other is a film whose head does what is asked.
    """
    rest = [each for each in material.films if each.name != film.name]
    others = [each for each in rest if set(each.ways) & set(film.ways) & SIDES]
    still = number % 2 == 1 or not others
    other = None if still else others[number // 2 % len(others)]
    sheet = material.sheets[chance.randrange(len(material.sheets))][0]
    challenge = possible([film] if other is None else [film, other], chance)
    if challenge is None:
        return None
    attempt = bench.attempt(bench.claimed(film.name, film.templates), challenge)
    mine, since = Head(film.ways, random), float("inf")
    theirs = None if other is None else Head(other.ways, random)
    late = chance.uniform(*SWAPPED)

    def picture(now: float, asked: Move | None) -> Image:
        nonlocal since
        if attempt.steps[0] and not np.isfinite(since):
            since = now + late
        shown = mine.frame(now, asked)
        image, face = shown.image(film.images), film.sights[shown.frame].box
        put = None if other is None or theirs is None else (other, theirs.frame(now, asked))
        if now >= since and face is not None:
            if put is None:
                image = over(image, face, sheet.picture, box_of(sheet))
            else:
                box = put[0].sights[put[1].frame].box
                image = image if box is None else over(image, face, put[1].image(put[0].images), box)
        return as_shown(film, shown, image, random)

    found = bench.run(attempt, picture)
    return found if attempt.seconds >= since else None  # else nobody was swapped


def box_of(sheet: Sheet) -> Floats:
    """The box (4,) that a detector draws around the face of a photograph, from its landmarks."""
    unit = float(np.linalg.norm(sheet.landmarks[1] - sheet.landmarks[0]))
    x, y = sheet.landmarks[2]
    return np.array([x - 1.15 * unit, y - 1.6 * unit, x + 1.15 * unit, y + 1.35 * unit], np.float32)


def over(image: Image, face: Floats, theirs: Image, box: Floats) -> Image:
    """An image with a face put over another one, as large, with soft edges.

    Args:
        face, box: (4,) of the face that is covered, and of the one that covers it.
    """
    by = float((face[3] - face[1]) / (box[3] - box[1]))
    middle = (face[:2] + face[2:]) / 2
    matrix = np.array([[by, 0, 0], [0, by, 0]], np.float32)
    matrix[:, 2] = middle - by * (box[:2] + box[2:]) / 2
    placed = cv2.warpAffine(theirs, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(image.shape[:2], np.float32)
    axes = (round(0.6 * float(face[2] - face[0])), round(0.62 * float(face[3] - face[1])))
    cv2.ellipse(mask, (round(float(middle[0])), round(float(middle[1]))), axes, 0, 0, 360, 1.0, cv2.FILLED)
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.08 * axes[0]))[..., None]
    return np.asarray(np.round(mask * placed + (1 - mask) * image), np.uint8)


def on_demand(bench: Bench, film: Film, chance: Random, random: np.random.Generator) -> Authentication:
    """Somebody has film of every move, and plays the right one on a screen as soon as it is asked for."""
    head = Head(film.ways, random)
    first = next(iter(film.ways.values())).frames[0]
    points = film.sights[first].landmarks
    assert points is not None
    flat = Flat(Sheet(film.images[first], points), random, moves=False, screen=True)

    def picture(now: float, asked: Move | None) -> Image:
        shown = head.frame(now, asked)
        flat._picture = flat._framed(as_shown(film, shown, shown.image(film.images), random))
        return flat.image(now, None)

    return bench.run(_asked(bench, film, [film], chance), picture)


def flat_attack(
    bench: Bench, species: str, sheets: list[tuple[Sheet, Floats]], number: int, random: np.random.Generator
) -> Authentication:
    """The photograph that is enrolled, printed or on a screen."""
    sheet, template = sheets[number % len(sheets)]
    shape = dict(FLAT[species])
    if species == "cut-out eyes":
        sheet = cut_out(sheet, sheets[(number + 1) % len(sheets)][0])
    if "bend" in shape:
        shape["bend"] = float(random.uniform(0.7, 2.0))
    if "axis" in shape:
        shape["axis"] = float(random.uniform(-90, 90))
    flat = Flat(sheet, random, **shape)  # type: ignore[arg-type]
    chance = Random(int(random.integers(1 << 30)))
    return bench.run(bench.attempt(bench.claimed("alice", template[None]), draw(random=chance)), flat.image)


def _asked(bench: Bench, film: Film, able: list[Film], chance: Random) -> Attempt:
    """An attempt to be the film's person, of moves that these films have."""
    challenge = possible(able, chance)
    assert challenge is not None
    return bench.attempt(bench.claimed(film.name, film.templates), challenge)
