"""Building the sets of the protocol `wild`: people from whom nobody learns, chosen once and for good.

People with names are parted into those who choose and those who are reported on, by a hash of the name, so
that another folder more changes nobody's side. Left out is whoever, by likeness, may be somebody else of the
sets or of LFW: a person counts by the mean of their embeddings. Film frames of LFW's own people keep the side
that LFW's protocol gives them: only who is held out there can be here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.config import Settings
from pipeline.errors import ConfigError, SinkError, SourceError
from pipeline.faces import quality
from pipeline.faces.align import SIZE
from pipeline.faces.choose import subject
from pipeline.progress import Progress, silent
from pipeline.protocols import Detector
from pipeline.training.data import detector_of_subjects, make_folder
from pipeline.training.labelled import Listing, aligned, listed
from pipeline.training.network import ask, lfw_crops, read_teacher
from pipeline.types import Image
from siamese import wild
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw.split import Split, split
from siamese.metrics import Floats, Ints
from siamese.wild import WildSet

if TYPE_CHECKING:
    from siamese.training.teacher import Teacher

# Cosines of the teachers' embeddings, mean over the teachers. People are compared by their means: by EdgeFace
# three of four people of LFW and film frames of them have 0.57 or more, and nine of ten have 0.40 or less to
# the nearest of all others.
PEOPLE_ALIKE = 0.40  # from here on two people of two sources may be one
NAMES_ALIKE = 0.60  # the same within a source, whose own names say that they are two
FACE_ALIKE = 0.55  # from here on a face without a name may be somebody with one
STRANGERS_ALIKE = 0.50  # and two faces without a name one person
IMAGES = 12  # of each person: whoever has hundreds would be all that counts
TEST_SHARE = 2 / 3  # of the people and of the strangers: figures need more of them than choices
SPARE = 2  # times the strangers wanted are looked at, for many are left out
BORDER = SIZE // 4  # around a crop before the detector looks: it was trained on heads with something around


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many there shall be, at most."""

    people: int = 350  # of each source; its other people may be learned from
    strangers: int = 1200  # to be reported on; two thirds as many choose
    cohort: int = 2700


@dataclass(frozen=True, slots=True)
class _Pool:
    """Faces that may become part of a set. Row i of each field is one face."""

    crops: CropSet
    sources: tuple[str, ...]
    ages: tuple[float, ...]


