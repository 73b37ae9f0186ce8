"""Putting vetted looks into the gallery, and what became of each person's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gallery import Gallery
from gallery.opening import present
from pipeline.enrolment.photos import Outcome, Verdict
from pipeline.enrolment.vetting import Known, copy_distance, vet

if TYPE_CHECKING:
    from siamese.cohort import Cohort
    from siamese.runtime import Embedder


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of one person's looks."""

    name: str
    outcomes: tuple[Outcome, ...]
    change: int = 0  # its number in the gallery's log; 0 where nothing was stored

    def count(self, verdict: Verdict) -> int:
        """How many looks ended so."""
        return sum(outcome.verdict is verdict for outcome in self.outcomes)

    @property
    def usable(self) -> bool:
        """Whether the person is enrolled now, by these looks or by the same ones before."""
        return bool(self.count(Verdict.ACCEPTED) or self.count(Verdict.DUPLICATE))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "stored": self.count(Verdict.ACCEPTED),
            "duplicates": self.count(Verdict.DUPLICATE),
            "held": self.count(Verdict.HELD),
            "photos": [
                {
                    "photo": outcome.origin,
                    "accepted": outcome.verdict is Verdict.ACCEPTED,
                    "verdict": outcome.verdict.value,
                    "reason": outcome.reason or None,
                    "looks_like": outcome.looks_like,
                    "probability": None if outcome.probability is None else round(outcome.probability, 4),
                }
                for outcome in self.outcomes
            ],
        }


class Enroller:
    """Vets looks and stores them. Makes the gallery with the first look that is stored, not before."""

    def __init__(
        self,
        path: Path,
        embedder: Embedder,
        fingerprint: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        crops: bool = True,
    ) -> None:
        """
        Args:
            fingerprint: what the gallery must be made with, see `pipeline.build.fingerprint`.
            force: store look-alikes.
            dry_run: store nothing.
            crops: keep the aligned faces, from which another model can embed again.

        Raises:
            gallery.errors.GalleryError: there is a gallery, but it is damaged or made with another model.
        """
        self._path, self._embedder, self._fingerprint = path, embedder, fingerprint
        self._force, self._dry_run, self._crops = force, dry_run, crops
        self._people = self._open() if present(path) else None
        if self._people is not None and not dry_run:
            self._people.must_write()  # said before the work
        self._names = set() if self._people is None else {each.name for each in self._people.people()}

    def enroll(self, name: str, outcomes: Sequence[Outcome]) -> Enrolment:
        """Vet the looks of one person and store those that are accepted, all at once.

        Raises:
            gallery.errors.GalleryError: a name that cannot be, or a gallery that cannot be written.
        """
        known = Known()
        if self._people is not None and name in self._names:
            for template in self._people.templates(name, aside=True):
                known.add(template)
        vetted = vet(name, outcomes, known, self._people, self._embedder.calibration, self._force)
        accepted = [o.template for o in vetted if o.verdict is Verdict.ACCEPTED and o.template is not None]
        change = 0
        if accepted and not self._dry_run:
            if self._people is None:
                self._people = self._open(create=True)
            kept = accepted if self._crops else [replace(template, crop=None) for template in accepted]
            change = self._people.add(name, kept).change
            self._names.add(name)
        return Enrolment(name, tuple(vetted), change)

    def keep_guarantee(self, cohort: Cohort | None) -> str:
        """Calibrate again where the gallery has outgrown its calibration; what was done, in a line.

        Args:
            cohort: the strangers that ship with the model, if there are any.

        Raises:
            gallery.errors.GalleryError: the gallery cannot be written.
        """
        from pipeline.identity.calibrate import renew
        from pipeline.identity.guarantee import lapsed

        if self._people is None:
            return ""
        if self._dry_run:
            return lapsed(self._people) or ""
        return renew(self._people, cohort, copy_distance(self._embedder.calibration))

    @property
    def enrolled(self) -> int:
        """How many people are enrolled."""
        return self._people.people_count if self._people is not None else 0

    def _open(self, create: bool = False) -> Gallery:
        return Gallery.open(self._path, self._fingerprint, self._embedder.dimension, create=create)

    def close(self) -> None:
        """Close the gallery."""
        if self._people is not None:
            self._people.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
