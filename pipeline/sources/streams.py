"""Network streams and films at an address, through PyAV; secrets are not shown."""

from __future__ import annotations

import re
from collections.abc import Callable

import av
import av.error

from pipeline.config import StreamSettings
from pipeline.errors import SourceError, UnreachableError
from pipeline.sources.base import Source
from pipeline.sources.decoder import Decoder
from pipeline.sources.film import Film
from pipeline.sources.live import Live
from pipeline.sources.reach import PORTS, Fetch, Reach, numbered
from pipeline.types import Image

NETWORK_SCHEMES = frozenset({"http", "https", "rtmp", "rtsp", "rtsps", "udp"})


class Stream:
    """An opened stream."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    @property
    def fps(self) -> float | None:
        """Nominal frames a second, if it says so."""
        return self._decoder.fps

    def read(self) -> Image | None:
        """The next picture; None where none came in time."""
        picture = self._decoder.read()
        return None if picture is None else picture.image

    def close(self) -> None:
        """Hang up. May be called again."""
        self._decoder.close()


def shown_address(url: str) -> str:
    """`url` without what may be secret: `rtsp://***@host/path?***`."""
    scheme, _, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    if re.search("[/?#]", login):  # is it the password that has these, or the path an @? Hide both.
        return f"{scheme}://***"
    place, question, _ = place.partition("?")
    return f"{scheme}://{'***@' if at else ''}{place}{'?***' if question else ''}"


def open_stream(
    url: str,
    scheme: str,
    settings: StreamSettings,
    report: Callable[[str], None],
    waiting: bool = False,
    reach: Reach | None = None,
) -> Source:
    """Open an address: a film where it has a length, as a file on a web server does, else a live stream.

    Args:
        scheme: that of `url`, in lower case.
        report: called with one line whenever a live stream is lost, and when it is back.
        waiting: be lost from the start where it cannot be reached, instead of raising.
        reach: says where streams may be; None for anywhere. With it, only RTSP and HTTP are opened.

    Raises:
        UnreachableError: nothing can be read there. The text holds no secret.
        SourceError: it is no address for this.
    """
    name = shown_address(url)
    if scheme not in NETWORK_SCHEMES:
        known = ", ".join(f"{each}://" for each in sorted(NETWORK_SCHEMES))
        raise SourceError(f"{name}: {scheme}:// is not an address that can be opened here ({known})")
    if reach is not None and scheme not in PORTS:
        raise SourceError(f"{name}: {scheme}:// is not opened where addresses are limited")
    failure = f"{name} cannot be opened; check the address, the login and that the server is running"

    def decoder(live: bool) -> Decoder:
        options = {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
        address, fetch = url, None
        try:
            if reach is not None and scheme.startswith("rtsp"):
                address = numbered(url, reach)
            elif reach is not None:
                fetch = Fetch(url, reach, settings.timeout)
            container = av.open(
                address,
                options=options,
                timeout=(settings.timeout, settings.timeout),
                metadata_errors="replace",
                io_open=fetch,
            )
            return Decoder(container, live=live)
        except (av.error.FFmpegError, OSError, SourceError) as error:
            raise UnreachableError(failure) from error

    if scheme.startswith("http"):
        try:
            opened = decoder(live=False)
        except UnreachableError:
            if not waiting:
                raise
        else:
            if opened.length is not None:
                return Film(name, opened, failure)
            opened.close()
    return Live(name, lambda: Stream(decoder(live=True)), settings, report, waiting)
