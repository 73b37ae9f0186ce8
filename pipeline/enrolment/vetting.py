"""Whether a look belongs to the person it is given for: copies are told, and look-alikes are held back.

A copy has the content of a look that the person has, or an embedding all but equal to it. A look-alike is
nearer to another person than to any other look of its own, and may well be of that person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gallery.types import NewTemplate, StoredTemplate
from pipeline.enrolment.photos import Outcome, Verdict
from pipeline.identity.evidence import posterior
from pipeline.protocols import People
from pipeline.types import Floats
from siamese.calibration import Calibration

# Share of the distance at which evidence turns. Of two photographs of one person in LFW, 1 in 1,000 pairs is
# nearer than 0.30; portraits saved again at half the size or at JPEG quality 60 are mostly nearer than 0.18.
COPY = 0.25
# From which probability a look is taken for another person's: where there are looks of its own that are
# farther away, and where there are none. Below, it is like nobody, and merely a little less unlike the other.
BESIDE_OWN, ALONE = 0.1, 0.5
NEAREST = 5  # people among whom the likeliest is looked for


@dataclass(slots=True)
class Known:
    """The looks that one person has: those in the gallery, and then those accepted."""

    digests: set[str] = field(default_factory=set)
    aside: set[str] = field(default_factory=set)  # digests of those that are kept, but not searched
    embeddings: list[Floats] = field(default_factory=list)  # each (d,)

    def add(self, look: NewTemplate | StoredTemplate) -> None:
        """Take in a look of this person. One that is set aside speaks for no other."""
        self.digests.add(look.digest)
        if look.aside:
            self.aside.add(look.digest)
        else:
            self.embeddings.append(look.embedding)

    def distance(self, embedding: Floats) -> float:
        """L1 distance of an embedding (d,) to the nearest look; inf where there is none."""
        if not self.embeddings:
            return float("inf")
        return float(np.abs(np.stack(self.embeddings) - embedding).sum(axis=1).min())


def vet(
    name: str,
    outcomes: Sequence[Outcome],
    known: Known,
    people: People | None,
    calibration: Calibration,
    force: bool = False,
) -> list[Outcome]:
    """The outcomes with copies and look-alikes told from what is accepted; `known` takes in the latter.

    Args:
        outcomes: of one person's photographs.
        people: the gallery, or None where there is none.
        force: accept look-alikes.
    """
    copy = copy_distance(calibration)
    looks = [o.template for o in outcomes if o.template is not None]
    others = iter(_others(name, looks, people))
    vetted = []
    for outcome in outcomes:
        look = outcome.template
        if look is None:
            vetted.append(outcome)
            continue
        matches = next(others)
        if look.digest in known.digests:
            reason = "already enrolled" + (", but set aside" if look.digest in known.aside else "")
            vetted.append(replace(outcome, verdict=Verdict.DUPLICATE, reason=reason))
            continue
        own = known.distance(look.embedding)
        if own <= copy:
            vetted.append(
                replace(outcome, verdict=Verdict.DUPLICATE, reason="all but the same as one already enrolled")
            )
            continue
        # The other photographs of the same call speak for it as well, whether or not their turn has come.
        among = [each for each in looks if each is not look]
        if among:
            apart = np.abs(np.stack([each.embedding for each in among]) - look.embedding).sum(axis=1)
            own = min(own, float(apart.min()))
        like = None if force else _look_alike(matches, own, calibration, people)
        if like is not None:
            who, probability = like
            vetted.append(
                replace(
                    outcome, verdict=Verdict.HELD, looks_like=who, probability=probability,
                    reason=f"looks like {who}, {probability:.2f}; --force enrolls it all the same",
                )
            )  # fmt: skip
            continue
        known.add(look)
        vetted.append(outcome)
    return vetted


def copy_distance(calibration: Calibration) -> float:
    """The distance up to which two embeddings are of one photograph, saved twice."""
    return COPY * max(calibration.distance(0.0), 0.0)


def _others(
    name: str, looks: Sequence[NewTemplate], people: People | None
) -> list[tuple[tuple[str, ...], Floats]]:
    """For each look the nearest people but the one who is being enrolled: their names and distances."""
    if people is None or not people.people_count or not looks:
        return [((), np.zeros(0, np.float32))] * len(looks)
    found = people.search(np.stack([look.embedding for look in looks]), NEAREST + 1)
    others = []
    for names, distances in zip(found.names, found.distances, strict=True):
        rows = [row for row, each in enumerate(names) if each != name][:NEAREST]
        others.append((tuple(names[row] for row in rows), distances[rows]))
    return others


def _look_alike(
    matches: tuple[tuple[str, ...], Floats], own: float, calibration: Calibration, people: People | None
) -> tuple[str, float] | None:
    """Whom a look resembles more than its own person, and how likely it is of them; None for nobody."""
    names, distances = matches
    if not names or people is None or distances[0] >= own:
        return None
    chances, _ = posterior(calibration.of_people(distances).tolist(), people.people_count)
    if chances[0] < (ALONE if np.isinf(own) else BESIDE_OWN):
        return None
    return names[0], float(chances[0])
