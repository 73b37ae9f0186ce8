"""One face against another, or against one person: the same or not, how sure, and how rare that would be.

The probability is that of a pair which, before it was looked at, was as likely of one person as of two. The
rarity needs no such assumption: it counts strangers who look as alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from gallery.errors import GalleryError
from gallery.reader import Reader
from gallery.types import StoredTemplate
from pipeline.faces.examine import Probe
from pipeline.types import Floats
from siamese.calibration import Calibration, probability

SURE = 0.9  # probability from which a pair is called the same, or from whose opposite, different
MOST = 0.999  # shown at most: no number of pairs makes it certain


class Answer(StrEnum):
    """What can be said of two faces."""

    SAME = "same person"
    DIFFERENT = "different people"
    UNSURE = "cannot tell"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found of two faces, or of a face and a person."""

    distance: float
    probability: float  # of the same person, where both were as likely before
    as_near: int  # strangers, or pairs of them, who look at least this alike
    tried: int  # of so many; 0 where the model has no strangers to compare with
    flaws: tuple[str, ...]

    @property
    def answer(self) -> Answer:
        """The verdict. A poor photograph can make one person look like two, so it never proves two."""
        if self.probability >= SURE:
            return Answer.SAME
        if self.probability <= 1 - SURE and not self.flaws:
            return Answer.DIFFERENT
        return Answer.UNSURE

    @property
    def words(self) -> str:
        """The verdict with how sure it is: `same person: 97 %`."""
        share = self.probability
        match self.answer:
            case Answer.SAME:
                return f"same person: {shown_percent(share)}"
            case Answer.DIFFERENT:
                return f"different people: {shown_percent(1 - share)}"
            case Answer.UNSURE:
                return f"cannot tell: {shown_percent(share)} that it is the same person"

    def rarity(self, among: str) -> str:
        """How often strangers look this alike, where `among` is what is counted: `pairs`, `strangers`."""
        if not self.tried:
            return ""
        if not self.as_near:  # nothing seen in n trials is compatible with 3 / n
            rare = max(1, round(self.tried / 3))
            return f"fewer than 1 of {_rounded(rare)} {among} look this alike (none of {self.tried:,} tried)"
        if self.as_near > self.tried / 2:
            return f"most {among} look this alike"
        return f"a stranger would look this alike in 1 of {_rounded(self.tried / self.as_near)} {among}"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "answer": self.answer.value,
            "probability": round(self.probability, 6),
            "distance": round(self.distance, 4),
            "strangers_as_near": self.as_near,
            "strangers_tried": self.tried,
            "flaws": list(self.flaws),
        }


def compare_two(first: Probe, second: Probe, calibration: Calibration, strangers: Floats) -> Comparison:
    """Two photographs.

    Args:
        strangers: (n,) distances of pairs of strangers, ascending; none where there are none to compare with.
    """
    distance = float(np.abs(first.embedding - second.embedding).sum())
    near = int(np.searchsorted(strangers, distance, side="right"))
    flaws = [f"the first photo is {flaw}" for flaw in first.flaws]
    flaws += [f"the second photo is {flaw}" for flaw in second.flaws]
    return Comparison(distance, _probability(distance, calibration), near, len(strangers), tuple(flaws))


def searched(people: Reader, name: str) -> list[StoredTemplate]:
    """The photographs of a person that count.

    Raises:
        GalleryError: nobody of that name, or all photographs are set aside.
    """
    found = list(people.templates(name))
    if not found:
        raise GalleryError(
            f"all photos of {name} are set aside; bring one back with: recog gallery aside NAME --back"
        )
    return found


def compare_to_person(
    probe: Probe, templates: Floats, calibration: Calibration, strangers: Floats
) -> Comparison:
    """A photograph against all photographs of a person: the nearest counts.

    Args:
        templates: (t, d) of the person.
        strangers: (p, d) one face each of people the model never saw; how near they come to this person.
    """
    distance = float(np.abs(templates - probe.embedding).sum(axis=1).min())
    if len(strangers):
        from gallery.calibration import to_people

        theirs = to_people(strangers, templates, np.zeros(len(templates), np.int64), 1)[:, 0]
        near = int((theirs <= distance).sum())
    else:
        near = 0
    flaws = tuple(f"the photo is {flaw}" for flaw in probe.flaws)
    return Comparison(distance, _probability(distance, calibration), near, len(strangers), flaws)


def _probability(distance: float, calibration: Calibration) -> float:
    return probability(float(calibration.llr(np.array([distance]))[0]))


def shown_percent(share: float) -> str:
    """A probability as people read it; never quite certain."""
    shown = min(share, MOST)
    return f"{shown:.0%}".replace("%", " %") if shown < 0.99 else f"{shown:.1%}".replace("%", " %")


def _rounded(number: float) -> str:
    """Two figures are all that such a count supports."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.1f}"
