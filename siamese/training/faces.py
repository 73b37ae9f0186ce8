"""What the network learns from: crops, people where known, and what teachers think of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from siamese.crops import CropSet
from siamese.training.teacher import Floats

# Mean cosine over the teachers from which a face without a name may be somebody who is held out. Of 10,000
# faces, 4 % have a held-out face as near as this, 0.7 % one as near as 0.45: it leaves out more than it must.
RESEMBLES = 0.40
# The same for sets of the protocol `wild`: there are many more faces in them, some of snapshots that all look
# alike to a teacher; and of a stranger there is one face only.
ASIDE, STRANGER = 0.45, 0.55


Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Crops(Protocol):
    """Crops (n, 112, 112, 3) BGR, of which rows can be had: an array, or several mapped from files."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Ints, /) -> Bytes: ...


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows of several crop sets one after the other, left in their files until they are asked for."""

    parts: tuple[tuple[Bytes, Ints], ...]  # all crops of a set, and which of them

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.parts)

    def __getitem__(self, rows: Ints) -> Bytes:
        wanted = np.asarray(rows)
        found, first = np.empty((len(wanted), *self.parts[0][0].shape[1:]), np.uint8), 0
        for images, own in self.parts:
            here = np.flatnonzero((wanted >= first) & (wanted < first + len(own)))
            found[here] = images[own[wanted[here] - first]]
            first += len(own)
        return found


@dataclass(frozen=True, slots=True)
class Faces:
    """What is learned from. Row i of each field is one face."""

    images: Crops
    labels: npt.NDArray[np.int64]  # (n,) -1 where the person is not known
    targets: list[npt.NDArray[np.float32]] = field(default_factory=list)  # per teacher (n, d_t), unit rows
    weights: tuple[float, ...] = ()  # of the teachers; none: all the same


@dataclass(frozen=True, slots=True)
class Taught:
    """A crop set, and what each teacher says of its faces."""

    crops: CropSet
    targets: tuple[Floats, ...] = ()  # per teacher (n, d_t), unit rows


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the extra faces."""

    learned: int
    named: int  # of these, with a name that counts
    resembling: int  # left out
    doubtful: int  # people whose name does not count, for they may be somebody of another set


def assemble(
    lfw: Taught,
    fit: Sequence[str],
    extra: Sequence[Taught] = (),
    aside: Sequence[Taught] = (),
    weights: tuple[float, ...] = (),
) -> tuple[Faces, Counts]:
    """The training faces: the images of the `fit` people of LFW, and extra faces, with names where known.

    Extra faces may show people who are held out for validation or test. Those that teachers find to resemble
    any held-out image are left out, and a person of whom a quarter of the images or more do is left out
    whole, so that "never saw these people" stays true. A name of LFW means that person, and is left out or
    learned from as such. Whoever resembles a person of another set keeps their faces and loses their name:
    two names of one person would teach the head that they are two.

    Args:
        extra: sets of further faces; each with as many teachers' words as `lfw`.
        aside: sets of faces whose people are not to be learned from; those without a name are strangers.
        weights: how much each teacher counts.
    """
    wanted = set(fit)
    inside = np.array([person in wanted for person in lfw.crops.people], np.bool_)
    own = np.flatnonzero(inside)
    numbers = {person: number for number, person in enumerate(sorted(wanted & set(lfw.crops.people)))}
    held_out = [(_joined(lfw.targets, ~inside), RESEMBLES)]
    for each in aside:
        named = np.array([bool(person) for person in each.crops.people], np.bool_)
        held_out += [(_joined(each.targets, named), ASIDE), (_joined(each.targets, ~named), STRANGER)]
    foreign = set(lfw.crops.people) - wanted
    known = [_people(lfw, own)]  # by set: the people learned from so far
    parts: list[tuple[Bytes, Ints]] = [(lfw.crops.images, own)]
    labels = [np.array([numbers[lfw.crops.people[row]] for row in own], np.int64)]
    targets = [[target[own]] for target in lfw.targets]
    resembling = doubtful = 0
    for each in extra:
        keep = _kept(each, foreign, held_out)
        resembling += len(each.crops) - len(keep)
        people = _people(each, keep)
        doubted = _doubted(people, known)
        doubtful += len(doubted)
        known.append({name: mean for name, mean in people.items() if name not in doubted})
        for name in sorted(known[-1]):
            numbers.setdefault(name, len(numbers))
        names = [each.crops.people[row] for row in keep]
        labels.append(np.array([-1 if n in doubted else numbers.get(n, -1) for n in names], np.int64))
        parts.append((each.crops.images, keep))
        for gathered, more in zip(targets, each.targets, strict=True):
            gathered.append(more[keep])
    learned = [number for part in labels[1:] for number in part.tolist()]
    counts = Counts(len(learned), sum(number >= 0 for number in learned), resembling, doubtful)
    joined = [np.concatenate(gathered) for gathered in targets]
    return Faces(Joined(tuple(parts)), np.concatenate(labels), joined, weights), counts


def _kept(extra: Taught, foreign: set[str], held_out: Sequence[tuple[Floats, float]]) -> Ints:
    """The rows of a set that may be learned from."""
    people = extra.crops.people
    out = np.array([person in foreign for person in people], np.bool_)
    vectors = _joined(extra.targets, slice(None))
    for start in range(0, len(people) if extra.targets else 0, 1024):  # not the whole matrix at once
        rows = slice(start, start + 1024)
        for theirs, limit in held_out:
            if len(theirs):
                out[rows] |= (vectors[rows] @ theirs.T).max(axis=1) >= limit
    share: dict[str, list[bool]] = {}
    for person, left in zip(people, out, strict=True):
        share.setdefault(person, []).append(bool(left))
    whole = {person for person, left in share.items() if person and 4 * sum(left) >= len(left) and any(left)}
    return np.flatnonzero(~out & ~np.array([person in whole for person in people], np.bool_))


def _people(taught: Taught, rows: Ints) -> dict[str, Floats]:
    """The mean of each person's embeddings, of length one; empty where there is no teacher."""
    rows_of: dict[str, list[int]] = {}
    for row in rows:
        if person := taught.crops.people[row]:
            rows_of.setdefault(person, []).append(int(row))
    if not taught.targets:
        return {}
    means = {name: _joined(taught.targets, np.array(own)).mean(axis=0) for name, own in rows_of.items()}
    return {
        name: (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
        for name, mean in means.items()
    }


def _doubted(people: dict[str, Floats], known: Sequence[dict[str, Floats]]) -> set[str]:
    """Whose who may be somebody of another set under another name."""
    doubted: set[str] = set()
    fresh = {name: mean for name, mean in people.items() if not any(name in each for each in known)}
    for each in known:
        if each and fresh:
            alike = np.stack(list(fresh.values())) @ np.stack(list(each.values())).T
            doubted |= {
                name for name, near in zip(fresh, alike.max(axis=1), strict=True) if near >= RESEMBLES
            }
    return doubted


def _joined(targets: Sequence[Floats], rows: Any) -> Floats:
    """Vectors whose products are the mean of the teachers' cosines, of some rows; none without teachers."""
    if not targets:
        return np.zeros((0, 1), np.float32)
    joined: Floats = np.concatenate([target[rows] for target in targets], axis=1)
    return np.asarray(joined / len(targets) ** 0.5, np.float32)
