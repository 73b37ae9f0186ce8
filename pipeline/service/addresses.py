"""Which sources clients may have watched: cameras, films below configured folders, and streams elsewhere.

What the operator gives on the command line is held to none of this.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pipeline.api import shown_source
from pipeline.errors import SourceError
from pipeline.paths import expanded
from pipeline.service.camera import kind_of
from pipeline.service.options import Options
from pipeline.service.problems import Problem

SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}  # with the port that each means
FILMS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"})
MOST_OFFERED = 500  # films that are listed
DEMO = "demo"  # the demo film, which is made when it is added
_DEVICES = Path("/sys/class/video4linux")


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be added."""

    url: str
    name: str
    kind: Literal["camera", "file", "demo"]


def given(source: str) -> str:
    """A source of the command line as it is kept: films by their whole path, however the next start is made.

    Raises:
        SourceError: there is no such file or folder, or it is standard input.
    """
    if kind_of(source) != "file" or source.lower().startswith("file:"):
        return source
    if source.strip() == "-":
        raise SourceError(
            "--source - is standard input, which a service cannot watch; give a file or address"
        )
    path = expanded(source)
    if not source.strip() or not path.exists():
        raise SourceError(
            f"--source {source!r} does not exist; give a file, folder, camera number or address"
        )
    return str(path.absolute())


def usable(url: str, options: Options, where: str = "body.url") -> str:
    """The address of a source as it is opened.

    Args:
        where: the field that it was given in.

    Raises:
        Problem: clients may not have it watched, or there is no such thing.
    """
    url = url.strip()
    if not url.isprintable() or not url:
        raise _refused("the address holds characters that no address has", where)
    if re.fullmatch(r"[0-9]{1,4}|/dev/video[0-9]{1,4}", url):
        return url
    if url == DEMO:
        return url
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url) and not re.match(r"[A-Za-z]:[\\/]", url):
        return _stream(url, options, where)
    return _file(url, options, where)


def reach(options: Options, host: str, port: int) -> list[str]:
    """The numeric addresses of a host, if streams may be read there.

    Raises:
        SourceError: it is this machine, or no address of a machine; or nobody knows the name.
    """
    named = f"[{host}]" if ":" in host else host
    free = bool(
        {named.casefold(), f"{named}:{port}".casefold()} & {each.casefold() for each in options.hosts}
    )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"nobody knows the address of {host}") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not free and not all(map(_elsewhere, addresses)):
        raise SourceError(
            f"{host} is this machine itself or no machine; if its streams are to be watched, start the "
            f"service with --allow-host {named}:{port}"
        )
    return addresses


def offered(options: Options) -> list[Offer]:
    """What can be added without knowing an address."""
    cameras = [Offer(str(number), name, "camera") for number, name in _cameras()]
    films = [Offer(str(path), name, "file") for path, name in _films(options)]
    return [*cameras, *films, Offer(DEMO, "the demo film", "demo")]


def _stream(url: str, options: Options, where: str) -> str:
    shown = shown_source(url)
    try:
        parts = urlsplit(url)
        port = parts.port or SCHEMES.get(parts.scheme.lower(), 0)
    except ValueError as error:
        raise _refused(f"{shown} is no address", where) from error
    if parts.scheme.lower() not in SCHEMES or not url.partition(":")[2].startswith("//"):
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise _refused(f"{shown}: only {known} can be watched", where)
    if not parts.hostname or re.search(r"[\s\\]", url):
        raise _refused(f"{shown} is no address", where)
    if "***" in url:
        raise _refused(f"{shown}: write the login out; it is not shown again", where)
    try:
        reach(options, parts.hostname, port)
    except SourceError as error:
        if not str(error).startswith("nobody knows"):  # a camera that is switched off may have no name yet
            raise _refused(str(error), where) from error
    return url


def folder_of(text: str, options: Options) -> Path:
    """A folder of photographs below one of the configured folders.

    Raises:
        Problem: it is none.
    """
    found = _below(text, options, "body.folder")
    if not found.is_dir():
        raise _refused("there is no such folder", "body.folder")
    return found


def _file(text: str, options: Options, where: str) -> str:
    if not Path(text).is_absolute():
        raise _refused("this is no address; that of a camera begins with rtsp:// or http://", where)
    found = _below(text, options, where)
    if not (found.is_file() or found.is_dir()):
        raise _refused("there is no such film", where)
    return str(found)


def _below(text: str, options: Options, where: str) -> Path:
    """What is below one of the folders; nothing outside of them is looked at."""
    if not text.isprintable():
        raise _refused("the name holds characters that no file has", where)
    path = Path(os.path.normpath(text))
    inside = next((each for each in options.folders if path.is_relative_to(each)), None)
    if inside is None:
        if not options.folders:
            raise _refused("no files may be used from here: start the service with --folder for that", where)
        known = ", ".join(map(str, options.folders))
        raise _refused(f"only files below {known} may be used", where)
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(inside)):
        raise _refused("a link leads out of the folder", where)
    return real


def _elsewhere(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast or ip.is_reserved)


def _refused(why: str, where: str) -> Problem:
    return Problem(422, "bad_source", why, where)


def _cameras() -> Iterator[tuple[int, str]]:
    """Cameras of this machine, as far as the system lists them; none is opened."""
    if not _DEVICES.is_dir():
        if os.name == "nt" or os.uname().sysname == "Darwin":
            yield 0, "camera 0"
        return
    for device in sorted(_DEVICES.iterdir()):
        found = re.fullmatch(r"video([0-9]+)", device.name)
        try:
            if found and (device / "index").read_text().strip() == "0":  # others carry metadata
                yield int(found[1]), (device / "name").read_text().strip() or device.name
        except OSError:  # unplugged just now
            continue


def _films(options: Options) -> Iterator[tuple[Path, str]]:
    """Films in the folders, with their names in these."""
    count = 0
    for folder in options.folders:
        for root, folders, files in os.walk(folder):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(files):
                path = Path(root) / name
                if path.suffix.lower() in FILMS and not name.startswith("."):
                    yield path, str(path.relative_to(folder))
                    count += 1
                    if count == MOST_OFFERED:
                        return
