"""Streams of a real server are read, found again when it was away, and no password is ever shown."""

import itertools
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.api import Recog
from pipeline.config import StreamSettings
from pipeline.errors import SourceError
from pipeline.sources.open import open_source
from pipeline.sources.quiet import quiet_opencv
from pipeline.sources.streams import shown_address
from tests.pipeline.ports import free_port

quiet_opencv()
SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://ann:secret@host:554/live/1", "rtsp://***@host:554/live/1"),
        ("rtsp://host/live", "rtsp://host/live"),
        ("http://host/a.mp4?token=secret", "http://host/a.mp4?***"),
        ("rtsp://ann:p@ss@host/live", "rtsp://***@host/live"),
        ("rtsp://ann:p/ss@host/live", "rtsp://***"),
        ("rtsp://ann:p?ss@host/live", "rtsp://***"),
        ("http://ann:s@[::1]:80", "http://***@[::1]:80"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert shown_address(url) == shown


class RtspServer:
    """A real server that can be killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [SYSTEM_PYTHON, str(SERVER), str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def server() -> Iterator[RtspServer]:
    if (
        not Path(SYSTEM_PYTHON).exists()
        or subprocess.run([SYSTEM_PYTHON, SERVER], capture_output=True).returncode
    ):
        pytest.skip("needs an RTSP server: see tests/pipeline/sources/rtsp_server.py for what to install")
    made = RtspServer()
    yield made
    made.kill()


def test_a_server_that_is_killed_and_restarted_is_found_again(server: RtspServer) -> None:
    lines: list[str] = []
    settings = StreamSettings(timeout=3, patience=20)
    address = f"rtsp://ann:secret@127.0.0.1:{server.port}/live"
    with open_source(address, stream=settings, report=lines.append) as source:
        assert source.live
        frames = iter(source)
        before = [next(frames) for _ in range(5)]
        server.kill()
        threading.Timer(0.5, server.start).start()
        after = [next(frames) for _ in range(60)]
    shown = f"rtsp://***@127.0.0.1:{server.port}/live"
    assert lines[0].startswith(f"{shown} was lost after ")
    assert len(lines) == 2
    assert lines[-1].startswith(f"{shown} is back after ")
    assert [frame.index for frame in before + after] == list(range(65))
    seconds = [frame.seconds for frame in before + after]
    assert seconds == sorted(set(seconds))
    assert max(b - a for a, b in itertools.pairwise(seconds)) > 0.9  # time went on meanwhile
    assert after[-1].image.shape == (120, 160, 3)
    assert not any("secret" in text for text in [*lines, before[0].source, source.name])


def test_a_run_over_a_stream_that_dies_keeps_what_it_has_and_shows_no_secret(  # type: ignore[no-untyped-def]
    tmp_path: Path, server: RtspServer, detector, embedder, recog
) -> None:
    address = f"rtsp://ann:secret@127.0.0.1:{server.port}/live"
    detector.before = lambda frame: server.kill() if frame == 5 else None
    outputs = ["-e", tmp_path / "e.jsonl", "--tape", tmp_path / "t.tape", "-o", tmp_path / "o.mp4"]
    changed = ["stream.timeout=3", "stream.patience=1.5", "det.every=1"]
    ended = recog("run", "-s", address, *outputs, *[f"--set={each}" for each in changed])
    assert ended.code == 1
    assert f"rtsp://***@127.0.0.1:{server.port}/live was lost after" in ended.out
    assert "gave no more frames after" in ended.err
    assert cv2.VideoCapture(str(tmp_path / "o.mp4")).read()[0]
    written = b"".join((tmp_path / name).read_bytes() for name in ("e.jsonl", "t.tape"))
    assert b"secret" not in written + ended.out.encode() + ended.err.encode()


@pytest.mark.parametrize("way", ["stop", "close"])
def test_a_lost_stream_of_the_api_can_be_ended_although_it_would_be_tried_for_ever(
    tmp_path: Path,
    server: RtspServer,
    way: str,
    detector: Any,
    embedder: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recognition = Recog.open(tmp_path / "people.db", {"stream": {"timeout": 1}})
    with recognition.follow(f"rtsp://127.0.0.1:{server.port}/live") as frames:
        next(frames)
        server.kill()
        ended = threading.Event()

        def take() -> None:
            for _ in frames:
                pass
            ended.set()

        def was_lost() -> bool:
            return "was lost after" in caplog.text

        taker = threading.Thread(target=take, daemon=True)
        if way == "stop":
            taker.start()
            wait_for(was_lost)
            frames.stop()
            assert ended.wait(30)
        else:
            wait_for(was_lost)
            threading.Thread(target=lambda: (frames.close(), ended.set()), daemon=True).start()
            assert ended.wait(30)


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_still_picture_from_a_real_server_is_told(server: RtspServer) -> None:
    lines: list[str] = []
    settings = StreamSettings(timeout=3, patience=20, frozen=0.5)
    with open_source(f"rtsp://127.0.0.1:{server.port}/still", stream=settings, report=lines.append) as source:
        frames = list(zip(range(60), source, strict=False))
    assert len(frames) == 60
    assert [line.split(" ", 1)[1].split("; ")[0].split(" after ")[0] for line in lines] == [
        "has shown the same picture for 0.5 s",
        "is back",
    ]


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(SourceError, match="cannot be opened") as caught:
            open_source(
                f"rtsp://ann:secret@127.0.0.1:{silent.getsockname()[1]}/live",
                stream=StreamSettings(timeout=0.5),
            )
    assert time.monotonic() - started < 9, "the default is 10 s"
    assert "secret" not in str(caught.value)


def test_of_several_cameras_one_that_is_away_at_the_start_is_waited_for_and_the_others_run(  # type: ignore[no-untyped-def]
    tmp_path: Path, world, server: RtspServer, detector, embedder, recog
) -> None:
    server.kill()
    film = world.film(tmp_path / "film.avi", world.RED, count=60)

    def later(frame: int) -> None:
        if frame == 0:
            server.start()
        if frame == 150:
            server.kill()

    detector.before = later
    address = f"rtsp://127.0.0.1:{server.port}/live"
    changed = ["stream.timeout=3", "stream.patience=6", "det.every=1"]
    options = ["--events", tmp_path / "e.jsonl", *[f"--set={each}" for each in changed]]
    ended = recog("run", "-s", address, "-s", film, *options)
    assert ended.code == 1  # it was given up at last
    assert f"{address} cannot be reached; it is tried again" in ended.out
    assert f"{address} is back after" in ended.out
    assert "film.avi: 60 frames" in ended.out
    assert f"{address} gave no more frames after" in ended.err


def test_where_none_can_be_reached_the_run_is_refused(tmp_path: Path, detector, embedder, recog) -> None:  # type: ignore[no-untyped-def]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        addresses = [f"rtsp://ann:secret@127.0.0.1:{closed.getsockname()[1]}/{name}" for name in "ab"]
        ended = recog("run", "-s", addresses[0], "-s", addresses[1])
    ended.refused("/a cannot be opened")
    assert "/b cannot be opened" in ended.err
    assert "secret" not in ended.err + ended.out
