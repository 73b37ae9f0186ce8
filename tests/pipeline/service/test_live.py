"""Live pictures: over a real WebSocket and as MJPEG, to quick, slow and vanished viewers."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pipeline.service.access import Role


class Page:
    """What a page does: watch, and say what it has shown."""

    def __init__(self, running: Any, token: str, **headers: str) -> None:
        address = running.url.replace("http", "ws") + "api/v1/live"
        sent = {"authorization": f"Bearer {token}", **headers}
        self._stack = ExitStack()
        opened = connect(address, additional_headers=sent, proxy=None)
        self.socket: ClientConnection = self._stack.enter_context(opened)
        self.first = json.loads(self.socket.recv(timeout=10))

    def close(self) -> None:
        self._stack.close()

    def closed(self) -> int:
        """Hear on until the service closes; with which code."""
        while True:
            try:
                self.hear()
            except ConnectionClosed as closed:
                return 0 if closed.rcvd is None else closed.rcvd.code

    def say(self, **said: Any) -> None:
        self.socket.send(json.dumps(said))

    def hear(self, seconds: float = 10.0) -> dict[str, Any] | tuple[dict[str, Any], bytes]:
        """A message, or a picture with what stands before it."""
        data = self.socket.recv(timeout=seconds)
        if isinstance(data, str):
            found: dict[str, Any] = json.loads(data)
            return found
        (length,) = struct.unpack(">I", data[:4])
        return json.loads(data[4 : 4 + length]), data[4 + length :]

    def picture(self, seconds: float = 10.0) -> tuple[dict[str, Any], bytes]:
        """The next picture; messages are passed over."""
        while True:
            heard = self.hear(seconds)
            if isinstance(heard, tuple):
                return heard

    def event(self, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event of which something is so; pictures are shown meanwhile."""
        while True:
            heard = self.hear()
            if isinstance(heard, tuple):
                self.say(type="shown", source=heard[0]["source"], frame=heard[0]["frame"])
            elif heard["type"] == "event" and so(heard["event"]):
                return heard["event"]


@pytest.fixture
def watched(serve: Callable[..., Any], minute: Path) -> tuple[Any, str]:
    """A service that plays a film of red and green, and the id of that source."""
    running = serve(sources=(str(minute),))
    return running, running.viewer.get("api/v1/sources").json()["items"][0]["id"]


@pytest.fixture
def page(watched: tuple[Any, str]) -> Any:
    running, source = watched
    made = Page(running, running.tokens["viewer"])
    made.say(type="watch", sources=[source], size="grid")
    yield made
    made.close()


def test_a_page_is_told_of_the_sources_and_sent_pictures_with_faces(
    watched: tuple[Any, str], page: Page
) -> None:
    _, source = watched
    assert page.first["type"] == "sources"
    assert [each["id"] for each in page.first["items"]] == [source]
    head, jpeg = page.picture()
    while len(head["faces"]) < 2 or not all(face["event"] for face in head["faces"]):
        page.say(type="shown", source=source, frame=head["frame"])
        head, jpeg = page.picture()
    assert (head["source"], head["width"], head["height"]) == (source, 320, 240)
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).shape == (240, 320, 3)
    face = head["faces"][0]
    assert set(face) == {
        *("key", "track", "event", "box", "state", "name", "person", "confidence", "why", "looks", "covered")
    }
    assert len(face["box"]) == 4


def test_the_next_picture_comes_once_the_last_was_shown_and_is_the_newest(
    watched: tuple[Any, str], page: Page
) -> None:
    _, source = watched
    first, _ = page.picture()
    with pytest.raises(TimeoutError):
        page.picture(1.0)
    page.say(type="shown", source=source, frame=first["frame"] + 1000)  # not the one that was sent
    with pytest.raises(TimeoutError):
        page.picture(0.3)
    page.say(type="shown", source=source, frame=first["frame"])
    second, _ = page.picture()
    assert second["frame"] > first["frame"] + 5


def test_a_name_enrolled_meanwhile_is_in_the_picture_and_the_event_soon(
    watched: tuple[Any, str], page: Page, tmp_path: Path, world: Any
) -> None:
    running, _ = watched
    page.event(lambda event: event["state"] == "unknown")
    red = world.picture(tmp_path / "red.png", world.RED)
    running.service.recog.enroll("alice", [red])
    running.service.people_changed()
    event = page.event(lambda event: event["state"] == "named")
    person = str(running.service.recog.people()[0].id)
    assert (event["name"], event["person"]) == ("alice", person)
    head, _ = page.picture()
    named = [face for face in head["faces"] if face["name"] == "alice"]
    assert [face["event"] for face in named] == [event["id"]]
    assert named[0]["person"] == person


def test_pages_are_told_when_the_gallery_changes_whoever_did_it(
    watched: tuple[Any, str], page: Page, tmp_path: Path, world: Any
) -> None:
    from pipeline.api import Recog

    running, _ = watched
    other = Recog.open(running.service.recog.path)  # as another process does
    other.enroll("bob", [world.picture(tmp_path / "blue.png", world.BLUE)])
    page.socket.send(json.dumps({"type": "watch", "sources": []}))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        heard = page.hear()
        if isinstance(heard, dict) and heard["type"] == "people":
            return
    raise AssertionError("never told")


