"""The gallery, and who else could read it; and where a home is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gallery.address import is_server
from gallery.health import check_whole
from gallery.opening import present
from pipeline import build
from pipeline.config import Settings
from pipeline.doctor.finding import Finding
from pipeline.words import counted_people


def gallery(path: Path | None, settings: Settings) -> Iterator[Finding]:
    """Whether it can be used with this model, is whole, and is private."""
    file = build.gallery_path(path)
    if not present(file):
        todo = "recog enroll --name NAME --images DIR"
        yield Finding("gallery", "note", f"there is none yet at {file}, so everybody is unknown", todo)
        return
    check_whole(file)
    if not is_server(file):
        yield from _private(file)
    embedder = build.embedder(settings)
    with closing(build.people(file, embedder)) as people:
        judge = build.judge(people, embedder, settings)
        count = judge.people_count
        yield Finding("gallery", "ok", f"{file} is whole, with {counted_people(count)}")
        if (why := judge.nobody_why()) is not None:
            yield Finding("gallery", "mend", why)
        elif (claim := judge.claimed()) is not None:
            yield Finding("gallery", "ok" if judge.claim is not None else "note", claim)


def _private(file: Path) -> Iterator[Finding]:
    if os.name == "nt":
        return
    mode = file.stat().st_mode & 0o777
    if mode & 0o007:
        said = f"everybody on this machine can open {file} (mode {mode:04o})"
        yield Finding("gallery", "mend", said, f"chmod 600 {file}")
    elif mode & 0o070:
        yield Finding("gallery", "note", f"the group can open {file} (mode {mode:04o})", f"chmod 600 {file}")


def home(settings: Settings) -> Iterator[Finding]:
    """Whether a home can be told, if one is to be; nothing is sent."""
    from pipeline.outputs.broker import address_of
    from pipeline.outputs.home import check_home

    if not settings.mqtt.url:
        return
    try:
        check_home(settings.mqtt)
    except ModuleNotFoundError:
        yield Finding(
            "home", "mend", "mqtt.url is set, and paho-mqtt is missing", "pip install 'recog[mqtt]'"
        )
        return
    address = address_of(settings.mqtt.url, settings.mqtt.password_file)
    if address.user and address.password is None:
        yield Finding("home", "note", f"{address.shown}: there is a user and no password", "see docs/home.md")
    else:
        yield Finding("home", "ok", f"sightings go to {address.shown}")
