"""Calibrating a gallery: strangers against everybody enrolled, and everybody against themselves."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery import Gallery, GalleryError
from gallery.calibration import (
    TooFewError,
    choose_threshold,
    offsets,
    stranger_scores,
    strangers_needed,
    to_people,
)
from gallery.pooled import pool
from pipeline.faces.groups import groups
from pipeline.identity.guarantee import KEY, Guarantee, Kind, lapsed, stored
from pipeline.types import Bools, Floats, Ints
from pipeline.words import counted_people
from siamese.calibration import Calibration
from siamese.cohort import Cohort, Kinds

YOURS = "yours"  # the kind of the user's own strangers
STRANGERS = "strangers"  # key of the note that keeps the embeddings of the user's own strangers
GENUINE_MOST = 5_000  # photos tried against their person's others
CLOSE_MOST = 20  # pairs of people in the report
BATCH = 512  # photos searched for at once


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two people so alike that a photo of the first is within the threshold of the second."""

    first: str
    second: str
    distance: float  # shifted, of the nearest photo of the first to the second


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration and what it was made from."""

    guarantee: Guarantee
    overlaps: tuple[Overlap, ...]  # the closest, closest first
    strangers: Floats  # (n,) shifted distance of each to the nearest person
    genuine: Floats  # (g,) shifted distance of each photo to the person's others

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The strangers by kind, those named most often first."""
        return self.guarantee.kinds


def calibrate(
    gallery: Gallery,
    cohort: Floats,
    own: Floats,
    target: float,
    copy: float = 0.0,
    normalise: bool = False,
    kinds: Kinds | None = None,
) -> Calibrated:
    """The calibration of a gallery as it is now; stores nothing.

    Args:
        cohort: (n, d) one face each of people the model never saw.
        own: (s, d) one face each of the user's own strangers.
        target: share of strangers who may be given a name.
        copy: distance up to which two embeddings are of one photograph. Whoever of the strangers is enrolled
            with the very same photograph is none, and is left out; no other stranger comes as near.
        normalise: shift everybody's distances by how near strangers come to them.
        kinds: (n,) what each of the cohort is, to be counted by; the user's own are a kind, too.

    Raises:
        GalleryError: nobody is enrolled, or there are too few strangers for the claim (`TooFewError`).
    """
    newest = gallery.newest()  # first: who is enrolled meanwhile counts as changed since
    _, ids, embeddings = gallery.embeddings()
    if not len(ids):
        raise GalleryError(f"nobody is enrolled in {gallery.path}; enroll people first: recog enroll")
    people, owners = np.unique(ids, return_inverse=True)
    names = {person.id: person.name for person in gallery.people()}
    strangers = np.concatenate([cohort, own])
    unknown = np.full(len(cohort), "")
    labels = np.concatenate([unknown if kinds is None else kinds, np.full(len(own), YOURS)])
    others = gallery.search(strangers, 1).distances[:, 0] > copy
    strangers, labels = strangers[others], labels[others]
    distances = to_people(strangers, embeddings, owners.astype(np.int64), len(people))
    if not len(distances):
        raise TooFewError(target, 0, strangers_needed(target))
    scores = stranger_scores(distances) if normalise else distances.min(axis=1)
    threshold = choose_threshold(scores, target)
    shifts = offsets(distances).astype(np.float32) if normalise else np.zeros(len(people), np.float32)
    ordered = [names[int(person)] for person in people]
    by_name = dict(zip(ordered, shifts.tolist(), strict=True))
    genuine, recognised, overlaps = _among_themselves(
        gallery, embeddings, owners.astype(np.int64), shifts, threshold.distance, by_name, ordered
    )  # fmt: skip
    return Calibrated(
        Guarantee(
            target, threshold.confidence, threshold.distance, threshold.bound, threshold.strangers,
            threshold.named, len(people), int(recognised.sum()), len(recognised), normalise,
            by_name if normalise else {}, newest, _by_kind(labels, np.asarray(scores <= threshold.distance)),
        ),
        overlaps, scores.astype(np.float32), genuine,
    )  # fmt: skip


def _by_kind(labels: Kinds, named: Bools) -> tuple[Kind, ...]:
    """How many of each kind were tried and named; those of whom nobody knows what they are left out."""
    counted = [
        Kind(str(name), int((labels == name).sum()), int(named[labels == name].sum()))
        for name in np.unique(labels)
        if name
    ]
    return tuple(sorted(counted, key=lambda kind: (-kind.named / kind.tried, kind.name)))


