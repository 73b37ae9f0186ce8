"""What may be wrong in a gallery: two people who are one, one who is two, photos of others, poor photos.

Everything is judged by the log-likelihood ratio that the model's calibration gives a distance. Two people are
suspected where that of their nearest photos exceeds the logarithm of the number of pairs of people: among so
many, about one pair comes as near by chance. A photo is suspected where even the nearest other photo of its
person speaks against it.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gallery.gallery import Gallery
from gallery.types import Floats, Ints

Judge = Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]  # from distances to evidence, any shape

NEAREST = 4  # people of each template that are looked at as possibly the same: the person, and three others


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at."""

    kind: Literal["same", "two", "outlier", "poor"]
    people: tuple[str, ...]
    photos: tuple[int, ...]  # of the first person, numbered as `recog gallery show` does
    llr: float | None  # the log-likelihood ratio for one person, natural logarithm
    text: str
    advice: str  # a command


def check(gallery: Gallery, llr: Judge, poor: float) -> list[Finding]:
    """Everything suspicious, the likeliest of each kind first.

    Args:
        llr: what distances of any shape are worth as evidence for one person, uncapped.
        poor: quality below which a photo is poor.

    Raises:
        GalleryError: the gallery cannot be read.
    """
    names = {person.id: person.name for person in gallery.people()}
    ids, owners, embeddings = gallery.embeddings()
    same = sorted(_same(gallery, names, owners, embeddings, llr), key=lambda each: -(each.llr or 0))
    within = [
        finding
        for person in names
        for finding in _within(
            gallery, names[person], ids[owners == person], embeddings[owners == person], llr
        )
    ]
    return [*same, *within, *_poor(gallery, poor)]


def evidence(near: Floats, far: Floats, llr: Judge) -> float:
    """That two sets of embeddings (n, d) and (m, d) are of one person, as one log-likelihood ratio.

    That of the nearest pair of photos: on LFW's people split in two it finds five times as many at no false
    alarm as the median over the pairs does (docs/experiments.md).
    """
    return float(llr(_distances(near, far)).max())


def _same(
    gallery: Gallery,
    names: dict[int, str],
    owners: Ints,
    embeddings: Floats,
    llr: Judge,
) -> Iterator[Finding]:
    if len(names) < 2:
        return
    bound = math.log(len(names) * (len(names) - 1) / 2)
    numbers = {name: number for number, name in names.items()}
    candidates: set[tuple[int, int]] = set()
    for start in range(0, len(owners), 256):
        matches = gallery.search(embeddings[start : start + 256], NEAREST)
        for owner, near in zip(owners[start : start + 256].tolist(), matches.names, strict=True):
            others = {numbers[name] for name in near if name in numbers} - {owner}
            candidates |= {(min(owner, other), max(owner, other)) for other in others}
    for one, other in sorted(candidates):
        found = evidence(embeddings[owners == one], embeddings[owners == other], llr)
        if found > bound:
            first, second = names[one], names[other]
            yield Finding(
                "same", (first, second), (), found,
                f"{first} and {second} look like one person "
                f"(evidence {found:.1f}; {bound:.1f} is met by chance about once)",
                f"if so: recog gallery merge {shlex.quote(first)} {shlex.quote(second)}",
            )  # fmt: skip


def _within(gallery: Gallery, name: str, ids: Ints, embeddings: Floats, llr: Judge) -> Iterator[Finding]:
    """Photos of one person that fall apart: a group of several is another person, a single one a mistake."""
    if len(embeddings) < 2:
        return
    ratios = llr(_distances(embeddings, embeddings))
    groups = _connected(ratios > 0)
    if len(groups) < 2:
        return
    largest = max(groups, key=len)
    shown = {photo: number for number, photo in enumerate(gallery.photos(name), 1)}  # as `show` does
    for group in groups if len(largest) > 1 else [largest]:
        if group is largest and len(group) > 1:
            continue
        rest = np.setdiff1d(np.arange(len(embeddings)), group)
        found = float(ratios[group][:, rest].max())
        numbers = tuple(shown[each] for each in ids[group].tolist() if each in shown)
        photos = ", ".join(map(str, numbers))
        options = " ".join(f"--photo {number}" for number in numbers)
        quoted = shlex.quote(name)
        if len(largest) == 1:
            text = f"no two of the {len(embeddings)} photos of {name} look like one person"
            yield Finding("two", (name,), (), found, text, f"look: recog gallery show {quoted}")
            continue
        kind: Literal["two", "outlier"] = "two" if len(group) > 1 else "outlier"
        what = (
            f"photos {photos} of {name} look like another person than the others"
            if kind == "two"
            else f"photo {photos} of {name} fits none of the others"
        )
        advice = f"look: recog gallery show {quoted}; if so: recog gallery remove {quoted} {options}"
        yield Finding(kind, (name,), numbers, found, f"{what} (evidence {found:.1f})", advice)


def _poor(gallery: Gallery, poor: float) -> Iterator[Finding]:
    for person in gallery.people():
        searched = set(gallery.photos(person.name, aside=False))
        for number, (photo, quality) in enumerate(gallery.qualities(person.name).items(), 1):
            if quality < poor and photo in searched:
                quoted = shlex.quote(person.name)
                yield Finding(
                    "poor", (person.name,), (number,), None,
                    f"photo {number} of {person.name} is poor (quality {quality:.2f}, not {poor:.2f})",
                    f"enroll a better one, then: recog gallery remove {quoted} --photo {number}",
                )  # fmt: skip


def _connected(linked: npt.NDArray[np.bool_]) -> list[list[int]]:
    """The connected parts of a graph (n, n), each ascending."""
    left, parts = set(range(len(linked))), []
    while left:
        part, fresh = set(), {min(left)}
        while fresh:
            part |= fresh
            fresh = set(np.flatnonzero(linked[sorted(fresh)].any(axis=0)).tolist()) - part
        left -= part
        parts.append(sorted(part))
    return parts


def _distances(one: Floats, other: Floats) -> Floats:
    """L1 distances (n, m) of embeddings (n, d) and (m, d)."""
    return np.stack([np.abs(other - row).sum(axis=1) for row in one])