def build_wild(
    folders: Sequence[Path],
    root: Path,
    out: Path,
    teachers: Sequence[str],
    settings: Settings,
    hold_out: str = "fold:9,10",
    wanted: Wanted | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Build the sets in `out`, and return how that was done and how many they hold.

    Args:
        folders: as `pipeline.training.labelled.listed` reads them; sub-folders of pictures are names.
        root: LFW.
        teachers: embedders that judge who resembles whom, as `read_teacher` reads them.
        hold_out: whose film frames may be part of the sets, as `siamese.lfw.split` reads it.

    Raises:
        ConfigError: no folder, or no teacher.
        SinkError: there are sets in `out` already, or it cannot be written.
        PipelineError, SiameseError: data or models that are missing or damaged, or too few people are left.
    """
    amounts = wanted or Wanted()
    if not folders or not teachers:
        raise ConfigError("give folders of faces, and with --teacher an embedder that says who is alike")
    if (out / wild.DESCRIBED).exists():
        raise SinkError(f"{out}: the sets are there already, built once and for good; choose another --out")
    listings = [listed(folder, by_folder=True) for folder in folders]
    models = [read_teacher(given, settings.runtime.threads) for given in teachers]
    people = split(root, hold_out)
    make_folder(out)
    lfw = lfw_crops(root, settings, progress)
    known = _joined([ask(model, lfw, root / "crops", progress) for model in models])
    work = out / "work"
    pool = _gather(listings, people, set(lfw.people), amounts, work, settings, progress)
    taught = _joined([_embed(model, pool.crops.images, progress) for model in models])
    named, counts = _people(pool, taught, lfw, known)
    strangers = _strangers(pool, taught, named, known)
    counts["faces without a name left out, alike with somebody"] = sum(
        not person for person in pool.crops.people
    ) - len(strangers)
    parts = _parts(pool, named, strangers, people, amounts)
    if missing := [part for part in wild.PARTS[:2] if len(_names(pool, parts[part])) < 2]:
        raise DataError(
            f"too few people are left for {missing[0]}: give more folders of people with several pictures"
        )
    detector = detector_of_subjects(settings)
    try:
        for part in wild.PARTS:
            wild.write(_measured(pool, parts[part], detector, part, progress), out / part)
        described: dict[str, Any] = {
            "held out": hold_out,
            "of LFW": sorted(set(lfw.people) & _names(pool, np.concatenate([*parts.values()]))),
            "folders": [each.folder.name for each in listings],
            "teachers": {model.path.name: model.digest for model in models},
            "sets": {
                part: {"people": len(_names(pool, rows)), "faces": len(rows),
                       "strangers": sum(not pool.crops.people[row] for row in rows)}
                for part, rows in parts.items()
            },
            **counts,
        }  # fmt: skip
        (out / wild.DESCRIBED).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return described


def _gather(
    listings: Sequence[Listing],
    people: Split,
    lfw: set[str],
    wanted: Wanted,
    work: Path,
    settings: Settings,
    progress: Progress,
) -> _Pool:
    """The faces among which is chosen: some people of each source, and strangers."""
    held_out = {*people.test, *people.validation}
    strangers = sorted(
        (_hash(file), number, row)
        for number, each in enumerate(listings)
        for row, (file, person) in enumerate(zip(each.files, each.people, strict=True))
        if not person
    )[: SPARE * (round(wanted.strangers / TEST_SHARE) + wanted.cohort)]
    sets, sources, ages = [], [], []
    for number, each in enumerate(listings):
        rows_of: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row, (source, person) in enumerate(zip(each.sources, each.people, strict=True)):
            if person and (person not in lfw or person in held_out):
                rows_of[source, person].append(row)
        of_source: Counter[str] = Counter()
        chosen = [row for _, other, row in strangers if other == number]
        for source, person in sorted(rows_of, key=lambda key: _hash(key[1])):
            theirs = sorted(rows_of[source, person], key=lambda row: _hash(each.files[row]))[:IMAGES]
            of_source[source] += len(theirs) > 1
            if len(theirs) > 1 and of_source[source] <= wanted.people:
                chosen += theirs
        rows = np.sort(np.array(chosen, np.int64))
        if not len(rows):
            raise SourceError(f"{each.folder}: nobody in it has two pictures, and nobody is without a name")
        found = aligned(each, rows, work / str(number), settings, progress=progress)
        seen = np.flatnonzero(found.found)
        sets.append(found.rows(seen))
        sources += [each.sources[row] for row in rows[seen]]
        ages += [each.ages[row] for row in rows[seen]]
    together = CropSet(
        np.concatenate([each.images for each in sets]),
        tuple(f"{number}/{file}" for number, each in enumerate(sets) for file in each.files),
        tuple(person for each in sets for person in each.people),
        np.ones(len(sources), np.bool_),
        "; ".join(dict.fromkeys(each.alignment for each in sets)),
    )
    return _Pool(together, tuple(sources), tuple(ages))


def _people(
    pool: _Pool, taught: Floats, lfw: CropSet, known: Floats
) -> tuple[dict[str, Ints], dict[str, int]]:
    """The rows of everybody who is nobody else, and how many were left out and why."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, person in enumerate(pool.crops.people):
        if person:
            rows_of[person].append(row)
    kept = {person: np.array(rows, np.int64) for person, rows in rows_of.items() if len(rows) > 1}
    names = sorted(kept, key=lambda person: (-len(kept[person]), person))
    if not names:
        raise DataError("nobody in these folders has two pictures in which a face is found")
    means = _means(taught, [kept[person] for person in names])
    in_lfw = _means(known, _rows_by_name(lfw.people))
    own, alike = set(lfw.people), 0
    left: list[int] = []
    for place, person in enumerate(names):
        if person not in own and (means[place] @ in_lfw.T).max() >= PEOPLE_ALIKE:
            alike += 1
            continue
        source = pool.sources[kept[person][0]]
        limits = [
            NAMES_ALIKE if pool.sources[kept[names[other]][0]] == source else PEOPLE_ALIKE for other in left
        ]
        if not left or (means[left] @ means[place] < limits).all():
            left.append(place)
    counts = {
        "people left out, alike with somebody of LFW": alike,
        "people left out, alike with another": len(names) - alike - len(left),
    }
    return {names[place]: kept[names[place]] for place in left}, counts


def _strangers(pool: _Pool, taught: Floats, named: dict[str, Ints], known: Floats) -> Ints:
    """The rows of faces without a name that are alike with nobody: of LFW, named, or of their own kind."""
    rows = np.array([row for row, person in enumerate(pool.crops.people) if not person], np.int64)
    others = np.concatenate([known, *(taught[theirs] for theirs in named.values())])
    near = np.array([(others @ taught[row]).max() for row in rows], np.float32)
    left: list[int] = []
    for row in rows[near < FACE_ALIKE]:
        if not left or (taught[left] @ taught[row]).max() < STRANGERS_ALIKE:
            left.append(int(row))
    return np.array(left, np.int64)


def _parts(
    pool: _Pool, named: dict[str, Ints], strangers: Ints, people: Split, wanted: Wanted
) -> dict[str, Ints]:
    """The rows of each set."""
    rows: dict[str, list[int]] = {part: [] for part in wild.PARTS}
    test, validation = set(people.test), set(people.validation)
    for person, theirs in named.items():
        reported = person in test or (person not in validation and _share(person) < TEST_SHARE)
        rows["test" if reported else "validation"] += theirs.tolist()
    order = sorted(strangers.tolist(), key=lambda row: _hash(pool.crops.files[row]))
    amounts = np.array([wanted.strangers * (1 / TEST_SHARE - 1), wanted.strangers, wanted.cohort])
    # Where there are fewer than wanted, every set gets its share of them.
    ends = np.cumsum(amounts * min(1.0, len(order) / max(amounts.sum(), 1))).astype(int)
    for part, first, last in zip(wild.PARTS, [0, *ends[:-1]], ends, strict=True):
        rows[part] += order[first:last]
    return {part: np.sort(np.array(theirs, np.int64)) for part, theirs in rows.items()}


def _measured(pool: _Pool, rows: Ints, detector: Detector, part: str, progress: Progress) -> WildSet:
    """These faces, with what they are like."""
    chosen = pool.crops.rows(rows)
    turns, sharpness = [], []
    for number, crop in enumerate(chosen.images):
        turns.append(turn_of(crop, detector))
        sharpness.append(quality.sharpness(crop))
        progress(f"measuring the faces of {part}", number + 1, len(rows))
    return WildSet(
        chosen,
        tuple(pool.sources[row] for row in rows),
        np.array(turns, np.float32),
        np.array(sharpness, np.float32),
        np.array([pool.ages[row] for row in rows], np.float32),
    )


def turn_of(crop: Image, detector: Detector) -> float:
    """How far the head in an aligned crop is turned, 0 to 1; NaN where the detector finds no face in it."""
    framed = cv2.copyMakeBorder(crop, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE).astype(np.uint8)
    found = detector.detect(framed)
    if not len(found):
        return float("nan")
    return float(quality.turn(found.landmarks[[subject(found, framed)]])[0])


def _names(pool: _Pool, rows: Ints) -> set[str]:
    return {pool.crops.people[row] for row in rows} - {""}


def _embed(teacher: Teacher, images: Image, progress: Progress) -> Floats:
    parts = []
    for start in range(0, len(images), 64):
        parts.append(teacher.embed(np.asarray(images[start : start + 64])))
        progress(f"asking {teacher.path.name}", min(start + 64, len(images)), len(images))
    return np.concatenate(parts)


def _joined(taught: Sequence[Floats]) -> Floats:
    """Vectors whose products are the mean of the teachers' cosines."""
    return np.concatenate(taught, axis=1) / np.float32(len(taught) ** 0.5)


def _means(taught: Floats, groups: Sequence[Ints]) -> Floats:
    """The mean of each group of rows, of length one, (g, d)."""
    means = np.stack([taught[rows].mean(axis=0) for rows in groups])
    scaled: Floats = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return scaled


def _rows_by_name(people: Sequence[str]) -> list[Ints]:
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, person in enumerate(people):
        rows_of[person].append(row)
    return [np.array(rows, np.int64) for rows in rows_of.values()]


def _hash(text: str) -> str:
    """An order by chance that is the same everywhere."""
    return hashlib.sha256(f"wild {text}".encode()).hexdigest()


def _share(name: str) -> float:
    """Where a name lies between 0 and 1, by its hash alone."""
    return int(_hash(name)[:8], 16) / 2**32
