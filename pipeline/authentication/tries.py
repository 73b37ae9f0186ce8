"""How often somebody may try: five failures lock for 30 seconds, and each further one for twice as long.

Kept in a file beside the gallery, which only its owner may write, so that a restart does not help. A try
counts from the first frame that is judged: ending the program when it goes badly does not give it back.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.outputs.forgetting import wipe
from pipeline.outputs.private import private_file
from pipeline.paths import beside

FREE = 5  # failures in a row before the first lock
FIRST, LONGEST = 30.0, 3600.0  # seconds
MOST = 50  # failures in a row after which the face is not asked any more


class TriesError(PipelineError):
    """Failures cannot be counted, so nobody may try."""


@dataclass(frozen=True, slots=True)
class Count:
    """Failures in a row, and until when no try is taken (Unix time)."""

    failures: int = 0
    until: float = 0.0
    last: float = 0.0  # when the latest failed

    def failed(self, now: float) -> Count:
        """With one more failure."""
        failures = self.failures + 1
        return Count(failures, now + pause(failures), now)

    def waits(self, now: float) -> float:
        """Seconds until a try is taken; a clock that was set back neither ends nor much lengthens it."""
        if now < self.last:
            return pause(self.failures)
        return max(0.0, self.until - now)


def pause(failures: int) -> float:
    """For how many seconds so many failures in a row lock."""
    if failures < FREE:
        return 0.0
    return min(LONGEST, FIRST * 2.0 ** (failures - FREE))


def tries_path(gallery: Path) -> Path:
    """Where the failures of a gallery's people are counted."""
    own = beside(gallery)
    return own.with_name(f"{own.name}.tries")


def forget_tries(gallery: Path, names: Iterable[str], erase: bool) -> int:
    """Take names out of the failures of a gallery's people; how many failures were counted of them.

    Args:
        erase: else they are only counted.

    Raises:
        TriesError: an attempt is going on, or the file cannot be trusted or written.
    """
    path = tries_path(gallery)
    if not path.exists():
        return 0
    found = 0
    for each in (Tries(path, name) for name in names):
        with each.held():
            failures = each.failures()
            if failures and erase:
                try:
                    with path.open("r+b") as old:
                        each.clear()  # puts another file in its place
                        wipe(old.fileno())
                except OSError as error:
                    raise TriesError(f"{path} cannot be rewritten: {error.strerror}") from error
            found += failures
    return found


class Tries:
    """The failures of one person, kept in a file. One attempt at a time: use `held`."""

    def __init__(self, path: Path, name: str, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            path: the file; made when it is first needed.
            clock: Unix time.
        """
        self._path, self._name, self._clock = path, name, clock

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other attempts out for as long as this one goes on.

        Raises:
            TriesError: another attempt goes on, or the file cannot be trusted or written.
        """
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            handle = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TriesError(f"failures cannot be counted in {self._path}: {error.strerror}") from error
        try:
            _check(lock, os.fstat(handle))
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise TriesError("another attempt is going on; try again when it has ended") from error
            yield
        finally:
            os.close(handle)

    def refusal(self) -> str | None:
        """Why no try is taken now, in words; None where one is.

        Raises:
            TriesError: as for `held`.
        """
        count = self._read().get(self._name, Count())
        if count.failures >= MOST:
            return (
                f"{count.failures} tries in a row failed; the face is not asked any more until "
                f"{self._path} is deleted"
            )
        waits = count.waits(self._clock())
        if waits > 0:
            return f"{count.failures} tries in a row failed; try again in {waits:.0f} s"
        return None

    def failures(self) -> int:
        """How many tries in a row have failed."""
        return self._read().get(self._name, Count()).failures

    def charge(self) -> None:
        """Count a try as failed; `clear` takes it back when it succeeds.

        Raises:
            TriesError: it cannot be written, so the try must not go on.
        """
        counts = self._read()
        counts[self._name] = counts.get(self._name, Count()).failed(self._clock())
        self._write(counts)

    def clear(self) -> None:
        """Forget the failures: somebody was accepted, or is forgotten.

        Raises:
            TriesError: it cannot be written.
        """
        counts = self._read()
        if counts.pop(self._name, None) is not None:
            self._write(counts)

    def _read(self) -> dict[str, Count]:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TriesError(f"failures cannot be counted in {self._path}: {error.strerror}") from error
        with os.fdopen(handle, "rb") as file:
            _check(self._path, os.fstat(handle))
            try:
                plain = json.loads(file.read())
                return {
                    str(name): Count(int(each["failures"]), float(each["until"]), float(each["last"]))
                    for name, each in plain.items()
                }
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TriesError(f"{self._path} is damaged; delete it once you know why") from error

    def _write(self, counts: dict[str, Count]) -> None:
        plain = {
            name: {"failures": each.failures, "until": each.until, "last": each.last}
            for name, each in counts.items()
        }
        try:
            with private_file(self._path) as file:
                file.write(json.dumps(plain).encode())
        except PipelineError as error:
            raise TriesError(f"failures cannot be counted: {error}") from error


def _check(path: Path, found: os.stat_result) -> None:
    """Refuse a file that somebody else owns or may write."""
    if not stat.S_ISREG(found.st_mode):
        raise TriesError(f"{path} is no file; failures cannot be counted")
    if found.st_uid != os.geteuid():
        raise TriesError(f"{path} belongs to somebody else; failures cannot be counted")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise TriesError(f"{path} may be written by others; make it yours alone: chmod 600")
    folder = path.parent.stat()
    others = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if others and not folder.st_mode & stat.S_ISVTX:
        raise TriesError(f"{path.parent} may be written by others, who could delete {path.name}; chmod go-w")
