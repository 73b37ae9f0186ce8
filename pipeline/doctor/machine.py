"""The machine: its clock, its disks, its cameras."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.doctor.finding import Finding
from pipeline.paths import beside

BUILT = datetime(2026, 11, 1, tzinfo=UTC)  # no clock that is right shows an earlier time
LOW, FULL = 2 << 30, 200 << 20  # bytes free from which a disk is worth a note, and is as good as full
_UNSYNCHRONISED = 5  # what adjtimex(2) answers: TIME_ERROR


def clock(now: datetime | None = None) -> Iterator[Finding]:
    """Whether the clock can be right: events carry its time."""
    now = now or datetime.now(UTC)
    told = now.isoformat(timespec="seconds")
    if now < BUILT:
        yield Finding(
            "clock", "mend", f"it shows {told}, before this recog was made", "set it, and switch on NTP"
        )
    elif (known := _synchronised()) is None:
        yield Finding("clock", "ok", f"it shows {told}; whether NTP keeps it cannot be told here")
    elif known:
        yield Finding("clock", "ok", f"it shows {told}, and is kept by NTP")
    else:
        todo = "switch on NTP: timedatectl set-ntp true (in a container: on the machine around it)"
        yield Finding("clock", "note", f"it shows {told}, and nothing keeps it right", todo)


def _synchronised() -> bool | None:
    """Whether the kernel's clock is kept; None where nobody tells."""
    if sys.platform != "linux":
        return None
    asked = ctypes.create_string_buffer(512)  # a struct timex of zeros, which changes nothing
    answer = ctypes.CDLL(None).adjtimex(asked)
    return None if answer < 0 else answer != _UNSYNCHRONISED


def disk(folders: Iterable[Path]) -> Iterator[Finding]:
    """How much room there is, and whether it can be written to."""
    seen = set()
    for folder in folders:
        there = folder.absolute()
        while not there.exists() and there != there.parent:
            there = there.parent
        device = there.stat().st_dev
        if not os.access(there, os.W_OK | os.X_OK):
            yield Finding(
                "disk", "mend", f"{there} cannot be written to", f"give {_user()} the right to write there"
            )
            continue
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        said = f"{free / 2**30:.1f} GiB free where {there} is"
        if free < FULL:
            yield Finding(
                "disk", "mend", said, "make room; keep.days and keep.megabytes delete what live sources left"
            )
        elif free < LOW:
            yield Finding("disk", "note", said, "keep.days and keep.megabytes delete what live sources left")
        else:
            yield Finding("disk", "ok", said)


def places(gallery: Path) -> list[Path]:
    """Where a run writes whatever it is given: beside the gallery, and temporary files."""
    return [beside(gallery).parent, Path(tempfile.gettempdir())]


def cameras(devices: Path = Path("/dev"), system: str = sys.platform) -> Iterator[Finding]:
    """The cameras of this machine, and whether they may be opened; none is."""
    if system != "linux":
        said = "cameras of this system can only be tried"
        yield Finding("cameras", "ok", said, "recog doctor --source 0 tries the first one")
        return
    found = sorted(devices.glob("video[0-9]*"))
    closed = [each for each in found if not os.access(each, os.R_OK | os.W_OK)]
    if not found:
        yield Finding("cameras", "ok", "none is connected to this machine")
    for each in closed:
        todo = f"sudo usermod -aG video {_user()}, and log in again"
        yield Finding("cameras", "mend", f"{each} is there, but may not be opened", todo)
    if found and not closed:
        yield Finding("cameras", "ok", f"{', '.join(map(str, found))} may be opened")


def _user() -> str:
    return os.environ.get("USER") or f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
