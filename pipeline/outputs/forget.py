"""Forgetting somebody: everything of them, in everything that is known to have been written.

All of it is read, and found fit to be changed, before the first byte is erased; the gallery goes last, since
without it nothing says any more which looks show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gallery import Gallery, check_name
from gallery.address import exists
from pipeline.errors import PipelineError
from pipeline.identity.judge import Judge
from pipeline.outputs.forgetting import (
    ErasedEvents,
    ErasedSnapshots,
    Track,
    count_events,
    erase_events,
    erase_pictures,
    files_of,
    pictures_in,
    snapshots_of,
    tracks_in,
)
from pipeline.outputs.ledger import SENT, Entry
from pipeline.outputs.sought import Sought, sought
from pipeline.tapes.purge import Found, Purged, purge
from pipeline.tapes.tape import Tape
from pipeline.types import Floats


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not erased."""

    kind: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """Whom to forget, for what is kept elsewhere."""

    person: str  # the gallery's id
    names: frozenset[str]  # theirs, and what they were called before
    tracks: frozenset[Track]  # taken for theirs, on tapes and in events
    dimension: int  # of an embedding
    likely: Callable[[Floats], Sequence[bool]]  # which of embeddings (n, d) are likelier theirs than not


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased of somebody, what was not, and what others hold."""

    name: str
    at: str  # UTC, ISO 8601
    done: bool  # else this is what would be
    gallery: Path
    templates: int
    crops: int
    rewritten: bool  # no byte of them is left in the gallery's file
    tries: int  # of `recog auth` that had failed
    tapes: tuple[Purged, ...]
    events: tuple[ErasedEvents, ...]
    snapshots: tuple[ErasedSnapshots, ...]
    elsewhere: Mapping[str, int]  # of what is kept elsewhere, such as by the service: how much of each
    left: tuple[Left, ...]  # on this machine
    others: tuple[Left, ...]  # out of reach

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = asdict(self)
        values["gallery"] = str(self.gallery)
        for kind, key in (("tapes", "tape"), ("events", "path"), ("snapshots", "folder")):
            values[kind] = [each | {key: str(each[key])} for each in values[kind]]
        return values


@dataclass(frozen=True, slots=True)
class Places:
    """Where somebody may be found."""

    tapes: tuple[Path, ...] = ()
    events: tuple[Path, ...] = ()
    snapshots: tuple[Path, ...] = ()


def forget(
    name: str,
    people: Gallery,
    judge: Judge,
    places: Places,
    noted: Sequence[Entry],
    *,
    tries: Callable[[frozenset[str], bool], int] = lambda names, done: 0,
    elsewhere: Callable[[Known, bool], Mapping[str, int]] = lambda known, done: {},
    dry_run: bool = False,
) -> Receipt:
    """Erase a person from gallery, tapes, events and snapshots.

    Somebody who is not in the gallery any more is erased by the name alone: from events, and from what goes
    with the tracks of those.

    Args:
        people: opened with the model of `judge`, which is of these people.
        places: besides those that were noted; they must be there.
        noted: what was written with this gallery.
        tries: takes names out of the failures that `recog auth` counts, and says how many there were. Given
            False, it only counts.
        elsewhere: erases them where this function cannot, and says how much; called before the gallery.
            Given False, it only counts.
        dry_run: say what would be erased, and change nothing.

    Raises:
        GalleryError: nobody of that name, in the gallery or elsewhere, or the gallery cannot be written.
        SourceError: a tape is in use, damaged or read-only.
        SinkError: events or a snapshot cannot be read or written.
    """
    name = check_name(name)
    whom = sought(people, name, judge)
    names = whom.names
    people.must_write()
    noted = _with_archives(noted)
    failed = tries(names, False)
    left: list[Left] = []
    with ExitStack() as stack:
        tapes = _tapes(stack, places, noted, people.fingerprint, left)
        files = [file for path in _all(places.events, noted, "events") for file in files_of(path)]
        tracks = tracks_in(files, names)
        found = {path: whom.on(tape, tracks) for path, tape in tapes.items()}
        tracks |= {track for each in found.values() for track in each.tracks}
        folders = _all(places.snapshots, noted, "snapshots")
        pictures = {folder: snapshots_of(folder, tracks) for folder in folders}
        ours = {each.resolve() for those in pictures.values() for each in those}
        strays = [each for each in pictures_in(files, tracks) if each.resolve() not in ours]
        for folder in sorted({each.parent for each in strays}):
            pictures[folder] = sorted(each for each in strays if each.parent == folder and each.is_file())
        known = Known(whom.person, names, frozenset(tracks), whom.dimension, whom.likely)
        events = [count_events(file, names, tracks) for file in files]
        if not whom.enrolled:
            counted = elsewhere(known, False)
            told = any(each.events or each.rules for each in events)
            if not (told or failed or any(pictures.values()) or any(counted.values())):
                people.qualities(name)  # nothing is left of that name, and nobody has it: says so
            why = "nobody of that name is enrolled, so their face was not looked for on it"
            left += [Left("tape", str(path), why) for path in tapes]
        counted = elsewhere(known, not dry_run)
        if dry_run:
            purged = [Purged(path, len(each.embeddings), len(each.tracks), 0) for path, each in found.items()]
            shot = [ErasedSnapshots(folder, len(those)) for folder, those in pictures.items()]
        else:
            shot = [ErasedSnapshots(folder, erase_pictures(those)) for folder, those in pictures.items()]
            events = [erase_events(file, names, tracks) for file in files]
            tries(names, True)
            purged = [_purged(tapes[path], path, each) for path, each in found.items()]
    templates, crops = len(whom.templates), sum(each.crop is not None for each in whom.templates)
    rewritten = False
    if whom.enrolled and not dry_run:
        removed = people.remove(name)
        templates, crops, rewritten = removed.templates, removed.crops, removed.erased
    left += _for_the_user(noted, whom)
    return Receipt(
        name,
        datetime.now(UTC).isoformat(timespec="seconds"),
        not dry_run,
        people.path,
        templates,
        crops,
        rewritten,
        failed,
        tuple(each for each in purged if each.looks),
        tuple(each for each in events if each.events or each.rules),
        tuple(each for each in shot if each.pictures),
        counted,
        tuple(left),
        tuple(_out_of_reach(noted, people)),
    )


_BEYOND = {
    "video": "pictures of them cannot be cut out of a film; delete it if they are in it",
    "backup": "it is a copy of the whole gallery; delete it, and make another one",
    "export": "it is a copy of the whole gallery; delete it, and make another one",
    "picture": "they may be on it; look, and delete it",
}


def _for_the_user(noted: Iterable[Entry], whom: Sought) -> list[Left]:
    """What is here and not for us to delete."""
    left = [
        Left(each.kind, each.where, _BEYOND[each.kind])
        for each in noted
        if each.kind in _BEYOND and exists(Path(each.where))
    ]
    origins = sorted({template.origin for template in whom.templates})
    return left + [Left("photograph", each, "it is yours: they were enrolled from it") for each in origins]


def _out_of_reach(noted: Sequence[Entry], people: Gallery) -> list[Left]:
    others = [
        Left(each.kind, each.where, "what was sent there is in other hands")
        for each in noted
        if each.kind in SENT
    ]
    others += [
        Left(each.kind, each.where, "it is not there any more: where it was moved or copied, they are in it")
        for each in noted
        if each.kind in _BEYOND and not exists(Path(each.where))
    ]
    if people.remains:
        others.append(Left("server", str(people.path), people.remains))
    return others


def _with_archives(noted: Sequence[Entry]) -> list[Entry]:
    """With the tapes and events in folders of `recog archive`, also of films that are not finished."""
    found = []
    for each in noted:
        found.append(each)
        if each.kind != "archive":
            continue
        for path in sorted(Path(each.where).rglob("*")):
            if path.suffix == ".tape":
                found.append(Entry("tape", str(path), each.at))
            elif path.name.endswith((".events", ".events.jsonl")):
                found.append(Entry("events", str(path), each.at))
    return found


def _all(given: Iterable[Path], noted: Sequence[Entry], kind: str) -> list[Path]:
    """Places of a kind, each once."""
    both = [*given, *(Path(each.where) for each in noted if each.kind == kind)]
    return list({each.resolve(): each for each in both}.values())


def _tapes(
    stack: ExitStack, places: Places, noted: Sequence[Entry], fingerprint: str, left: list[Left]
) -> dict[Path, Tape]:
    """The tapes, each open for us alone and whole. One that was noted and cannot be searched is left."""
    opened: dict[Path, Tape] = {}
    given = {each.resolve() for each in places.tapes}
    for path in _all(places.tapes, noted, "tape"):
        path = path.resolve()
        if path not in given and not path.is_file():
            continue
        try:
            tape = stack.enter_context(Tape(path, fingerprint, alone=True))
        except PipelineError as error:
            if path in given or "made with the model" not in str(error):
                raise
            left.append(
                Left("tape", str(path), "another model made it, so nobody can be found on it; delete it")
            )
            continue
        tape.check()
        opened[path] = tape
    return opened


def _purged(tape: Tape, path: Path, found: Found) -> Purged:
    return purge(tape, path, found) if len(found.embeddings) else Purged(path, 0, 0, 0)
