"""Where a gallery is: a file, or a PostgreSQL server that `postgresql://USER@HOST/DATABASE` names.

Both are carried as a `Path`, so that whatever names a gallery names either. Such a path is never opened:
`opening` looks at what it is first. A password that stands in the address is taken out before anything can
show it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from gallery.errors import GalleryError

if sys.platform == "win32":
    from pathlib import WindowsPath as _Path
else:
    from pathlib import PosixPath as _Path

_SCHEMES = ("postgresql", "postgres")
_SECRET = ("password", "sslpassword", "passfile")  # parameters that may not be shown
_HOSTS = re.compile(r"((\[[^\]]*\]|[^:,@\[\]]*)(:\d*)?)(,(\[[^\]]*\]|[^:,@\[\]]*)(:\d*)?)*")
_given: dict[str, dict[str, str]] = {}  # what was taken out of addresses, for as long as this process lives


class Address(_Path):
    """A server's address as a path that shows itself as people write it. Take one from `place`."""

    def __str__(self) -> str:
        return address(self)


def place(text: str | Path) -> Path:
    """A gallery's place as a path; what is secret in a server's address is remembered apart.

    Raises GalleryError for a server's address that cannot be read.
    """
    if isinstance(text, Path):
        if isinstance(text, Address) or not is_server(text):
            return text
        text = address(text)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES:
        return Path(text)
    rest, _, query = rest.partition("?")
    where, slash, database = rest.partition("/")
    user, at, host = where.rpartition("@")
    user, _, password = user.partition(":")
    pairs = query.split("&") if query else []
    if "@" in database + query or not _HOSTS.fullmatch(host) or not all("=" in pair for pair in pairs):
        raise unreadable()
    secrets = {"password": unquote(password)} if password else {}
    shown = []
    for pair in pairs:  # as libpq reads it, to which a + is a +
        key, _, value = (unquote(part) for part in pair.partition("="))
        if key in _SECRET:
            secrets[key] = value
        else:
            shown.append(f"{quote(key)}={quote(value, safe='/:,')}")
    # Without a host a path would lose one of the three slashes; an empty user says the same.
    who = f"{user}{at}" if host or user else "@"
    parameters = f"?{'&'.join(shown)}" if shown else ""
    made = Address(f"postgresql://{who}{host}{slash}{database}{parameters}")
    if secrets:
        _given[address(made)] = secrets
    return made


def unreadable() -> GalleryError:
    """What is said of an address that is none. It is not quoted: a part of a password may be in it."""
    return GalleryError(
        "the address of the gallery's server cannot be read; it is postgresql://USER@HOST:PORT/DATABASE, "
        "with signs such as @, / and ? of a password written as %40, %2F and %3F"
    )


def is_server(path: Path) -> bool:
    """Whether a path stands for a server."""
    return path.parts[:1] in {(f"{scheme}:",) for scheme in _SCHEMES}


def address(path: Path) -> str:
    """The address that a path stands for, without anything secret."""
    return "postgresql://" + "/".join(path.parts[1:])


def secrets(path: Path) -> dict[str, str]:
    """What was taken out of the address, as parameters of libpq."""
    return dict(_given.get(address(path), {}))


def remember(path: Path | None, given: Mapping[str, str]) -> None:
    """Take over, in another process, what `secrets` told of an address here."""
    if path is not None and given:
        _given[address(path)] = dict(given)


def exists(path: Path) -> bool:
    """Whether there may be a gallery: a file is there. What a server has is known once it is asked."""
    return is_server(path) or path.exists()
