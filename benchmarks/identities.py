"""Identity alone: how often the one who is claimed is accepted, and how often somebody else.

Everything but the identity is granted. Whoever is shown is photographs of other days than those enrolled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from films import Bench

from gallery.calibration import lower_bound, upper_bound
from gallery.pooled import pool
from pipeline.authentication.claimed import EACH, Claimed
from pipeline.sources.images import read_photo
from pipeline.types import Floats, Frame
from siamese.lfw.split import split

ENROLLED = 1, 2, 3  # photographs
FEWEST = max(ENROLLED) + 1  # photographs of a person of whom some are enrolled and others shown


def people_of(lfw: Path, development: bool) -> list[str]:
    """The people of LFW whom the model never saw; every other one of them is for development."""
    return sorted(split(lfw, "fold:9,10").test)[int(not development) :: 2]


def against_each_other(bench: Bench, people: dict[str, Floats]) -> dict[str, Any]:
    """Everybody says that they are each other person.

    Args:
        people: the embeddings (n, d) of each one's photographs.
    """
    compared, nearer, matched = 0, 0, []
    for name, templates in people.items():
        claimed = bench.claimed(name, templates)
        for other, faces in people.items():
            if other == name:
                continue
            shown = [*faces, pool(faces)] if len(faces) > 1 else list(faces)
            compared += len(shown)
            nearer += sum(claimed.ratio(claimed.distance(face)) >= EACH for face in faces)
            matched += [[other, name] for each in shown if claimed.pooled(each) <= claimed.accept]
    told = {"people": len(people), "comparisons": compared, "accepted": len(matched), "pairs": matched}
    told |= {"let_through_in_one_frame": nearer}
    if compared:
        told["upper_95"] = upper_bound(len(matched), compared, 0.95)
    print(f"identity alone: {told}", flush=True)
    return told


def of_other_days(bench: Bench, lfw: Path, development: bool, shown: int = 8) -> dict[str, Any]:
    """Of each person some photographs are enrolled, and others shown, as one and each by itself.

    Args:
        shown: photographs, at most.
    """
    random = np.random.default_rng(0)
    people = {}
    for person in people_of(lfw, development):
        files = sorted((lfw / "lfw-deepfunneled" / person).glob("*.jpg"))
        if len(files) < FEWEST:
            continue
        chosen = random.permutation(len(files))[: max(ENROLLED) + shown]
        looks = [bench.watch.look(Frame(read_photo(files[row]), 0, 0.0, "photo")).embedding for row in chosen]
        known = [look for look in looks if look is not None]
        if len(known) >= FEWEST:
            people[person] = np.stack(known)
    told: dict[str, Any] = {"people": len(people), "photographs_shown": f"1 to {shown}"}
    for count in ENROLLED:
        claims = {person: bench.claimed(person, faces[:count]) for person, faces in people.items()}
        others = {person: faces[max(ENROLLED) :] for person, faces in people.items()}
        refused = sum(not taken_for(claims[person], others[person]) for person in people)
        wrong = sum(
            taken_for(claim, faces)
            for person, claim in claims.items()
            for other, faces in others.items()
            if other != person
        )
        told[f"enrolled {count}"] = {
            "refused": refused,
            "interval": [lower_bound(refused, len(people), 0.975), upper_bound(refused, len(people), 0.975)],
            "others_accepted": wrong,
            "others": len(people) * (len(people) - 1),
        }
    print(f"of other days: {told}", flush=True)
    return told


def taken_for(claimed: Claimed, faces: Floats) -> bool:
    """Whether these looks (n, d) would be accepted; that there are few of them is forgiven."""
    each = all(claimed.ratio(claimed.distance(face)) >= EACH for face in faces)
    return each and claimed.pooled(pool(faces)) <= claimed.accept


def photographed(bench: Bench, folder: Path) -> dict[str, Floats]:
    """The embeddings (n, d) of all people in a folder of folders of photographs."""
    people: dict[str, list[Floats]] = {}
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in (".jpg", ".png")):
        sight = bench.watch.look(Frame(read_photo(path), 0, 0.0, "photo"))
        if sight.embedding is not None:
            people.setdefault(path.parent.name, []).append(sight.embedding)
    return {name: np.stack(faces) for name, faces in people.items()}
