"""Taking somebody out of files of events and folders of snapshots.

An event is theirs if it bears their name, and so are all events of its track: who came in and who left is the
same face. Events of others may say whose faces were covered, and name them: there the name goes. What goes is
overwritten before it is let go of; a file system that copies instead of overwriting, and a disk that moves
blocks, may still hold it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery.errors import GalleryError
from gallery.names import check_name
from pipeline.errors import SinkError
from pipeline.outputs.retention import put_aside

Track = tuple[str, int]  # the id of a run, and the number of a track in it
_SNAPSHOT = re.compile(r"([0-9a-f]{12})-(\d+)\.jpg")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ErasedEvents:
    """What was taken out of a file of events."""

    path: Path
    events: int
    thumbnails: int  # that were in them
    rules: int = 0  # events of others that named them among those whose faces were covered


@dataclass(frozen=True, slots=True)
class ErasedSnapshots:
    """What was taken out of a folder."""

    folder: Path
    pictures: int


def files_of(events: Path) -> list[Path]:
    """A file of events and those it was put aside as; only what is there."""
    aside = put_aside(events) if events.parent.is_dir() else []
    return [each for each in (events, *sorted(aside)) if each.is_file()]


def tracks_in(events: Iterable[Path], names: frozenset[str]) -> set[Track]:
    """The tracks that bear one of these names in files of events.

    Raises:
        SinkError: a file cannot be read.
    """
    return {
        track
        for path in events
        for _, event in _lines(path)
        if names & {event.get("name"), event.get("previous")}
        if (track := _track(event)) is not None
    }


def pictures_in(events: Iterable[Path], tracks: set[Track]) -> set[Path]:
    """The snapshots that events of these tracks name."""
    return {
        Path(event["snapshot"])
        for path in events
        for _, event in _lines(path)
        if _track(event) in tracks and isinstance(event.get("snapshot"), str)
    }


def count_events(path: Path, names: frozenset[str], tracks: set[Track]) -> ErasedEvents:
    """What `erase_events` would take out. Raises SinkError: the file cannot be read."""
    events = thumbnails = rules = 0
    for _, event in _lines(path):
        if _theirs(event, names, tracks):
            events += 1
            thumbnails += "thumbnail" in event
        else:
            rules += _names_in_rule(event, names)
    return ErasedEvents(path, events, thumbnails, rules)


def erase_events(path: Path, names: frozenset[str], tracks: set[Track]) -> ErasedEvents:
    """Take somebody's events out of a file, and their name out of others'; if anything fails, nothing.

    A run that is appending to it goes on in the new file (see `EventLog`); what it wrote meanwhile is kept.

    Raises:
        SinkError: the file cannot be read or written.
    """
    found = count_events(path, names, tracks)
    if not found.events and not found.rules:
        return found
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        made = Path(name)
        with path.open("r+b") as old, os.fdopen(handle, "wb") as new:
            os.fchmod(new.fileno(), os.fstat(old.fileno()).st_mode & 0o7777)
            _copy(old, new, names, tracks)
            os.fsync(new.fileno())
            made.replace(path)
            _copy(old, new, names, tracks)  # what was appended meanwhile
            wipe(old.fileno())
    except OSError as error:
        raise SinkError(f"cannot rewrite {path}: {error.strerror or error}") from error
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
    return found


def snapshots_of(folder: Path, tracks: set[Track]) -> list[Path]:
    """The snapshots of these tracks in a folder."""
    if not folder.is_dir():
        return []
    named = ((each, _SNAPSHOT.fullmatch(each.name)) for each in folder.iterdir())
    return sorted(each for each, found in named if found and (found[1], int(found[2])) in tracks)


def erase_pictures(pictures: Iterable[Path]) -> int:
    """Overwrite and delete pictures; how many were there.

    Raises:
        SinkError: one of them cannot be deleted.
    """
    gone = 0
    for path in pictures:
        try:
            with path.open("r+b") as file:
                wipe(file.fileno())
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SinkError(f"cannot delete {path}: {error.strerror or error}") from error
        gone += 1
    return gone


def _copy(old: Any, new: Any, names: frozenset[str], tracks: set[Track]) -> None:
    for line in old:
        event = _event(line)
        if event is None:
            new.write(line)
        elif not _theirs(event, names, tracks):
            new.write(_without(event, names) if _names_in_rule(event, names) else line)
    new.flush()


def wipe(file: int) -> None:
    """Overwrite a file with zeros, on the disk."""
    size = os.fstat(file).st_size
    for start in range(0, size, _CHUNK):
        os.pwrite(file, bytes(min(_CHUNK, size - start)), start)
    os.fsync(file)


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for line in file:
                event = _event(line)
                if event is not None:
                    yield line, event
    except OSError as error:
        raise SinkError(f"cannot read {path}: {error.strerror or error}") from error


def _event(line: bytes) -> dict[str, Any] | None:
    """An event; None for a line that is none, such as one that a crash has cut short."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _track(event: dict[str, Any]) -> Track | None:
    run, hyphen, _ = str(event.get("id", "")).rpartition("-")
    return (run, event["track"]) if hyphen and isinstance(event.get("track"), int) else None


def _named(word: Any, names: frozenset[str]) -> bool:
    """Whether a word of `blur.who` is `name:` or `not:` one of them."""
    try:
        return check_name(str(word).partition(":")[2]) in names
    except GalleryError:
        return False


def _names_in_rule(event: dict[str, Any], names: frozenset[str]) -> bool:
    rule = event.get("blur")
    return isinstance(rule, list) and any(_named(word, names) for word in rule)


def _without(event: dict[str, Any], names: frozenset[str]) -> bytes:
    """The line of an event of somebody else whose rule of covering does not name them any more.

    Whoever looks at it later covers as many faces as before, or more: of all but some one fewer is shown, and
    where they alone were covered, who that is cannot be told any more.
    """
    rest = [str(word) for word in event["blur"] if not _named(word, names)]
    kept = rest if rest and all(word.strip().startswith("not") for word in rest) else ["all"]
    return (json.dumps(event | {"blur": kept}, ensure_ascii=False) + "\n").encode()


def _theirs(event: dict[str, Any], names: frozenset[str], tracks: set[Track]) -> bool:
    return bool(names & {event.get("name"), event.get("previous")}) or _track(event) in tracks
