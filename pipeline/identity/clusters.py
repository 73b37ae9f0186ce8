"""Faces of nobody enrolled, put together by who they are of, in groups that keep their names as they grow.

Groups are joined while the log-likelihood ratio between their members is, on average, at least `JOINED`
(average linkage). The ratio falls in a straight line with the distance, so that is a mean distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from gallery.distances import l1
from pipeline.faces.groups import groups
from pipeline.types import Bools, Floats, Ints
from siamese.calibration import Calibration

# Chosen on one half of LFW's held-out people, reported on the other: docs/review.md.
JOINED = 5.0


def clusters(faces: Floats, calibration: Calibration, joined: float = JOINED) -> Ints:
    """A number for each of n faces (n, d), the same for those of one person; 0 for the largest group.

    Args:
        faces: each the pooled looks at one track.
        joined: mean log-likelihood ratio, natural logarithm, from which two groups are one.
    """
    return groups(faces, calibration.distance(joined))


def belongs(faces: Floats, members: Floats, calibration: Calibration, joined: float = JOINED) -> Bools:
    """Which of n faces (n, d) would be put to a group with these members (m, d), m > 0; (n,)."""
    return np.asarray(l1(faces, members).mean(axis=1) <= calibration.distance(joined))


def in_words(joined: float = JOINED) -> str:
    """What the threshold means, in a sentence for people."""
    return (
        "Faces are put together where two of them are, on average, at least about "
        f"{float(f'{math.exp(joined):.2g}'):,.0f} times as likely of one person as of two."
    )


def keep_names(
    found: Sequence[frozenset[str]], before: Mapping[str, Iterable[str]], new: Callable[[], str]
) -> dict[str, frozenset[str]]:
    """Names for groups of members, which keep those of before as far as they are the same groups.

    Of all pairs of a group found and one of before, those go first that share most members. A group that has
    fallen apart leaves its name to the part with most of it, and one of two that became one goes.

    Args:
        found: the groups, in the order in which they are returned.
        before: the members of each group at that time, by its name.
        new: makes a name that nothing has.
    """
    former = {member: name for name, members in before.items() for member in members}
    shared: dict[tuple[int, str], int] = {}
    for place, members in enumerate(found):
        for member in members:
            if (name := former.get(member)) is not None:
                shared[place, name] = shared.get((place, name), 0) + 1
    names: dict[int, str] = {}
    for place, name in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        if place not in names and name not in names.values():
            names[place] = name
    return {names.get(place) or new(): members for place, members in enumerate(found)}
