"""What a gallery was calibrated for: the threshold, everybody's shift, and how it reads.

The one place where recognition meets the calibration is `Guarantee.ratios`: it turns distances into evidence
that suffices for a name exactly where the threshold lets a name through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gallery.calibration import lower_bound
from gallery.errors import GalleryError
from gallery.types import Matches
from pipeline.config import EvidenceSettings
from pipeline.identity.evidence import bound
from pipeline.protocols import Notes
from pipeline.words import counted_people
from siamese.calibration import Calibration

KEY = "calibration"  # of the notes in the gallery
FORMAT = 1
GROWTH = 0.1  # once this share of people is new, or has new photos, the threshold no longer stands for them


@dataclass(frozen=True, slots=True)
class Kind:
    """Strangers of one kind: how many were tried, and how many of them are within the threshold."""

    name: str
    tried: int
    named: int

    def exceeds(self, target: float) -> bool:
        """Whether more than `target` of such strangers would be named, as sure as every bound here."""
        return lower_bound(self.named, self.tried) > target

    def __str__(self) -> str:
        return f"{self.named:,} of {self.tried:,} of {self.name} ({self.named / self.tried:.1%})"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A threshold with its claim: of all strangers at most `target` are given a name."""

    target: float
    confidence: float
    distance: float  # largest shifted distance that is given a name
    bound: float  # upper Clopper-Pearson bound of the share of strangers named; at most `target`
    strangers: int  # who were tried
    named: int  # of them, at this threshold
    people: int  # in the gallery when it was calibrated
    recognised: int  # of the gallery's own photos, each tried against the person's others
    tried: int
    normalised: bool  # whether everybody's distances are shifted
    offsets: Mapping[str, float]  # by name; empty where they are not
    newest: int | None = None  # id of the newest template then; None where an earlier version did not say
    kinds: tuple[Kind, ...] = ()  # the strangers by kind, those named most often first

    def ratios(
        self, matches: Matches, calibration: Calibration, settings: EvidenceSettings, people: int
    ) -> npt.NDArray[np.float64]:
        """Log-likelihood ratios (m, k) of matches, moved so that the posterior turns at the threshold.

        A name needs a posterior of `1 - settings.target_fpir` among so many people; a face whose shifted
        distance is the threshold reaches just that. The cap of the model's calibration does not apply: it
        stands for strangers nobody has tried, and here they were.
        """
        moved = self.moved(calibration, settings, people)
        raw = calibration.extrapolated(self.shifted(matches)) + moved
        # Where they are moved down, so is the least of them: what is far for the model stays far.
        return np.asarray(np.maximum(raw, min(moved, 0.0) - calibration.ceiling))

    def moved(self, calibration: Calibration, settings: EvidenceSettings, people: int) -> float:
        """By how much `ratios` are more than the model's calibration says; less than 0 where they are less.

        That is for names, of which strangers were tried. That somebody is nobody enrolled is for the model to
        say: by a loose threshold hardly anybody would be unknown, and too many by a strict one.
        """
        own = calibration.distance(bound(people, settings.target_fpir))
        return calibration.slope * (self.distance - own)

    def shifted(self, matches: Matches) -> npt.NDArray[np.float64]:
        """Distances (m, k) of matches with everybody's shift; the threshold is for these."""
        shifted = matches.distances.astype(np.float64)
        for row, names in enumerate(matches.names):
            shifted[row, : len(names)] += [self.offsets.get(name, 0.0) for name in names]
        return shifted

    def __str__(self) -> str:
        return (
            f"at most {100 * self.target:.3g}% of strangers are given a name "
            f"({self.confidence:.0%} sure, from {self.strangers} strangers and {counted_people(self.people)})"
        )

    def doubts(self) -> tuple[str, ...]:
        """Of which kinds of strangers more than the target would be named, a line each."""
        return tuple(
            f"of strangers like {kind.name} more than {100 * self.target:.3g}% would be named "
            f"({self.confidence:.0%} sure)"
            for kind in self.kinds
            if kind.exceeds(self.target)
        )

    def as_dict(self) -> dict[str, Any]:
        """What the gallery keeps: numbers, and of which kind the strangers were; nobody's name."""
        kept = {name: getattr(self, name) for name in self.__slots__ if name not in ("offsets", "kinds")}
        return kept | {"kinds": [asdict(kind) for kind in self.kinds], "format": FORMAT}


def stored(gallery: Notes) -> Guarantee | None:
    """The calibration that a gallery keeps; None without one, or where it was made for another model.

    Raises:
        GalleryError: it is there but makes no sense.
    """
    note = gallery.note(KEY)
    if not isinstance(note, dict) or note.get("fingerprint") != gallery.fingerprint:
        return None
    try:
        if note["format"] != FORMAT:
            return None
        later = ("offsets", "newest", "kinds")  # or elsewhere; earlier versions did not write them
        values = {name: note[name] for name in Guarantee.__slots__ if name not in later}
        kinds = tuple(Kind(str(k["name"]), int(k["tried"]), int(k["named"])) for k in note.get("kinds", ()))
        offsets = {name: float(value) for name, value in gallery.person_notes(KEY).items()}
        return Guarantee(**values, offsets=offsets, newest=note.get("newest"), kinds=kinds)
    except (KeyError, TypeError, ValueError) as error:
        raise GalleryError("the gallery's calibration is damaged; make it again: recog calibrate") from error


def of(people: Notes) -> Guarantee | None:
    """The calibration that may be claimed of a gallery now; None without one, or where it was outgrown.

    Raises:
        GalleryError: as `stored`.
    """
    claim = stored(people)
    return None if claim is None or is_due(claim, people) else claim


def lapsed(people: Notes) -> str | None:
    """Why a calibration that a gallery keeps is not claimed; None where it is, or there is none.

    Raises:
        GalleryError: as `stored`.
    """
    claim = stored(people)
    if claim is None or not is_due(claim, people):
        return None
    changed = _changed(claim, people)
    return (
        f"the calibration is for {counted_people(claim.people)}, and {counted_people(changed)} "
        f"{'was' if changed == 1 else 'were'} enrolled or changed since, so it is neither used nor claimed; "
        "renew it with: recog calibrate"
    )


def own_threshold(calibration: Calibration, settings: EvidenceSettings, people: int) -> float | None:
    """The largest distance that is given a name without a calibration of the gallery; None if none is."""
    needed = bound(max(people, 1), settings.target_fpir)
    return calibration.distance(needed) if needed <= calibration.ceiling else None


def too_many(people: int, calibration: Calibration, settings: EvidenceSettings) -> str | None:
    """Why nobody will be named in an uncalibrated gallery of so many people; None where they can be.

    A name needs more evidence the more people are enrolled, and a calibration gives only so much.
    """
    if bound(max(people, 1), settings.target_fpir) <= calibration.ceiling:
        return None
    most = math.floor(math.exp(calibration.ceiling) * settings.target_fpir / (1 - settings.target_fpir))
    return (
        f"nobody will be named: {counted_people(people)} {'is' if people == 1 else 'are'} enrolled, and "
        f"without a calibration the model can keep strangers out of {most:,} at most; run: recog calibrate"
    )


def is_due(claim: Guarantee, people: Notes) -> bool:
    """Whether so many of the people are others now that the threshold no longer stands for them."""
    changed = _changed(claim, people)
    return changed > 0 and changed >= claim.people * GROWTH


def _changed(claim: Guarantee, people: Notes) -> int:
    if claim.newest is None:
        return max(people.people_count - claim.people, 0)
    return people.changed_since(claim.newest)
