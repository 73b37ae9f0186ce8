"""A sink writes a file that can be played, or says why not and leaves what was there before."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SinkError, SourceError
from pipeline.outputs.video import ImageSink, VideoSink, check_output, open_sink
from pipeline.sources.open import open_source
from pipeline.sources.quiet import quiet_opencv

quiet_opencv()  # FFmpeg reads its level once a process: before the first test of any file writes a video


def grey(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def levels_of(path: Path) -> list[int]:
    """Mean grey level of every frame, from the middle of the picture."""
    capture = cv2.VideoCapture(str(path))
    levels = []
    while (read := capture.read())[0]:
        height, width = read[1].shape[:2]
        levels.append(round(float(read[1][height // 3 : -height // 3, width // 3 : -width // 3].mean())))
    capture.release()
    return levels


def shape_of(path: Path) -> tuple[int, ...]:
    capture = cv2.VideoCapture(str(path))
    shape = capture.read()[1].shape
    capture.release()
    return shape


def write(sink: VideoSink | ImageSink, levels: Sequence[int], error: BaseException | None = None) -> None:
    """What a run does: write frames, perhaps until an error."""
    with sink:
        for level in levels:
            sink.write(grey(level))
        if error is not None:
            raise error


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".avi", ".MP4"])
def test_a_video_holds_the_frames_written_in_order_at_the_rate_given(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(VideoSink(path, fps=29.97), range(10, 250, 20))
    assert levels_of(path) == pytest.approx(list(range(10, 250, 20)), abs=6)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(29.97, abs=0.05)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("fps", [None, 0.0, -5.0, float("nan"), 23.976023976, 59.94005994, 240.123, 1e6, 0.5])
def test_any_frame_rate_makes_a_playable_file(tmp_path: Path, fps: float | None) -> None:
    path = tmp_path / "out.mp4"
    write(VideoSink(path, fps), [50] * 5)
    assert len(levels_of(path)) == 5


@pytest.mark.parametrize("size", [(161, 121), (15, 17), (1, 1), (3, 200), (1920, 1080)])
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_any_frame_size_makes_a_playable_file(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with VideoSink(path) as sink:
        for _ in range(3):
            sink.write(grey(99, *size))
    assert shape_of(path)[:2] == (max(16, size[1] // 2 * 2), max(16, size[0] // 2 * 2))
    assert len(levels_of(path)) == 3


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    with VideoSink(path) as sink:
        for image in (grey(100), grey(150, 30, 90), grey(200, 640, 480)):
            sink.write(image)
    assert shape_of(path) == (48, 64, 3)
    assert levels_of(path)[0] == pytest.approx(100, abs=4)
    assert levels_of(path)[2] == pytest.approx(200, abs=4)
    assert len(levels_of(path)) == 3


def test_no_path_is_a_sink_that_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(VideoSink(None, 25), [1, 2, 3])
    write(open_sink(None), [1, 2, 3])
    assert os.listdir(tmp_path) == []


def test_while_it_is_written_an_existing_file_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with VideoSink(path) as sink:
        sink.write(grey(50))
        assert path.read_bytes() == b"precious"
        assert all(name.startswith(".") for name in os.listdir(tmp_path) if name != "out.mp4")
    assert len(levels_of(path)) == 1


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SourceError("camera gone"), SinkError("no snapshots")], ids=repr
)
def test_what_was_written_before_control_c_a_lost_source_or_another_outputs_failure_is_kept_and_playable(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(type(error)):
        write(VideoSink(path), [50] * 7, error)
    assert len(levels_of(path)) == 7
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_any_other_error_leaves_an_existing_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(ZeroDivisionError):
        write(VideoSink(path), [50] * 7, ZeroDivisionError())
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_a_run_without_frames_leaves_no_file(tmp_path: Path) -> None:
    write(VideoSink(tmp_path / "out.mp4"), [])
    assert os.listdir(tmp_path) == []


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "real.mp4").touch(mode=0o640)
    (tmp_path / "real.mp4").chmod(0o640)
    (tmp_path / "link.mp4").symlink_to("real.mp4")
    write(VideoSink(tmp_path / "link.mp4"), [50] * 3)
    assert (tmp_path / "link.mp4").is_symlink()
    assert len(levels_of(tmp_path / "real.mp4")) == 3
    assert (tmp_path / "real.mp4").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_file_that_may_not_grow_is_an_error_in_one_line_and_leaves_nothing(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"precious")
    script = """
import resource, sys
import numpy as np
from pipeline.errors import SinkError
from pipeline.outputs.video import VideoSink
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
noise = np.random.default_rng(0)
try:
    with VideoSink(sys.argv[1], 25) as sink:
        for _ in range(200):
            sink.write(noise.integers(0, 255, (240, 320, 3), dtype=np.uint8))
