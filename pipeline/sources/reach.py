"""Addresses that somebody else has given: only what may be reached is connected to, whatever a server says.

FFmpeg follows redirects and the entries of playlists by itself. Here `Fetch` makes each connection of HTTP,
and asks first, by number: a name cannot mean one address when it is checked and another when it is called. Of
RTSP, the address is checked and called by number; a redirect to another RTSP server is FFmpeg's to follow.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from pipeline.errors import SourceError

# Numeric addresses of a host that may be connected to at a port. Raises SourceError: none may.
Reach = Callable[[str, int], list[str]]
PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
MOST_REDIRECTS = 5


def numbered(url: str, reach: Reach) -> str:
    """The address with its host as a number.

    Raises:
        SourceError: it may not be reached.
    """
    parts = urllib.parse.urlsplit(url)
    port = parts.port or PORTS[parts.scheme.lower()]
    address = reach(parts.hostname or "", port)[0]
    login, at, _ = parts.netloc.rpartition("@")
    host = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{login}{at}{host}:{port}").geturl()


class Fetch:
    """Opens addresses of HTTP for FFmpeg."""

    def __init__(self, url: str, reach: Reach, timeout: float) -> None:
        """
        Args:
            url: the first address; its login is sent to its host, and to no other.
            timeout: seconds to connect, and to wait for data.
        """
        self._timeout = timeout
        parts = urllib.parse.urlsplit(url)
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if parts.username is not None:
            place = parts._replace(netloc=parts.netloc.rpartition("@")[2], path="/", query="").geturl()
            user, password = (urllib.parse.unquote(each or "") for each in (parts.username, parts.password))
            passwords.add_password(None, place, user, password)
        opener = urllib.request.OpenerDirector()
        for handler in (
            _Http(reach),
            _Https(reach),
            _Redirects(),
            urllib.request.HTTPDigestAuthHandler(passwords),
            urllib.request.HTTPBasicAuthHandler(passwords),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)  # no proxy of the environment, no file, no FTP
        self._opener = opener

    def __call__(self, url: str, flags: int, options: dict[str, Any]) -> io.RawIOBase:
        """Open an address for FFmpeg.

        Raises:
            OSError: it cannot be reached, or may not be.
        """
        return Remote(self, url)

    def get(self, url: str, start: int) -> http.client.HTTPResponse:
        """Ask for what is at an address, from a byte on. Raises OSError."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise PermissionError(f"{parts.scheme} is not HTTP")
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        request = urllib.request.Request(bare, headers={"User-Agent": "recog"})  # noqa: S310 (checked above)
        if start:
            request.add_header("Range", f"bytes={start}-")
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout)
        except (SourceError, http.client.HTTPException, ValueError) as error:
            raise OSError(str(error)) from error
        if start and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            answer.close()
            raise OSError("the server gives no parts")
        return answer


class Remote(io.RawIOBase):
    """What is at an address, read like a file; it can be read from any place if the server gives parts."""

    def __init__(self, fetch: Fetch, url: str) -> None:
        """Connect. Raises OSError."""
        self._fetch, self._url, self._at = fetch, url, 0
        self._answer = fetch.get(url, 0)
        length = self._answer.getheader("Content-Length")
        self._length = int(length) if length is not None and length.isdigit() else None
        self._parts = self._length is not None and self._answer.getheader("Accept-Ranges") == "bytes"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._parts

    def read(self, size: int = -1) -> bytes:
        """What comes next, `size` bytes at most; nothing at the end."""
        data = self._answer.read1(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        length = self._length or 0
        at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: length}[whence] + offset
        if at != self._at and self._parts:
            self._answer.close()
            if at < length:
                self._answer = self._fetch.get(self._url, at)
            self._at = at
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS


class _Http(urllib.request.HTTPHandler):
    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self._reach = reach

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_connections(http.client.HTTPConnection, self._reach), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, reach: Reach) -> None:
        self._secure = ssl.create_default_context()
        super().__init__(context=self._secure)
        self._reach = reach

    def https_open(self, request: urllib.request.Request) -> Any:
        made = _connections(http.client.HTTPSConnection, self._reach)
        return self.do_open(made, request, context=self._secure)


def _connections(kind: Any, reach: Reach) -> Any:
    """What makes connections of a kind that go to checked addresses alone."""

    def connect(place: tuple[str, int], timeout: float | None = None, *_: Any) -> socket.socket:
        error: OSError | None = None
        for address in reach(*place):
            try:
                return socket.create_connection((address, place[1]), timeout)
            except OSError as raised:
                error = raised
        raise error or OSError("no address")

    def made(host: str, **arguments: Any) -> Any:
        connection = kind(host, **arguments)
        connection._create_connection = connect
        return connection

    return made
