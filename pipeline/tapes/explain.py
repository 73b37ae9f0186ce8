"""Why an event says what it says: a card with the face, the nearest people enrolled, scores and threshold.

Everything is reckoned again from the tape and the gallery as they are now. Pixels of the face itself are
there only if the run kept snapshots; those of the people enrolled, only if the gallery keeps crops.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gallery import Gallery
from gallery.pooled import track as pooled_track
from pipeline.drawing.cover import Style, cover
from pipeline.drawing.draw import DARK, WHITE
from pipeline.drawing.lettering import put_text, shorten
from pipeline.drawing.sheet import contact_sheet
from pipeline.errors import SourceError
from pipeline.identity.covered import rule_of
from pipeline.identity.judge import Judge
from pipeline.sources.images import read_plain
from pipeline.tapes.replay import decide
from pipeline.tapes.tape import Tape
from pipeline.types import UNDECIDED, Identity, Image, State
from pipeline.words import counted

WIDTH = 960  # pixels of a card
SHOWN_PEOPLE, SHOWN_LOOKS = 4, 60
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "event": str,
    "source": str,
    "track": int,
    "seconds": (int, float),
}
_OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "confidence": (int, float),
    "snapshot": str,
    "blur": list,
}
_GREY, _GREEN, _RED = (160, 160, 160), (90, 190, 90), (90, 90, 220)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person enrolled who comes near a track."""

    name: str
    llr: float  # evidence of all looks together
    distance: float  # of the best look to the nearest photo, L1
    crop: Image | None  # of that photo
    denied: float = math.inf  # distance of all looks together to a face that was said not to be this person


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of an event; row i of `seconds`, `qualities`, `llrs` is one look."""

    event: dict[str, Any]
    identity: Identity  # as it would be decided today
    needed: float  # probability from which a name is given
    candidates: tuple[Candidate, ...]  # nearest first
    seconds: tuple[float, ...]
    qualities: tuple[float, ...]
    llrs: tuple[float, ...]  # of the nearest candidate, look by look
    snapshot: Image | None


def find_event(path: Path, wanted: str) -> dict[str, Any]:
    """The event with this id in a file of JSON lines.

    Raises:
        SourceError: the file cannot be read, has no such event, or one that no run has written so.
    """
    try:
        lines = path.read_text("utf-8", errors="replace").split("\n")  # JSON keeps U+2028
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    for line in lines:
        if wanted in line:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:  # the last line of a run that was killed
                continue
            if isinstance(event, dict) and event.get("id") == wanted:
                _check(event, path)
                return event
    raise SourceError(f"{path} has no event with the id {wanted}; ids look like 8c2115092423-12")


def _check(event: dict[str, Any], path: Path) -> None:
    """Refuse an event that somebody has changed, or that is another program's. Raises SourceError."""
    for field, kind in (_NEEDED | _OPTIONAL).items():
        if field not in event and field in _OPTIONAL:
            continue
        value = event.get(field)
        if isinstance(value, bool) or not isinstance(value, kind):
            what = "lacks" if field not in event else "has something else in"
            raise SourceError(
                f"{path}: the event {event['id']} {what} `{field}`; "
                "give the file as `recog run --events` wrote it"
            )


def explain(event: dict[str, Any], tape: Tape, people: Gallery, judge: Judge) -> Explanation:
    """Gather what bears on an event.

    Args:
        judge: of these people.

    Raises:
        SourceError: the tape knows nothing of its run or track.
    """
    run, track = str(event["id"]).rpartition("-")[0], int(event["track"])
    looks = tape.looks(run)
    rows = [row for row, each in enumerate(looks.tracks) if each == track]
    if not rows:
        raise SourceError(f"the tape has no looks at track {track} of the run {run}; is it that run's tape?")
    identity = decide(looks, tape.tracks(run), judge).get(track, UNDECIDED)
    embeddings, qualities = looks.embeddings[rows], looks.qualities[rows]
    face = pooled_track(embeddings, qualities, judge.settings.memory)
    both = np.concatenate([embeddings, face[None]])
    *ratios, together = judge.ratios(both)
    best = embeddings[int(qualities.argmax())]
    ranked = sorted(together, key=lambda name: -together[name])[:SHOWN_PEOPLE]
    matches, candidates = judge.matches(face[None]), []
    near_denied = matches.distances[0] + np.inf if matches.denied is None else matches.denied[0]
    denied = dict(zip(matches.names[0], near_denied.tolist(), strict=False))
    for name in ranked:
        near = min(people.templates(name), key=lambda each: float(np.abs(each.embedding - best).sum()))
        distance = float(np.abs(near.embedding - best).sum())
        candidates.append(Candidate(name, together[name], distance, near.crop, denied.get(name, math.inf)))
    first = ranked[0] if ranked else ""
    # Somebody who was not among the nearest of a look was at most as near as the last of them.
    llrs = tuple(found.get(first, min(found.values(), default=0.0)) for found in ratios)
    snapshot = read_plain(Path(event["snapshot"])) if event.get("snapshot") else None
    return Explanation(
        event,
        identity,
        1 - judge.settings.target_fpir,
        tuple(candidates),
        tuple(looks.seconds[row] for row in rows),
        tuple(qualities.tolist()),
        llrs,
        None if snapshot is None else np.asarray(snapshot, np.uint8),
    )


