"""Who is in a photograph: the people enrolled ranked by probability, with "unknown" among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.faces.examine import WHICH_WAY_UP, Probe
from pipeline.identity.evidence import posterior
from pipeline.identity.judge import NEAREST, Judge
from pipeline.types import State


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person whom a face may show."""

    name: str
    probability: float
    distance: float  # with the shift of a calibrated gallery


@dataclass(frozen=True, slots=True)
class Identified:
    """What was found of one face."""

    probe: Probe
    state: State
    name: str | None  # where there is a verdict
    candidates: tuple[Candidate, ...]  # likeliest first
    unknown: float  # probability of nobody enrolled

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "state": self.state.value,
            "name": self.name,
            "unknown": round(self.unknown, 6),
            "candidates": [
                {"name": c.name, "probability": round(c.probability, 6), "distance": round(c.distance, 4)}
                for c in self.candidates
            ],
            "flaws": list(self.probe.flaws),
        }


def identify(probes: Sequence[Probe], judge: Judge, most: int = NEAREST) -> list[Identified]:
    """The verdict on each face by itself, with the `most` likeliest people.

    A face is named where that is as likely as the target asks; in a calibrated gallery that is where its
    shifted distance is within the threshold and nobody else is about as near.
    """
    if not probes:
        return []
    matches = judge.matches(np.stack([probe.embedding for probe in probes]), most)
    shifted, ratios, settings = judge.shifted(matches), judge.ratios_of(matches), judge.settings
    found = []
    for row, probe in enumerate(probes):
        names = matches.names[row]
        given = ratios[row, : len(names)]
        chances, unknown = posterior(given, matches.people)
        state, name = State.UNDECIDED, None
        if WHICH_WAY_UP in probe.flaws:
            pass  # the embedding of a face that may stand on its head says nothing
        elif len(names) and chances.max() >= 1 - settings.target_fpir:
            state, name = State.NAMED, names[int(np.argmax(chances))]
        else:
            by_model = posterior(given - judge.moved, matches.people)
            if by_model[1] >= settings.unknown_at:
                state, (chances, unknown) = State.UNKNOWN, by_model
        ranked = tuple(
            Candidate(names[place], float(chances[place]), float(shifted[row, place]))
            for place in np.argsort(-chances, kind="stable")
        )
        found.append(Identified(probe, state, name, ranked, float(unknown)))
    return found