def _among_themselves(
    gallery: Gallery,
    embeddings: Floats,
    owners: Ints,
    shifts: Floats,
    threshold: float,
    by_name: dict[str, float],
    names: Sequence[str],
) -> tuple[Floats, Bools, tuple[Overlap, ...]]:
    """Each photo against the rest: distances to all others of the person, recognised, and overlaps."""
    rows = np.arange(len(owners))
    if len(rows) > GENUINE_MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, GENUINE_MOST, replace=False))
    order = np.argsort(owners, kind="stable")
    bounds = np.searchsorted(owners[order], np.arange(len(names) + 1))
    genuine, recognised = [], []
    closest: dict[tuple[str, str], float] = {}
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        matches = gallery.search(embeddings[part], 3, pooled=True)  # themselves and two others
        for row, found, near in zip(part, matches.names, matches.distances, strict=True):
            owner = owners[row]
            others = [(float(d) + by_name.get(n, 0.0), n) for n, d in zip(found, near, strict=False)]
            other = min((each for each in others if each[1] != names[owner]), default=(np.inf, ""))
            if other[0] <= threshold:
                pair = (names[owner], other[1])
                closest[pair] = min(closest.get(pair, np.inf), other[0])
            theirs = order[bounds[owner] : bounds[owner + 1]]
            theirs = theirs[theirs != row]
            if len(theirs):
                apart = np.abs(pool(embeddings[theirs]) - embeddings[row]).sum() + shifts[owner]
                genuine.append(apart)
                recognised.append(apart <= threshold and apart < other[0])
    ranked = sorted((distance, *pair) for pair, distance in closest.items())[:CLOSE_MOST]
    overlaps = tuple(Overlap(first, second, distance) for distance, first, second in ranked)
    return np.array(genuine, np.float32), np.array(recognised, np.bool_), overlaps


def keep(gallery: Gallery, made: Guarantee, own: Floats, undoable: bool) -> None:
    """Store a calibration in the gallery, with the embeddings of the user's strangers, to do it again by."""
    note = made.as_dict() | {"fingerprint": gallery.fingerprint}
    gallery.set_note(KEY, note, dict(made.offsets), undoable)
    _keep_strangers(gallery, own)


def _keep_strangers(gallery: Gallery, faces: Floats) -> None:
    packed = base64.b64encode(faces.astype("<f4").tobytes()).decode() if len(faces) else None
    gallery.set_note(STRANGERS, packed, undoable=False)


def calibrate_again(gallery: Gallery, cohort: Cohort, copy: float = 0.0) -> Guarantee | None:
    """Do the gallery's last calibration again for those enrolled now; None if there was none.

    Raises:
        GalleryError: as `calibrate`, or the gallery cannot be written.
    """
    last = stored(gallery)
    if last is None:
        return None
    own = own_strangers(gallery)
    known, kinds = cohort.one_each, cohort.kinds_each
    made = calibrate(gallery, known, own, last.target, copy, last.normalised, kinds).guarantee
    keep(gallery, made, own, undoable=False)
    return made


def renew(gallery: Gallery, cohort: Cohort | None, copy: float) -> str:
    """Do a calibration again that the gallery has outgrown; what was done, in a line, "" if nothing.

    Args:
        cohort: the strangers that ship with the model, if there are any.

    Raises:
        GalleryError: the gallery cannot be written.
    """
    why = lapsed(gallery)
    if why is None or cohort is None:
        return why or ""
    try:
        made = calibrate_again(gallery, cohort, copy)
    except TooFewError as error:
        return f"{why} ({error})"
    return "" if made is None else f"calibrated again for {counted_people(made.people)}: {made}"


def add_strangers(gallery: Gallery, faces: Sequence[Floats], calibration: Calibration) -> int:
    """Keep faces (d,) of people who are not enrolled, beside the user's strangers; how many those are now.

    One of each person: who is counted twice proves nothing more. The next calibration takes them in.
    """
    both = np.concatenate([own_strangers(gallery), *(face[None].astype(np.float32) for face in faces)])
    _, first = np.unique(groups(both, calibration.distance(0.0)), return_index=True)
    kept = both[np.sort(first)]
    _keep_strangers(gallery, kept)
    return len(kept)


def own_strangers(gallery: Gallery) -> Floats:
    """The embeddings (s, d) of the user's strangers, which the next calibration is made with."""
    packed = gallery.note(STRANGERS)
    if not isinstance(packed, str):
        return np.zeros((0, gallery.dimension), np.float32)
    return np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, gallery.dimension).astype(np.float32)