except SinkError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "disk full" in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == [path.name]


def test_an_opencv_that_does_not_tell_of_failed_writes_is_found_out_on_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV 4's `write` returns None whatever happens; here it loses half of the frames."""
    path = tmp_path / "out.avi"

    class Lossy:
        def __init__(self, *arguments: object) -> None:
            self._writer = real(*arguments)
            self._frames = 0

        def write(self, image: np.ndarray) -> None:
            self._frames += 1
            if self._frames <= 5:
                self._writer.write(image)

        def isOpened(self) -> bool:  # noqa: N802
            return bool(self._writer.isOpened())

        def release(self) -> None:
            self._writer.release()

        fourcc = staticmethod(cv2.VideoWriter.fourcc)

    real = cv2.VideoWriter
    monkeypatch.setattr(cv2, "VideoWriter", Lossy)
    with pytest.raises(SinkError, match="disk full"):
        write(VideoSink(path), [50] * 10)
    assert os.listdir(tmp_path) == []


def test_a_disk_that_runs_low_ends_the_run_and_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 1 << 40, 1 << 20))
    path = tmp_path / "out.mp4"
    with pytest.raises(SinkError, match=r"disk full: only 1 MiB left .* first 32 frames are kept"):
        write(VideoSink(path), [50] * 100)
    assert len(levels_of(path)) == 32


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_a_picture_is_written_in_the_format_of_its_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sink = open_sink(path)
    assert isinstance(sink, ImageSink)
    write(sink, [123])
    assert cv2.imread(str(path)).mean() == pytest.approx(123, abs=2)
    assert os.listdir(tmp_path) == [path.name]


def test_a_second_picture_is_refused_and_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    with pytest.raises(SinkError, match="single picture"):
        write(ImageSink(path), [1, 2])
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["out.png"]


def test_a_picture_that_its_format_cannot_hold_is_a_sink_error(tmp_path: Path) -> None:
    with ImageSink(tmp_path / "out.webp") as sink, pytest.raises(SinkError, match="does not fit"):
        sink.write(np.zeros((2, 20_000, 3), np.uint8))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xyz", r"cannot write \.xyz; use"),
        ("out", "without a suffix"),
        ("folder.mp4", "is a folder"),
        ("nowhere/out.mp4", "does not exist; make it first"),
        ("file.txt/out.mp4", "cannot write"),
        ("pipe.mp4", "not an ordinary file"),
        ("x" * 300 + ".mp4", "cannot write"),
        ("a\0b.mp4", "cannot write"),
    ],
)
def test_an_impossible_output_is_refused_before_any_work(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.txt").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SinkError, match=message) as caught:
        check_output(tmp_path / name, "0")
    assert "\n" not in str(caught.value)
    with pytest.raises(SinkError):
        open_sink(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="no permission"):
        check_output(tmp_path / "out.mp4")


def test_the_input_is_never_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"precious")
    (tmp_path / "symbolic.mp4").symlink_to(video)
    (tmp_path / "hard.mp4").hardlink_to(video)
    monkeypatch.chdir(tmp_path)
    for out in (video, tmp_path / "symbolic.mp4", tmp_path / "hard.mp4", Path("./a.mp4")):
        for source in (str(video), "a.mp4", str(tmp_path / "symbolic.mp4")):
            with pytest.raises(SinkError, match="is the input itself"):
                check_output(out, source)
    check_output(tmp_path / "b.mp4", str(video))


def test_a_picture_of_the_folder_that_is_read_is_never_the_output(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), grey(1))
    with pytest.raises(SinkError, match="is the input itself"):
        check_output(tmp_path / "1.png", str(tmp_path))


@pytest.mark.parametrize("source", ["0", "rtsp://host/live", "a.mp4", "."])
def test_a_picture_is_refused_as_the_output_of_a_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(VideoSink("a.mp4"), [1])
    with pytest.raises(SinkError, match=r"\.png holds a single picture; use \.mp4"):
        check_output("out.png", source)


def test_a_picture_may_become_a_picture_or_a_film(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), grey(1))
    check_output(tmp_path / "2.jpg", str(tmp_path / "1.png"))
    check_output(tmp_path / "2.mp4", str(tmp_path / "1.png"))


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.png"])
def test_what_shows_people_is_for_its_owner_alone(tmp_path: Path, name: str) -> None:
    with open_sink(tmp_path / name, 25) as sink:
        sink.write(grey(50))
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is UTF-8")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_name_that_is_not_utf8_is_written_too(tmp_path: Path, suffix: str) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")) / f"o\udce9{suffix}"
    path.parent.mkdir()
    with VideoSink(path, 25) as sink:
        for level in range(5):
            sink.write(np.full((48, 64, 3), 40 * level, np.uint8))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with open_source(str(path)) as source:
        assert len(list(source)) == 5
