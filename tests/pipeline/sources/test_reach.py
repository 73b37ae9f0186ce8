"""Addresses of others, on real servers: never read where a redirect, a playlist or a name leads astray."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError, UnreachableError
from pipeline.sources.film import Film
from pipeline.sources.open import open_source
from pipeline.sources.reach import numbered


class Server(http.server.ThreadingHTTPServer):
    """Answers with the films of a folder, in parts, or as it is told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.redirects: dict[str, str] = {}
        self.login: str | None = None  # by digest
        self.asked: list[str] = []
        self.authorized: list[str] = []

    def at(self, path: str, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.path)
        given = self.headers.get("Authorization")
        server.authorized += [given] if given else []
        if server.login is not None and not self._proven(given, server.login):
            self.send_response(401)
            self.send_header(
                "WWW-Authenticate", 'Digest realm="camera", nonce="n1", qop="auth", algorithm=MD5'
            )
            self.end_headers()
        elif self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.end_headers()
        elif (file := server.folder / self.path[1:]).is_file():
            data, start = file.read_bytes(), 0
            if asked := self.headers.get("Range"):
                start = int(asked.removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("Accept-Ranges", "bytes")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:])
        else:
            self.send_error(404)

    def _proven(self, given: str | None, login: str) -> bool:
        if not given:
            return False
        parts = dict(each.strip().split("=", 1) for each in given.removeprefix("Digest ").split(","))
        said = {key: value.strip('"') for key, value in parts.items()}
        user, _, password = login.partition(":")

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        first, second = md5(f"{user}:camera:{password}"), md5(f"GET:{said['uri']}")
        expected = md5(":".join([first, said["nonce"], said["nc"], said["cnonce"], said["qop"], second]))
        return said["username"] == user and said["response"] == expected

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def servers(tmp_path: Path, world: Any) -> Iterator[Callable[[], Server]]:
    """Starts servers, each with the film `street.mp4`."""
    world.film(tmp_path / "street.mp4", world.RED)
    started: list[tuple[Server, threading.Thread]] = []

    def start() -> Server:
        server = Server(tmp_path)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def only(*ports: int) -> Callable[[str, int], list[str]]:
    """The rule of these tests: some ports of this machine stand for machines that may be reached."""

    def reach(host: str, port: int) -> list[str]:
        if port not in ports:
            raise SourceError(f"{host}:{port} may not be reached")
        return ["127.0.0.1"]

    return reach


def test_a_film_is_read_over_http_as_it_is_without_limits(servers: Callable[[], Server]) -> None:
    """Also where its index stands at the end, for which FFmpeg has to jump."""
    server = servers()
    url = server.at("street.mp4")
    with open_source(url) as free, open_source(url, reach=only(server.server_port)) as limited:
        assert isinstance(limited, Film)
        frames = list(zip(free, limited, strict=True))
    assert len(frames) == 40
    assert all((a.image == b.image).all() and a.seconds == b.seconds for a, b in frames)


def test_what_may_not_be_reached_is_not_asked(servers: Callable[[], Server]) -> None:
    server = servers()
    with pytest.raises(UnreachableError):
        open_source(server.at("street.mp4"), reach=only())
    assert server.asked == []


def test_a_redirect_is_followed_where_it_may_lead_and_not_elsewhere(servers: Callable[[], Server]) -> None:
    first, friend, inner = servers(), servers(), servers()
    reach = only(first.server_port, friend.server_port)
    first.redirects["/moved.mp4"] = friend.at("street.mp4")
    with open_source(first.at("moved.mp4"), reach=reach) as film:
        assert sum(1 for _ in film) == 40
    for way_out in (inner.at("street.mp4"), "file:///etc/passwd", "ftp://127.0.0.1/x"):
        first.redirects["/moved.mp4"] = way_out
        with pytest.raises(UnreachableError):
            open_source(first.at("moved.mp4"), reach=reach)
    assert inner.asked == []


def test_without_limits_a_redirect_would_have_been_followed(servers: Callable[[], Server]) -> None:
    """What the limits are for: FFmpeg by itself goes wherever it is sent."""
    first, inner = servers(), servers()
    first.redirects["/moved.mp4"] = inner.at("street.mp4")
    open_source(first.at("moved.mp4")).close()
    assert inner.asked


def test_the_entries_of_a_playlist_are_held_to_it(servers: Callable[[], Server], tmp_path: Path) -> None:
    first, inner = servers(), servers()
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2.0,\n"
    for entry in (inner.at("street.mp4"), "file:///etc/hostname", inner.at("x.ts")):
        (tmp_path / "list.m3u8").write_text(f"{head}{entry}\n#EXT-X-ENDLIST\n")
        with pytest.raises(SourceError):
            open_source(first.at("list.m3u8"), reach=only(first.server_port))
    assert inner.asked == []


def test_a_login_is_sent_by_digest_to_its_own_host_alone(servers: Callable[[], Server]) -> None:
    camera, other = servers(), servers()
    camera.login = "ann:s3 cret"
    url = camera.at("street.mp4", "ann:s3%20cret@")
    with open_source(url, reach=only(camera.server_port)) as film:
        assert "s3" not in film.name
        assert sum(1 for _ in film) == 40
    assert camera.authorized
    assert "cret" not in "".join(camera.authorized)
    camera.login = None
    camera.redirects["/moved.mp4"] = other.at("street.mp4")
    url = camera.at("moved.mp4", "ann:s3%20cret@")
    open_source(url, reach=only(camera.server_port, other.server_port)).close()
    assert other.asked
    assert other.authorized == []


def test_rtsp_is_called_by_the_number_that_was_checked() -> None:
    reach: Callable[[str, int], list[str]] = lambda host, port: {  # noqa: E731
        ("camera.example", 554): ["192.0.2.7"],
        ("six.example", 8554): ["2001:db8::7"],
    }[(host, port)]
    url = "rtsp://ann:pw@camera.example/live?x=1"
    assert numbered(url, reach) == "rtsp://ann:pw@192.0.2.7:554/live?x=1"
    assert numbered("rtsp://six.example:8554/", reach) == "rtsp://[2001:db8::7]:8554/"


def test_other_kinds_of_addresses_are_not_opened_where_there_are_limits() -> None:
    for url in ("udp://127.0.0.1:9", "rtmp://127.0.0.1/live"):
        with pytest.raises(SourceError, match="is not opened where addresses are limited"):
            open_source(url, reach=only(9))


def test_a_name_that_changes_its_meaning_is_asked_again_at_each_connection(
    servers: Callable[[], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name means a camera when it is checked, and this machine when it is called."""
    from pipeline.service.addresses import reach
    from pipeline.service.options import Options

    server = servers()
    meanings = iter([["192.0.2.1"], ["127.0.0.1"]])
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "camera.example":
            return real(host, port, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in next(meanings)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert reach(Options(), "camera.example", server.server_port) == ["192.0.2.1"]
    url = f"http://camera.example:{server.server_port}/street.mp4"
    with pytest.raises(UnreachableError):
        open_source(url, reach=lambda host, port: reach(Options(), host, port))
    assert server.asked == []
