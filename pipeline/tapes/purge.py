"""Taking a person off tapes, while the gallery still knows who that is.

A tape holds no names, so which looks go has to be decided: every track that a replay with this gallery names
as them, every track that is likelier of them than of anybody else or of a stranger, and every other look that
by itself is. Whoever wants to be forgotten is served by taking a little too much rather than too little.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gallery.pooled import track as pooled_track
from pipeline.errors import SourceError
from pipeline.identity.evidence import posterior
from pipeline.identity.judge import Judge
from pipeline.tapes.replay import decide
from pipeline.tapes.tape import Looks, Tape, TapedTrack
from pipeline.types import Floats

LIKELIER = 0.5  # probability from which a track or a look is taken for the person's
_CHUNK = 1 << 24  # bytes of a file that are searched at once


@dataclass(frozen=True, slots=True)
class Purged:
    """What was taken off a tape."""

    tape: Path
    looks: int
    tracks: int  # that these looks were of
    whole: int  # of them, tracks that are gone altogether


@dataclass(frozen=True, slots=True)
class Found:
    """What of a tape is somebody's: rows of its looks by run, the tracks they are of, their embeddings."""

    rows: dict[str, list[int]]
    tracks: frozenset[tuple[str, int]]
    embeddings: Floats  # (n, d)


def find(tape: Tape, name: str, judge: Judge) -> Found:
    """What of a tape is of the person enrolled as `name`."""
    by_run = {run.run: tape.looks(run.run) for run in tape.runs()}
    rows = {run: theirs(looks, tape.tracks(run), name, judge) for run, looks in by_run.items()}
    # What equals a look at the person to the bit goes with it, whatever its track was taken for.
    copies = {by_run[run].embeddings[row].tobytes() for run, found in rows.items() for row in found}
    rows = {
        run: [row for row, embedding in enumerate(looks.embeddings) if embedding.tobytes() in copies]
        for run, looks in by_run.items()
    }
    return _found(tape, by_run, rows)


def of_tracks(tape: Tape, tracks: Set[tuple[str, int]]) -> Found:
    """What of a tape is of tracks that are known to be somebody's, by the ids of their runs."""
    by_run = {run.run: tape.looks(run.run) for run in tape.runs()}
    rows = {
        run: [row for row, track in enumerate(looks.tracks) if (run, track) in tracks]
        for run, looks in by_run.items()
    }
    return _found(tape, by_run, rows)


def theirs(looks: Looks, tracks: Sequence[TapedTrack], name: str, judge: Judge) -> list[int]:
    """The rows of a run's looks that are taken for the person enrolled as `name`, ascending."""
    verdicts = decide(looks, tracks, judge)
    whole = {track for track, verdict in verdicts.items() if verdict.name == name}
    by_track = looks.by_track()
    faces = [
        pooled_track(looks.embeddings[rows], looks.qualities[rows], judge.settings.memory)
        for rows in by_track.values()
    ]
    both = np.concatenate([looks.embeddings, *(face[None] for face in faces)])
    found = judge.ratios(both)
    ratios, together = found[: len(looks)], found[len(looks) :]
    for track, evidence in zip(by_track, together, strict=True):
        if _likely(evidence, name, judge.people_count):
            whole.add(track)
    return [
        row
        for row, track in enumerate(looks.tracks)
        if track in whole or _likely(ratios[row], name, judge.people_count)
    ]


def _found(tape: Tape, by_run: Mapping[str, Looks], rows: dict[str, list[int]]) -> Found:
    tracks = frozenset((run, by_run[run].tracks[row]) for run, found in rows.items() for row in found)
    embeddings = [by_run[run].embeddings[found] for run, found in rows.items() if found]
    nothing = np.zeros((0, tape.dimension), np.float32)
    return Found(rows, tracks, np.concatenate([nothing, *embeddings]))


def likely(embeddings: Floats, name: str, judge: Judge) -> list[bool]:
    """Which of `embeddings` (n, d) are likelier of the person enrolled as `name` than of anybody else."""
    return [_likely(each, name, judge.people_count) for each in judge.ratios(embeddings)]


def purge(tape: Tape, path: Path, found: Found) -> Purged:
    """Erase what was found, close the tape, and make sure that it is gone.

    Raises:
        SourceError: the file cannot be rewritten, or bytes of what was erased are still in it.
    """
    whole = tape.erase(found.rows)
    tape.close()  # first: closing a file drops the locks that this process has on it
    if left := remains(path, found.embeddings):
        raise SourceError(f"the tape {path} still holds {left} of the embeddings; delete it with: rm")
    return Purged(path, len(found.embeddings), len(found.tracks), whole)


def remains(path: Path, embeddings: Floats) -> int:
    """How many places of a file hold one of `embeddings` (n, d), as a tape writes them; in one reading."""
    wanted = {row.astype("<f4").tobytes() for row in embeddings}
    if not wanted or not path.stat().st_size:
        return 0
    # Few places pass a look at three bytes, which numpy does for all; only those are compared as a whole.
    length = 4 * embeddings.shape[1]
    firsts = np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, length)[:, :3].astype(np.int32)
    known = np.zeros(1 << 24, np.bool_)
    known[firsts @ np.array([1, 1 << 8, 1 << 16], np.int32)] = True
    places = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start in range(0, len(content), _CHUNK):
            chunk = np.frombuffer(content[start : start + _CHUNK + 2], np.uint8).astype(np.int32)
            heads = chunk[:-2] | chunk[1:-1] << 8 | chunk[2:] << 16
            for at in np.flatnonzero(known[heads]).tolist():
                places += content[start + at : start + at + length] in wanted
    return places


def _likely(ratios: Mapping[str, float], name: str, people: int) -> bool:
    """Whether ratios of people enrolled make it likelier than not that it is the one called `name`."""
    if name not in ratios:
        return False
    chances, _ = posterior(list(ratios.values()), people)
    return bool(dict(zip(ratios, chances, strict=True))[name] >= LIKELIER)
