"""Deciding again from a tape: with other settings, or another gallery, and without a model's work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from math import inf, log

import numpy as np

from gallery.pooled import track as pooled_track
from pipeline.config import EvidenceSettings
from pipeline.identity.evidence import posterior
from pipeline.identity.judge import Judge
from pipeline.tapes.tape import Looks, Tape, TapedTrack
from pipeline.types import UNDECIDED, Floats, Identity, State
from siamese.calibration import Calibration, probability


@dataclass(frozen=True, slots=True)
class Decided:
    """A track, and what it was decided to be."""

    source: str
    track: TapedTrack
    looks: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Sighting:
    """A track that may be somebody searched for."""

    source: str
    started: str  # of the run, UTC, ISO 8601
    track: TapedTrack
    looks: int
    llr: float  # evidence that it is the same person, natural logarithm
    probability: float  # that it is, given even odds that any of the tracks is


def replay(tape: Tape, judge: Judge) -> list[Decided]:
    """The verdicts on every track of every run, as a run that judges so gives them.

    Only looks that the first run took are there: a track that it had decided was looked at less often.
    """
    decided = []
    for run in tape.runs():
        looks, tracks = tape.looks(run.run), tape.tracks(run.run)
        verdicts, counts = decide(looks, tracks, judge), Counter(looks.tracks)
        for track in tracks:
            identity = verdicts.get(track.track, UNDECIDED)
            decided.append(Decided(run.source, track, counts[track.track], identity))
    return decided


def again(tape: Tape, judge: Judge, wanted: Mapping[str, Collection[int]]) -> dict[tuple[str, int], Identity]:
    """The verdicts on some tracks, and on those that were in view together with them: one name, one face.

    Args:
        wanted: tracks by run; a run or a track that is not on the tape is left out.

    Returns:
        by run and track.
    """
    found: dict[tuple[str, int], Identity] = {}
    for run, those in wanted.items():
        if beside := _beside(tape.tracks(run), frozenset(those)):
            looks = tape.looks(run, {each.track for each in beside})
            found |= {(run, track): verdict for track, verdict in decide(looks, beside, judge).items()}
    return found


def _beside(tracks: Sequence[TapedTrack], wanted: frozenset[int]) -> list[TapedTrack]:
    """Some tracks, and those that were in view at the same time as one of them."""
    spans = sorted((each.first_seconds, each.last_seconds) for each in tracks if each.track in wanted)
    if not spans:
        return []
    firsts, lasts = np.array(spans).T
    lasts = np.maximum.accumulate(lasts)
    begun = np.searchsorted(firsts, [each.last_seconds for each in tracks], side="right")
    return [
        each
        for each, place in zip(tracks, begun.tolist(), strict=True)
        if place and lasts[place - 1] >= each.first_seconds
    ]


def faces(tape: Tape, memory: int, wanted: Mapping[str, Collection[int]]) -> dict[tuple[str, int], Floats]:
    """The looks at each of some tracks as one embedding (d,), by run and track; without looks it is left out.

    Args:
        memory: looks that count at most, see `EvidenceSettings.memory`.
        wanted: as for `again`.
    """
    found = {}
    for run, those in wanted.items():
        looks = tape.looks(run, those)
        for track, rows in looks.by_track().items():
            found[run, track] = pooled_track(looks.embeddings[rows], looks.qualities[rows], memory)
    return found


def decide(looks: Looks, tracks: Sequence[TapedTrack], judge: Judge) -> dict[int, Identity]:
    """The last verdict on each track of a run that was more than "undecided"; else the last of all."""
    evidence = judge.evidence()
    verdicts: dict[int, Identity] = {}
    view, once = _View(tracks), {each.track for each in tracks if each.once}
    for seconds, group in groupby(range(len(looks)), key=lambda row: looks.seconds[row]):
        rows = list(group)
        pooled = [
            evidence.add(looks.tracks[row], looks.embeddings[row], float(looks.qualities[row]))
            for row in rows
        ]
        for row, ratios in zip(rows, judge.ratios(np.stack(pooled)), strict=True):
            evidence.weigh(looks.tracks[row], ratios)
        in_view = view.at(seconds)
        evidence.decide(in_view, judge.people_count, once, judge.moved)
        for track in in_view:
            identity = evidence.of(track)
            decided = verdicts.get(track, UNDECIDED).state is not State.UNDECIDED
            if identity.state is not State.UNDECIDED or not decided:
                verdicts[track] = identity
    return verdicts


class _View:
    """Which tracks are in view, asked moment by moment: a tape of a day has thousands of them."""

    def __init__(self, tracks: Sequence[TapedTrack]) -> None:
        self._arriving = sorted(tracks, key=lambda each: each.first_seconds)
        self._arrived = 0
        self._leaving: list[tuple[float, int]] = []  # a heap of last seconds and tracks
        self._now = -inf

    def at(self, seconds: float) -> list[int]:
        """The tracks in view at a time, ascending."""
        if seconds < self._now:  # a clock was put back
            self._arrived, self._leaving = 0, []
        self._now = seconds
        while self._arrived < len(self._arriving):
            track = self._arriving[self._arrived]
            if track.first_seconds > seconds:
                break
            self._arrived += 1
            heappush(self._leaving, (track.last_seconds, track.track))
        while self._leaving and self._leaving[0][0] < seconds:
            heappop(self._leaving)
        return sorted(track for _, track in self._leaving)


def search(
    tape: Tape, probe: Floats, calibration: Calibration, settings: EvidenceSettings
) -> tuple[list[Sighting], float]:
    """Every track of the tape, by the evidence that it is the person with the embedding `probe` (d,).

    The tracks are the gallery here: the prior gives half its weight to none of them being the person, and
    shares the other half among them, so that a long tape needs more evidence than a short one.

    Returns:
        the tracks, and the probability that the person is on the tape at all.
    """
    runs = {run.run: run for run in tape.runs()}
    found = [each for run in runs for each in _sightings(tape, run, probe, calibration, settings)]
    # One person may well be several tracks, so each is weighed against "nobody" alone.
    odds = log(max(1, len(found)))
    sightings = [
        Sighting(runs[taped.run].source, runs[taped.run].started, taped, looks, llr, probability(llr - odds))
        for taped, looks, llr in found
    ]
    _, nobody = posterior([llr for _, _, llr in found], len(found))
    return sorted(sightings, key=lambda sighting: -sighting.llr), float(1 - nobody)


def _sightings(
    tape: Tape, run: str, probe: Floats, calibration: Calibration, settings: EvidenceSettings
) -> Iterator[tuple[TapedTrack, int, float]]:
    looks = tape.looks(run)
    by_track = looks.by_track()
    for taped in tape.tracks(run):
        rows = by_track.get(taped.track)
        if rows is not None:
            face = pooled_track(looks.embeddings[rows], looks.qualities[rows], settings.memory)
            yield taped, len(rows), float(calibration.llr(np.abs(face - probe).sum()))
