"""The whole check-up, in the order in which things depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline import build
from pipeline.config import Settings
from pipeline.doctor import machine, media, people
from pipeline.doctor import models as nets
from pipeline.doctor.finding import Finding, looked_at


def check_up(
    settings: Settings,
    gallery: Path | None,
    sources: Sequence[str],
    again: bool,
    devices: list[dict[str, Any]],
) -> Iterator[Finding]:
    """Look at everything, and say what is found as it is.

    Args:
        sources: are opened, as `--source` takes them, and one picture is read of each.
        again: devices that were checked earlier are checked and measured once more.
        devices: is given what was found of each device and model, for JSON.

    Raises:
        GalleryError: there is no place for a gallery.
    """
    yield from looked_at("models", lambda: nets.models(settings))
    yield from looked_at("devices", lambda: nets.placed(settings, again, devices))
    yield from looked_at("gallery", lambda: people.gallery(gallery, settings))
    yield from machine.cameras()
    yield from media.sources(sources, settings)
    yield from media.codecs(settings)
    yield from looked_at("home", lambda: people.home(settings))
    yield from machine.clock()
    yield from machine.disk(machine.places(build.gallery_path(gallery)))
