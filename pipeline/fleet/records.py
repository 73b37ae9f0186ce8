"""The list of what is done of an archive, in its output folder: a line for each film, the latest counts.

Only the driver writes it, and one driver at a time. It holds names of files, nobody's names.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.errors import SinkError
from pipeline.fleet.jobs import STATE
from pipeline.locks import held


@dataclass(frozen=True, slots=True)
class Record:
    """A film that is done."""

    film: str  # its path below the folder
    key: str  # of film, models and settings
    digest: str  # SHA-256 of the film
    size: int  # bytes
    modified: int  # nanoseconds
    frames: int
    seconds: float  # of the film
    complaint: str | None  # what of it could not be read
    at: str  # UTC, ISO 8601


class Records:
    """The list of one output folder, held by one driver. Use it in a `with` statement."""

    def __init__(self, out: Path) -> None:
        """Make the folder, and read the list.

        Raises:
            SinkError: it cannot be written, or another program is at work there.
        """
        self._path = out / STATE / "done.jsonl"
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise SinkError(f"cannot write {self._path}: {error.strerror}") from error
        if not held(self._file):
            os.close(self._file)
            raise SinkError(
                f"{out}: another recog archive is at work there; wait for it, or choose another --out"
            )
        self._of: dict[str, Record] = {}
        self._films: dict[str, str] = {}  # by key
        text = self._path.read_text("utf-8", errors="surrogateescape")
        if text and not text.endswith("\n"):
            self._write(b"\n")  # a crash has cut the last line short: the next one is not to be part of it
        for line in text.split("\n"):  # and not at U+2028, which JSON keeps as it is
            try:
                record = Record(**json.loads(line))
            except (ValueError, TypeError):
                continue  # cut short: that film is looked at again
            self._take(record)

    def of(self, film: str) -> Record | None:
        """What was done of the film at this path last."""
        return self._of.get(film)

    def by_key(self, key: str) -> Record | None:
        """What was done of the same film with the same models and settings, whatever it was called."""
        found = self._of.get(self._films.get(key, ""))
        return found if found is not None and found.key == key else None

    def add(self, record: Record) -> None:
        """Note that a film is done.

        Raises:
            SinkError: the disk is full.
        """
        self._take(record)
        self._write(json.dumps(asdict(record), ensure_ascii=False).encode(errors="backslashreplace") + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            raise SinkError(f"cannot write {self._path}: {error.strerror}") from error

    def _take(self, record: Record) -> None:
        self._of[record.film] = record
        self._films[record.key] = record.film

    def close(self) -> None:
        """Let others work there."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
