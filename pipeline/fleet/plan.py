"""Which cameras a fleet watches, and what each needs: `fleet.toml`.

gallery = "/srv/recog/people.db"   # where every machine finds it
out = "/srv/recog/seen"            # on the machine that runs `recog fleet`: events, looks, state

[[camera]]
name = "door"
source = "rtsp://user:password@door/live"
processors = 0.4                   # of one; `recog bench --live` measures it
megabytes = 500
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from gallery.address import is_server, place
from pipeline.config import Section
from pipeline.errors import ConfigError
from pipeline.paths import expanded


class CameraPlan(Section):
    """A camera of the fleet."""

    name: str = Field(pattern=r"^[\w][\w .-]*$", max_length=60)
    source: str = Field(min_length=1, repr=False)  # may hold a login
    processors: float = Field(1.0, gt=0, le=1024)
    megabytes: float = Field(600.0, gt=0)


class Fleet(Section):
    """What `fleet.toml` says."""

    gallery: str | None = Field(None, repr=False)  # a file, or the address of a server
    out: Path
    camera: tuple[CameraPlan, ...] = Field(min_length=1)

    def people(self) -> Path | None:
        """Where the gallery is; None for the user's own. Raises GalleryError for an address that is none."""
        if self.gallery is None:
            return None
        found = place(self.gallery)
        return found if is_server(found) else expanded(found).absolute()

    @field_validator("camera")
    @classmethod
    def _names_differ(cls, cameras: tuple[CameraPlan, ...]) -> tuple[CameraPlan, ...]:
        names = [each.name.casefold() for each in cameras]
        if twice := next((each for each in names if names.count(each) > 1), None):
            raise ValueError(f"two cameras are called {twice}")
        return cameras


def read_fleet(path: Path) -> Fleet:
    """The fleet that a file describes.

    Raises:
        ConfigError: in one line, what is wrong with it; an address is never part of it.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error
    try:
        fleet = Fleet.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(each + 1) if isinstance(each, int) else each for each in first["loc"])
        raise ConfigError(f"{path}: {where}: {first['msg'].lower().removeprefix('value error, ')}") from error
    return fleet.model_copy(update={"out": expanded(fleet.out).absolute()})