def test_a_picture_of_one_pixel_width_can_be_shown_small() -> None:
    from pipeline.service import board
    from pipeline.types import Frame, Result

    sliver = Result(Frame(np.zeros((2000, 1, 3), np.uint8), 0, 0.0, "a.png"), (), {}, ())
    made = cv2.imdecode(np.frombuffer(board._encoded(sliver, "grid"), np.uint8), cv2.IMREAD_COLOR)
    assert made.shape == (480, 1, 3)


def test_a_picture_is_encoded_once_for_all_and_not_at_all_for_nobody(
    watched: tuple[Any, str], until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.service import board

    encoded: list[Any] = []
    real = board._encoded

    def counting(result: Any, size: Any) -> bytes:
        encoded.append((result.frame.index, size))
        return real(result, size)

    monkeypatch.setattr(board, "_encoded", counting)
    running, source = watched
    until(lambda: (shown := running.service.board.newest(source)) and shown.number > 5)
    assert encoded == []
    pages = [Page(running, running.tokens["viewer"]) for _ in range(4)]
    for each in pages:
        each.say(type="watch", sources=[source])
    for _ in range(5):
        for each in pages:
            head, _ = each.picture()
            each.say(type="shown", source=source, frame=head["frame"])
    assert len(encoded) == len(set(encoded))
    for each in pages:
        each.close()


def test_a_page_that_reads_nothing_slows_nobody(
    watched: tuple[Any, str], until: Callable[..., Any], page: Page
) -> None:
    running, source = watched
    stuck = Page(running, running.tokens["viewer"])
    stuck.say(type="watch", sources=[source], size="large")  # and never reads
    frames = []
    end = time.monotonic() + 2
    while time.monotonic() < end:
        head, _ = page.picture()
        page.say(type="shown", source=source, frame=head["frame"])
        frames.append(head["frame"])
    assert len(frames) > 7  # of 20
    stuck.close()


def test_viewers_that_vanish_are_forgotten(watched: tuple[Any, str], until: Callable[..., Any]) -> None:
    running, source = watched
    page = Page(running, running.tokens["viewer"])
    page.say(type="watch", sources=[source])
    with running.viewer.stream("GET", f"api/v1/sources/{source}/stream.mjpeg") as stream:
        parts = stream.iter_raw()  # kept: where it is dropped, the stream is closed
        next(parts)
        until(lambda: running.service.board.readers == 2)
    page.socket.socket.close()  # the cable is cut
    until(lambda: running.service.board.readers == 0)
    assert running.viewer.get(f"api/v1/sources/{source}").json()["state"] == "running"


def test_mjpeg_is_one_jpeg_after_the_other(watched: tuple[Any, str], until: Callable[..., Any]) -> None:
    running, source = watched
    got = b""
    with running.viewer.stream("GET", f"api/v1/sources/{source}/stream.mjpeg?boxes=1") as stream:
        assert stream.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        for part in stream.iter_raw():
            got += part
            if got.count(b"--frame\r\n") == 4:
                break
    for part in got.split(b"--frame\r\n")[1:4]:
        head, _, body = part.partition(b"\r\n\r\n")
        length = int(head.rpartition(b" ")[2])
        assert cv2.imdecode(np.frombuffer(body[:length], np.uint8), 1).shape == (240, 320, 3)


def test_a_page_is_let_in_by_a_login_and_its_own_origin_alone(watched: tuple[Any, str]) -> None:
    running, _ = watched
    address = running.url.replace("http", "ws") + "api/v1/live"
    with pytest.raises(InvalidStatus, match=r"40[13]"), connect(address, proxy=None):
        pass
    with pytest.raises(InvalidStatus, match="403"):
        Page(running, running.tokens["viewer"], origin="http://elsewhere.example")


def test_what_is_not_understood_ends_the_connection_and_nothing_else(
    watched: tuple[Any, str], page: Page
) -> None:
    running, source = watched
    for said in ("{", "[]", '{"type":"watch"}', '{"type":"watch","sources":"all"}', b"\x00", "\x00"):
        other = Page(running, running.tokens["viewer"])
        other.socket.send(said)
        assert other.closed() == 1007
    page.say(type="watch", sources=[source, "no such source"])
    page.picture()


def test_a_token_that_is_revoked_ends_what_it_watches(
    watched: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.service.viewer.CHECKED", 0.1)
    running, source = watched
    made = running.access.create_token("kitchen", Role.VIEWER)
    page = Page(running, made.text)
    page.say(type="watch", sources=[source])
    page.picture()
    running.access.revoke_token("kitchen")
    assert page.closed() == 1008


def test_the_end_of_the_service_ends_what_is_watched(watched: tuple[Any, str], page: Page) -> None:
    running, _ = watched
    running.service.halt()
    assert page.closed() == 1001
