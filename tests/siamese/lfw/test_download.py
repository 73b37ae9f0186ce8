"""Downloads, from a real server on this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from siamese.errors import DataError
from siamese.lfw.download import CHUNK, download

BODY = bytes(range(256)) * 1024  # 256 KiB: several chunks
SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@dataclass
class Server:
    """What the server holds, how it misbehaves, and which ranges it was asked for."""

    address: str
    body: bytes = BODY
    ranges: bool = True
    length: bool = True  # says how long the file is
    status: int = 200  # of an answer with the whole file
    offset: int = 0  # bytes by which its ranges begin too late
    breaks: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    asked: list[str | None] = field(default_factory=list)

    def url(self, path: str = "file") -> str:
        return f"{self.address}/{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told: Server = self.server.told  # type: ignore[attr-defined]
        if self.path == "/moved-to-ftp":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/file")
            self.end_headers()
            return
        if self.path != "/file":
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        told.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and told.ranges else 0
        if start >= len(told.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(told.body)}")
            self.end_headers()
            return
        start += told.offset
        self.send_response(206 if asked and told.ranges else told.status)
        if asked and told.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(told.body) - 1}/{len(told.body)}")
        if told.length:
            self.send_header("Content-Length", str(len(told.body) - start))
        self.end_headers()
        end = start + told.breaks.pop(0) if told.breaks else None
        self.wfile.write(told.body[start:end])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the web is reached through a proxy, this machine itself is not."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        told = Server(f"http://127.0.0.1:{http.server_port}")
        http.told = told  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        http.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file"


def part(target: Path, content: bytes) -> Path:
    """What an earlier run left."""
    target.parent.mkdir(parents=True)
    path = target.with_name("file.part")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_file_arrives_whole_and_progress_counts_its_bytes(
    server: Server, target: Path, size: int | None
) -> None:
    seen: list[tuple[int, int | None]] = []
    assert (
        download([server.url()], target, size, SHA256, lambda done, total: seen.append((done, total)))
        == target
    )
    assert target.read_bytes() == BODY
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert list(target.parent.iterdir()) == [target]


def test_md5_is_understood_too(server: Server, target: Path) -> None:
    checksum = "md5:" + hashlib.md5(BODY).hexdigest()
    assert download([server.url()], target, None, checksum).read_bytes() == BODY


def test_a_verified_file_is_not_fetched_again(server: Server, target: Path) -> None:
    download([server.url()], target, None, SHA256)
    download([server.url()], target, None, SHA256)
    assert len(server.asked) == 1


def test_a_broken_transfer_goes_on_from_where_it_was(server: Server, target: Path) -> None:
    server.breaks = [100_000, 50_000]
    download([server.url()], target, len(BODY), SHA256, pause=0)
    assert target.read_bytes() == BODY
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_run_goes_on_from_what_an_earlier_one_left(server: Server, target: Path) -> None:
    part(target, BODY[:1000])
    download([server.url()], target, None, SHA256)
    assert target.read_bytes() == BODY
    assert server.asked == ["bytes=1000-"]


def test_a_transfer_that_keeps_breaking_is_one_line_and_keeps_what_came(server: Server, target: Path) -> None:
    server.breaks = [1000, 1000, 1000]
    with pytest.raises(DataError, match=r"closed after 3,000 of 262,144 bytes; tried 3 times") as caught:
        download([server.url()], target, len(BODY), SHA256, attempts=3, pause=0)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    assert target.with_name("file.part").read_bytes() == BODY[:3000]


def test_a_server_without_ranges_is_read_from_the_beginning(server: Server, target: Path) -> None:
    server.ranges = False
    server.breaks = [CHUNK + 5]
    download([server.url()], target, len(BODY), SHA256, pause=0)
    assert target.read_bytes() == BODY
    assert server.asked == [None, f"bytes={CHUNK + 5}-"]


def test_a_server_that_answers_with_another_range_is_not_believed(server: Server, target: Path) -> None:
    left = part(target, BODY[:1000])
    server.offset = 5
    with pytest.raises(DataError, match="another range"):
        download([server.url()], target, len(BODY), SHA256)
    assert left.read_bytes() == BODY[:1000]


def test_an_answer_that_is_not_the_file_is_not_taken_for_it(server: Server, target: Path) -> None:
    server.status = 202  # as some file hosts answer to what they take for a robot
    with pytest.raises(DataError, match="HTTP 202 Accepted"):
        download([server.url()], target, None, SHA256)


def test_a_part_that_is_whole_already_is_only_verified(server: Server, target: Path) -> None:
    part(target, BODY)
    download([server.url()], target, len(BODY), SHA256)
    assert target.read_bytes() == BODY
    assert server.asked == []


def test_without_a_known_size_the_server_says_that_a_part_is_whole(server: Server, target: Path) -> None:
    part(target, BODY)
    download([server.url()], target, None, SHA256)
    assert target.read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY)}-"]


@pytest.mark.parametrize("size", [len(BODY), None])
@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * (len(BODY) + 10)], ids=["other", "longer"])
def test_a_spoiled_part_is_thrown_away_and_the_file_fetched_afresh(
    server: Server, target: Path, size: int | None, left: bytes
) -> None:
    part(target, left)
    download([server.url()], target, size, SHA256, pause=0)
    assert target.read_bytes() == BODY
    assert server.asked[-1] is None


def test_a_wrong_checksum_is_told_in_full_and_leaves_nothing(server: Server, target: Path) -> None:
    server.body = BODY[:-1] + b"!"
    actual = hashlib.sha256(server.body).hexdigest()
    with pytest.raises(
        DataError, match=rf"checksum is sha256:{actual}, expected {SHA256}; the file was removed"
    ):
        download([server.url()], target, len(BODY), SHA256, pause=0)
    assert list(target.parent.iterdir()) == []
    assert len(server.asked) == 1  # the same bytes again would be no better


def test_another_file_than_the_one_wanted_is_not_even_read(server: Server, target: Path) -> None:
    left = part(target, BODY[:10])
    server.body = b"<html>Sign in to the guest network</html>"
    server.ranges = False
    with pytest.raises(DataError, match="offers 41 bytes, expected 262,144"):
        download([server.url()], target, len(BODY), SHA256)
    assert left.read_bytes() == BODY[:10]


def test_a_server_that_never_stops_is_stopped_at_the_size(server: Server, target: Path) -> None:
    server.body = BODY * 4
    server.length = False
    with pytest.raises(DataError, match="sends more than 262,000 bytes"):
        download([server.url()], target, 262_000, SHA256)
    assert list(target.parent.iterdir()) == []


def test_the_second_mirror_serves_what_the_first_has_not(server: Server, target: Path) -> None:
    download([server.url("gone"), server.url()], target, len(BODY), SHA256)
    assert target.read_bytes() == BODY


def test_a_part_begun_at_one_mirror_is_continued_at_the_next(server: Server, target: Path) -> None:
    server.breaks = [1000]
    download([server.url(), server.url()], target, len(BODY), SHA256, attempts=1)
    assert target.read_bytes() == BODY
    assert server.asked == [None, "bytes=1000-"]


def test_when_every_mirror_fails_each_ones_reason_is_told(server: Server, target: Path) -> None:
    with pytest.raises(DataError, match=r"a: HTTP 404 .*b: HTTP 404 .*save it as .*file"):
        download([server.url("a"), server.url("b")], target, None, SHA256)


def test_no_server_is_a_data_error(server: Server, target: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be downloaded .*refused"):
        download(["http://127.0.0.1:1/file"], target, None, SHA256, timeout=5)


def test_a_silent_server_is_given_up_after_the_timeout(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(DataError, match="timed out"):
            download([url], target, None, SHA256, timeout=0.1, attempts=2, pause=0)


def test_a_transfer_that_stalls_is_given_up_after_the_timeout_and_keeps_what_came(target: Path) -> None:
    def answer(listening: socket.socket, done: threading.Event) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(CHUNK)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n"
            connection.sendall(head.encode() + BODY[:CHUNK])
            done.wait()

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening, done))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/file"
        with pytest.raises(DataError, match="timed out"):
            download([url], target, len(BODY), SHA256, timeout=0.5, attempts=1)
        done.set()
        thread.join()
    assert target.with_name("file.part").read_bytes() == BODY[:CHUNK]


def test_only_the_web_is_fetched_from(server: Server, target: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    with pytest.raises(DataError, match="only http and https"):
        download([secret.as_uri()], target, None, SHA256)
    with pytest.raises(DataError, match="unknown url type: ftp"):
        download([server.url("moved-to-ftp")], target, None, SHA256)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk without room")
def test_a_full_disk_is_a_data_error_that_says_so(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"No space left on device.*make room"):
        download([server.url()], target, len(BODY), SHA256)


def test_a_folder_that_cannot_be_made_is_a_data_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DataError, match="cannot be written"):
        download([server.url()], tmp_path / "taken" / "file", None, SHA256)
