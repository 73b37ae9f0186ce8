"""A stream that is lost comes back by itself, in order and in time, and no password is ever shown."""

import itertools
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import StreamSettings
from pipeline.errors import SourceError
from pipeline.sources.open import open_source
from pipeline.sources.quiet import quiet_opencv
from pipeline.sources.streams import Stream, shown_address

quiet_opencv()
SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")


class FakeCapture:
    """A capture that gives these pictures, by grey level, and then nothing."""

    def __init__(self, *levels: int) -> None:
        self._levels = list(levels)

    def read(self) -> tuple[bool, np.ndarray | None]:
        if not self._levels:
            return False, None
        return True, np.full((48, 64, 3), self._levels.pop(0), np.uint8)

    def get(self, key: int) -> float:
        return 0.0

    def release(self) -> None:
        self._levels = []


def stream(
    *captures: FakeCapture, lines: list[str] | None = None, waits: bool = False, **settings: float
) -> Stream:
    """A stream that opens these captures one after the other, and then captures that give nothing."""
    left = iter(captures)
    report = (lambda line: None) if lines is None else lines.append
    made = Stream("rtsp://host", lambda: next(left, FakeCapture()), "no", StreamSettings(**settings), report)
    if not waits:
        made._closed.wait = lambda pause: False  # type: ignore[method-assign, misc, assignment]
    return made


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


def test_a_lost_stream_is_opened_again_and_the_attempt_is_reported() -> None:
    lines: list[str] = []
    source = stream(FakeCapture(1, 2), FakeCapture(3, 4, 5), lines=lines, patience=1.5)
    frames = iter(source)
    assert [next(frames).index for _ in range(5)] == [0, 1, 2, 3, 4]
    assert lines == ["rtsp://host was lost after 2 frames; trying again in 1 s", "rtsp://host is back"]


def test_attempts_come_at_growing_intervals() -> None:
    lines: list[str] = []
    source = stream(FakeCapture(1), *[FakeCapture()] * 5, FakeCapture(2), lines=lines, patience=60)
    frames = iter(source)
    assert [next(frames).index for _ in range(2)] == [0, 1]
    assert [line.split(" in ")[1] for line in lines[:-1]] == ["1 s", "2 s", "4 s", "8 s", "8 s", "8 s"]


def test_a_stream_that_does_not_come_back_ends_with_a_complaint() -> None:
    source = stream(FakeCapture(1, 2), waits=True, patience=1.2)
    assert len(list(source)) == 2
    assert source.complaint == "rtsp://host gave no more frames after 2; check its connection"


def test_closing_ends_the_wait_for_a_lost_stream() -> None:
    waiting = threading.Event()
    captures = iter([FakeCapture(1)])
    source = Stream(
        "x",
        lambda: next(captures, FakeCapture()),
        "no",
        StreamSettings(patience=600),
        lambda line: waiting.set(),
    )
    thread = threading.Thread(target=lambda: list(source), daemon=True)
    thread.start()
    assert waiting.wait(10)
    source.close()
    thread.join(10)
    assert not thread.is_alive()
    assert source.complaint is None


def test_a_picture_that_stands_still_is_a_lost_stream_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    lines: list[str] = []
    source = stream(FakeCapture(*[7] * 60), FakeCapture(*[7] * 60), lines=lines, frozen=20, patience=100)
    frames = list(zip(range(60), source, strict=False))
    assert len(frames) == 60  # with the same picture after it was opened again, it is not lost again
    assert lines == [
        "rtsp://host has shown the same picture for 20 s",
        f"rtsp://host was lost after {lines[1].split()[4]} frames; trying again in 1 s",
        "rtsp://host is back",
    ]


def test_a_picture_that_changes_now_and_then_does_not_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    lines: list[str] = []
    levels = [i // 5 for i in range(200)]
    source = stream(FakeCapture(*levels), lines=lines, frozen=20, patience=0)
    assert len(list(source)) == 200
    assert lines == []


class RtspServer:
    """A real server that can be killed and started again."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
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
    assert lines[-1] == f"{shown} is back"
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


def test_a_still_picture_from_a_real_server_is_told(server: RtspServer) -> None:
    lines: list[str] = []
    settings = StreamSettings(timeout=3, patience=20, frozen=0.5)
    with open_source(f"rtsp://127.0.0.1:{server.port}/still", stream=settings, report=lines.append) as source:
        frames = list(zip(range(60), source, strict=False))
    assert len(frames) == 60
    assert [line.split(" ", 1)[1] for line in lines][::2] == [
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
    assert time.monotonic() - started < 5
    assert "secret" not in str(caught.value)
