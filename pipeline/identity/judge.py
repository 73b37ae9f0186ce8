"""Who judges: the people enrolled, how embeddings of one face differ, and what is asked of a name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gallery.errors import BusyError
from gallery.types import Matches
from pipeline.config import EvidenceSettings
from pipeline.identity import guarantee
from pipeline.identity.evidence import Evidence, despite
from pipeline.protocols import People
from pipeline.types import Floats
from siamese.calibration import Calibration

NEAREST = 5  # people whose evidence is kept apart; all others are further away


class Judge:
    """Turns embeddings into evidence for or against each person enrolled.

    One for each recogniser, for it keeps what was claimed of its gallery when that was last looked at.

    Attributes:
        settings: what is asked of a name.
        calibration: the model's, from distances to log-likelihood ratios.
        claim: what the gallery was calibrated for, which then takes the calibration's place; else None.
    """

    def __init__(self, people: People, calibration: Calibration, settings: EvidenceSettings) -> None:
        """
        Raises:
            gallery.errors.GalleryError: what the gallery was calibrated for is damaged.
        """
        self._people, self.calibration, self.settings = people, calibration, settings
        self.claim = guarantee.of(people)

    @property
    def people_count(self) -> int:
        """How many people are enrolled."""
        return self._people.people_count

    @property
    def moved(self) -> float:
        """By how much a calibrated gallery moved the ratios; 0 in others. Not for who is nobody enrolled."""
        if self.claim is None:
            return 0.0
        return self.claim.moved(self.calibration, self.settings, max(self.people_count, 1))

    def evidence(self) -> Evidence:
        """Evidence of no looks yet, to be judged as the settings ask."""
        return Evidence(self.settings)

    def refresh(self) -> bool:
        """Whether others have written to the gallery; it is taken in. Costs microseconds where they have not.

        Raises:
            gallery.errors.GalleryError: the gallery is damaged by now, or not for this model.
        """
        changed = self._people.refresh()
        if changed:
            self.claim = guarantee.of(self._people)
        return changed

    def matches(self, embeddings: Floats, most: int = NEAREST) -> Matches:
        """The `most` nearest people of each of `embeddings` (n, d), nearest first.

        Raises:
            gallery.errors.GalleryError: part of the gallery cannot be asked, so nobody knows who is nearest.
        """
        found = self._nearest(embeddings, most)
        if not found.whole:
            raise BusyError(
                "part of the gallery cannot be asked at present, so nobody can say who that is; try again "
                "later"
            )
        return found

    def ratios(self, embeddings: Floats) -> list[Mapping[str, float]]:
        """For each of `embeddings` (n, d) the log-likelihood ratios of the nearest people, best first.

        Raises as `matches`.
        """
        return self._by_name(self.matches(embeddings))

    def ratios_now(self, embeddings: Floats) -> tuple[list[Mapping[str, float]], bool]:
        """As `ratios`, of whoever can be asked at this moment; and whether that was everybody."""
        found = self._nearest(embeddings, NEAREST)
        return self._by_name(found), found.whole

    def _nearest(self, embeddings: Floats, most: int) -> Matches:
        if not self.people_count:
            return Matches(((),) * len(embeddings), np.zeros((len(embeddings), 0), np.float32), 0, 0)
        return self._people.search(embeddings, most, pooled=True)

    def _by_name(self, matches: Matches) -> list[Mapping[str, float]]:
        pairs = zip(matches.names, self.ratios_of(matches).tolist(), strict=True)
        return [dict(zip(names, values, strict=False)) for names, values in pairs]

    def ratios_of(self, matches: Matches) -> npt.NDArray[np.float64]:
        """Log-likelihood ratios (n, k) of matches, after what was said of whose face is not whose."""
        if self.claim is None:
            found = np.asarray(self.calibration.of_people(matches.distances), np.float64)
        else:
            found = self.claim.ratios(matches, self.calibration, self.settings, max(matches.people, 1))
        if matches.denied is None:
            return found
        # That face, as near as the person, is worth as much: both ratios fall with the distance alike.
        said, against = np.isfinite(matches.denied), np.full(found.shape, -np.inf)
        nearer = matches.distances[said].astype(np.float64) - matches.denied[said]
        against[said] = found[said] + self.calibration.slope * nearer
        return despite(np.where(np.isfinite(matches.distances), found, -np.inf), against, matches.people)

    def shifted(self, matches: Matches) -> npt.NDArray[np.float64]:
        """Distances (n, k) of matches, with everybody's shift in a gallery that was calibrated so."""
        return matches.distances.astype(np.float64) if self.claim is None else self.claim.shifted(matches)

    def claimed(self) -> str | None:
        """What the gallery is calibrated for, or why it is not any more, in a line; None if it never was."""
        return guarantee.lapsed(self._people) if self.claim is None else f"calibrated: {self.claim}"

    def nobody_why(self) -> str | None:
        """Why nobody will be named, where too many are enrolled without a calibration; else None."""
        if self.claim is not None:
            return None
        return guarantee.too_many(self.people_count, self.calibration, self.settings)
