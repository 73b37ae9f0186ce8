"""How likely each person is, look by look."""

from __future__ import annotations

from pipeline.config import EvidenceSettings
from pipeline.identity.guarantee import Guarantee
from pipeline.protocols import People
from pipeline.types import Floats
from siamese.calibration import Calibration

NEAREST = 5  # people whose evidence is kept apart; all others are further away


def ratios_of(
    embeddings: Floats,
    people: People,
    calibration: Calibration,
    settings: EvidenceSettings,
    claim: Guarantee | None,
) -> list[dict[str, float]]:
    """For each of `embeddings` (n, d) the log-likelihood ratios of the nearest people, best first.

    Args:
        claim: what the gallery was calibrated for, which then takes the place of the model's calibration.
    """
    if not people.people_count:
        return [{} for _ in embeddings]
    matches = people.search(embeddings, NEAREST, pooled=True)
    if claim is None:
        ratios = calibration.of_people(matches.distances)
    else:
        ratios = claim.ratios(matches, calibration, settings, matches.people)
    pairs = zip(matches.names, ratios.tolist(), strict=True)
    return [dict(zip(names, values, strict=False)) for names, values in pairs]
