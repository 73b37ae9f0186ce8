"""What was written where, in a list beside the gallery: who forgets somebody has to know where to look.

Paths and hosts, nothing of anybody. A place is noted once something is written there, or sent. Runs hold the
list while they write, and who forgets somebody holds it alone: what a run has decided and not yet written
would be written with the name afterwards.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from gallery.address import exists, is_server
from pipeline.errors import SinkError
from pipeline.locks import held
from pipeline.paths import beside
from pipeline.progress import Report

_log = logging.getLogger(__name__)
Kind = Literal[
    "events", "snapshots", "tape", "video", "webhook", "mqtt", "backup", "export", "picture", "archive"
]

SENT = ("webhook", "mqtt")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was written, or sent, with what a gallery knew."""

    kind: Kind
    where: str  # an absolute path; of what is sent, scheme and host
    at: str  # UTC, ISO 8601: when it was first noted


class Ledger:
    """The list of one gallery; the file is readable by its owner only, and made at the first entry."""

    def __init__(self, gallery: Path) -> None:
        self._gallery = gallery
        self.path = (own := beside(gallery)).with_name(f"{own.name}-written")

    @property
    def needed(self) -> bool:
        """Whether there is a gallery, so that there may be somebody to forget."""
        return exists(self._gallery)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say that a run writes, or sends, what it knows from the gallery; waits while somebody is forgotten.

        Any number of runs may. Where the list cannot be opened nobody is told, as `note` then reports.
        """
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CREAT, 0o600)
        except OSError:
            yield
            return
        try:
            held(file, shared=True, wait=True)
            yield
        finally:
            os.close(file)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep runs from writing until this ends.

        Raises:
            SinkError: a run writes.
        """
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise SinkError(f"cannot open {self.path}: {error.strerror}") from error
        try:
            if not held(file):
                raise SinkError(
                    f"a run with the gallery {self._gallery} goes on, and would write what it has decided of "
                    "them already; end it first"
                )
            yield
        finally:
            os.close(file)

    def note(self, kind: Kind, where: str | Path, report: Report = _log.warning) -> None:
        """Note a place once. While there is no gallery there is nobody to forget, and nothing is noted.

        Args:
            report: is told in a line if the list cannot be written; what is written goes on being written.
        """
        if not self.needed:
            return
        kept = kind not in SENT and not (isinstance(where, Path) and is_server(where))
        place = str(Path(where).absolute()) if kept else _origin(str(where)) if kind in SENT else str(where)
        try:
            if any((each.kind, each.where) == (kind, place) for each in self.entries()):
                return
            entry = Entry(kind, place, datetime.now(UTC).isoformat(timespec="seconds"))
            line = json.dumps(asdict(entry), ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except (OSError, SinkError) as error:
            why = getattr(error, "strerror", None) or error
            report(f"cannot note in {self.path} that {place} is written ({why}): recog forget has to be told")

    def entries(self) -> list[Entry]:
        """What was noted, each place once, oldest first. A line that a crash has cut short is passed over.

        Raises:
            SinkError: the list cannot be read.
        """
        try:
            lines = self.path.read_text("utf-8", errors="surrogateescape").split("\n")  # JSON keeps U+2028
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SinkError(f"cannot read {self.path}: {error.strerror}") from error
        found: dict[tuple[Kind, str], Entry] = {}
        for each in _entries(lines):  # two runs that begin at once may both have noted a place
            found.setdefault((each.kind, each.where), each)
        return list(found.values())


def _entries(lines: Iterable[str]) -> Iterable[Entry]:
    for line in lines:
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(values, dict) and values.get("kind") in get_args(Kind):
            yield Entry(values["kind"], str(values.get("where")), str(values.get("at")))


def _origin(address: str) -> str:
    """Scheme, host and port of an address: no login, no path, which may hold a secret."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}"
