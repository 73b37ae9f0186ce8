"""Sources yield what is there, in order and with its time; what is not there is one line of explanation."""

import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import StreamSettings
from pipeline.errors import SourceError
from pipeline.sources.base import Source
from pipeline.sources.open import open_source
from pipeline.sources.quiet import quiet_opencv
from pipeline.types import Frame

FPS = 20.0
quiet_opencv()  # FFmpeg reads its level once a process: before the first test of any file writes a video


def numbered(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture that is its number in eight black and white stripes, which survive any codec."""
    bits = [255 * (number >> bit & 1) for bit in range(8)]
    stripes = np.repeat(np.array(bits, np.uint8), size[0] // 8)
    return np.tile(stripes[None, :, None], (size[1], 1, 3))


def number_of(frame: Frame) -> int:
    stripe = frame.image.shape[1] // 8
    return sum((frame.image[:, stripe * bit : stripe * (bit + 1)].mean() > 127) << bit for bit in range(8))


def write_video(path: Path, frames: int = 40) -> Path:
    codec = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "XVID"}[path.suffix]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, (64, 48))
    for i in range(frames):
        writer.write(numbered(i))
    writer.release()
    return path


def test_a_video_yields_its_frames_in_order_with_media_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    with open_source(str(path)) as source:
        frames = list(source)
    assert [number_of(frame) for frame in frames] == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(40)], abs=1e-3)
    assert {frame.source for frame in frames} == {"a.mp4"}
    assert (source.name, source.live, source.fps, source.size) == ("a.mp4", False, FPS, (64, 48))
    assert source.frame_count == 40
    assert source.complaint is None


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_other_containers_are_read_as_well(tmp_path: Path, suffix: str) -> None:
    with open_source(str(write_video(tmp_path / f"a{suffix}"))) as source:
        frames = list(source)
    assert [number_of(frame) for frame in frames] == list(range(40))
    assert all(earlier.seconds < later.seconds for earlier, later in itertools.pairwise(frames))
    assert source.complaint is None


def test_a_name_that_ffmpeg_would_take_for_an_address_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "a.mp4").rename(tmp_path / "concat:b.mp4")
    monkeypatch.chdir(tmp_path)
    with open_source("concat:b.mp4") as source:
        assert len(list(source)) == 40


@pytest.mark.parametrize("host", ["", "localhost"])
def test_a_file_address_is_a_file(tmp_path: Path, host: str) -> None:
    path = write_video(tmp_path / "a b.mp4", frames=3)
    with open_source(f"file://{host}{str(path).replace(' ', '%20')}") as source:
        assert len(list(source)) == 3


def test_leaving_early_is_no_complaint(tmp_path: Path) -> None:
    with open_source(str(write_video(tmp_path / "a.mp4"))) as source:
        frames = iter(source)
        next(frames)
        source.close()
        assert list(frames) == []
    assert source.complaint is None


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_video_cut_short_yields_what_can_be_read_and_complains(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / f"a{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(str(path)) as source:
        frames = list(source)
    assert 5 < len(frames) < 35
    assert number_of(frames[4]) == 4
    assert source.complaint is not None
    assert f"{len(frames)} of about 40 frames" in source.complaint
    assert capfd.readouterr().err == ""


def _text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 20)


def _cut(path: Path) -> None:
    write_video(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # an MP4's index comes last


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.touch(), r"is empty \(0 bytes\)"),
        (_text, "not a video or picture"),
        (_cut, "not a video or picture"),
        (lambda path: path.mkdir(), "holds no pictures"),
    ],
    ids=["missing", "empty", "text", "cut", "folder"],
)
def test_what_is_no_video_is_refused_in_one_line_and_nothing_is_printed(
    tmp_path: Path, make: Callable[[Path], None], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp4"
    make(path)
    with pytest.raises(SourceError, match=message) as caught:
        open_source(str(path))
    assert "a.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_opening_in_a_fresh_process_prints_nothing(tmp_path: Path) -> None:
    _text(tmp_path / "a.mp4")
    script = """
import sys
from pipeline.errors import SourceError
from pipeline.sources.open import open_source
for spec in [sys.argv[1], "97", "http://127.0.0.1:1/a.mp4"]:
    try:
        open_source(spec)
    except SourceError:
        print("refused")
"""
    command = [sys.executable, "-c", script, str(tmp_path / "a.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "refused\n" * 3
    assert done.stderr == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_video_without_permission_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=2)
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        open_source(str(path))


@pytest.mark.parametrize("spec", ["", "file:", "file://", "file://localhost"])
def test_an_empty_source_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), numbered(1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["", "a\0b", "x" * 5000])
def test_nonsense_is_a_source_error(spec: str) -> None:
    with pytest.raises(SourceError):
        open_source(spec)


def test_a_camera_that_is_not_there_says_so_and_opencv_keeps_silent(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SourceError, match="camera 97 cannot be opened"):
        open_source("97")
    assert capfd.readouterr().err == ""


def test_a_stream_that_does_not_answer_says_so_without_its_password(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as closed:  # bound and not listening: nobody else can take the port meanwhile
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(SourceError, match=rf"rtsp://\*\*\*@127.0.0.1:{port}/live") as caught:
            open_source(f"rtsp://ann:secret@127.0.0.1:{port}/live")
    assert "secret" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_device_that_is_no_camera_is_refused() -> None:
    with pytest.raises(SourceError, match="neither a file nor a folder, nor a pipe"):
        open_source("/dev/null")


def test_an_unknown_kind_of_address_is_refused() -> None:
    with pytest.raises(SourceError, match="ftp:// is not an address"):
        open_source("ftp://ann:secret@host/a.mp4")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """An HTTP server of one video, as a whole file at /a.avi and as an endless-looking stream at /live."""
    body = write_video(tmp_path / "a.avi", frames=20).read_bytes()
    jpegs = [cv2.imencode(".jpg", numbered(i))[1].tobytes() for i in range(20)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path.startswith("/a.avi"):
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            for jpeg in jpegs:
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")

        def log_message(self, *arguments: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # the reader may hang up at any time
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_video_on_a_web_server_is_a_file_and_not_live(served: str) -> None:
    with open_source(f"{served}/a.avi?token=secret") as source:
        frames = list(source)
    assert [number_of(frame) for frame in frames] == list(range(20))
    assert not source.live
    assert source.name.endswith("/a.avi?***")


def test_a_motion_jpeg_stream_is_live_and_complains_when_it_ends(served: str) -> None:
    source: Source
    with open_source(f"{served}/live", stream=StreamSettings(patience=0)) as source:
        frames = list(source)
    assert source.live
    assert len(frames) >= 15
    assert source.complaint is not None