def sentences(why: Explanation) -> list[str]:
    """The explanation in words."""
    event, identity = why.event, why.identity
    sure = min(event.get("confidence", 0), 0.999)  # rounding must not claim certainty
    said = {"recognised": f"{event.get('name')}, {sure:.1%}", "unknown": "nobody enrolled"}
    now = identity.name or identity.state.value
    best = int(np.argmax(why.qualities))
    lines = [
        f"{event['id']}: {event['event']}, {said.get(event['event'], event.get('name') or 'no verdict')}",
        f"{event['source']}, track {event['track']}, at {event['seconds']:.1f} s",
        f"decided again now: {now}, probability {min(identity.confidence, 0.999):.1%} ({identity.why})",
        f"a name needs {why.needed:.1%}; {counted(len(why.llrs), 'look')}, "
        f"the best of quality {why.qualities[best]:.2f} at {why.seconds[best]:.1f} s",
    ]
    near = (
        f"evidence {each.llr:+.1f}, best look at distance {each.distance:.2f}"
        + (
            ""
            if math.isinf(each.denied)
            else f"; {each.denied:.2f} from a face that was said to be somebody else"
        )
        for each in why.candidates
    )
    return lines + [f"{each.name}: {text}" for each, text in zip(why.candidates, near, strict=True)]


def card(why: Explanation, style: Style = "pixelated") -> Image:
    """The explanation as a picture, `(height, 960, 3)` uint8 BGR.

    Of a run that covered faces, the snapshot is covered already; the people enrolled are here by its rule.

    Args:
        style: how.
    """
    rule = rule_of(why.event.get("blur", ()))
    words = sentences(why)
    head = np.full((16 + 30 * 4, WIDTH, 3), DARK, np.uint8)
    for row, line in enumerate(words[:4]):
        put_text(head, shorten(line, 20, WIDTH - 32), (16, 12 + 30 * row), 20, WHITE)
    blank = np.full((112, 112, 3), 60, np.uint8)
    snapshot = blank if why.snapshot is None else why.snapshot
    pictures = [(snapshot, "the face" if why.snapshot is not None else "no snapshot")]
    for each in why.candidates:
        crop = blank if each.crop is None else each.crop
        if rule is not None and rule.covers(Identity(State.NAMED, each.name)):
            crop = cover(crop, np.array([[0, 0, crop.shape[1], crop.shape[0]]], np.float32), style)
        pictures.append((crop, f"{each.name}  {each.llr:+.1f}"))
    cell = (WIDTH // (1 + SHOWN_PEOPLE) - 12, 180)
    sheet = contact_sheet(pictures, columns=len(pictures), cell=cell)
    faces = np.full((sheet.shape[0], WIDTH, 3), DARK, np.uint8)
    faces[:, : min(WIDTH, sheet.shape[1])] = sheet[:, :WIDTH]
    return np.vstack([head, faces, _chart(why)])


def _chart(why: Explanation) -> Image:
    """A bar for each look: what it says for or against the nearest person; pale where quality is low."""
    height, top, bottom = 200, 40, 190
    chart = np.full((height, WIDTH, 3), DARK, np.uint8)
    name = why.candidates[0].name if why.candidates else "anybody enrolled"
    title = f"evidence of each look that this is {name} (up) or somebody not enrolled (down), in time"
    put_text(chart, shorten(title, 16, WIDTH - 32), (16, 8), 16, _GREY)
    middle = (top + bottom) // 2
    cv2.line(chart, (16, middle), (WIDTH - 16, middle), _GREY, 1)
    llrs, qualities = why.llrs[-SHOWN_LOOKS:], why.qualities[-SHOWN_LOOKS:]
    scale = (bottom - top) / 2 / max(1.0, *(abs(each) for each in llrs))
    width = min(40, (WIDTH - 32) // len(llrs))
    for i, (llr, quality) in enumerate(zip(llrs, qualities, strict=True)):
        colour = np.array(_GREEN if llr > 0 else _RED) * (0.3 + 0.7 * quality)
        left, end = 16 + i * width, middle - round(llr * scale)
        corners = (left, min(middle, end)), (left + max(1, width - 3), max(middle, end))
        cv2.rectangle(chart, *corners, tuple(float(each) for each in colour), cv2.FILLED)
    return chart
