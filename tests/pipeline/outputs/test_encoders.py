"""A video plays as fast as what it shows happened, in a browser where it can, and with its sound."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SinkError
from pipeline.outputs import encoders
from pipeline.outputs.encoders import LONGEST_STILL, OpenCvEncoder, has_h264
from pipeline.outputs.video import VideoSink
from pipeline.sources.quiet import quiet_opencv

av = pytest.importorskip("av", reason="needs PyAV (the extra h264)")
quiet_opencv()


@pytest.fixture
def without_h264(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "has_h264", lambda: False)


def grey(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def times_and_levels(path: Path) -> list[tuple[float, int]]:
    """When each frame is shown, and its grey level."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (round(float(f.pts * stream.time_base), 3), round(float(f.to_ndarray(format="gray").mean())))
            for f in container.decode(stream)
        ]


def level_at(path: Path, seconds: float) -> int:
    return [level for time, level in times_and_levels(path) if time <= seconds + 1e-3][-1]


def write(path: Path, times: list[float], sound: Path | None = None, fps: float = 20.0) -> None:
    """Frames at these times, each brighter than the last."""
    with VideoSink(path, fps, sound) as sink:
        for i, seconds in enumerate(times):
            sink.write(grey(20 + 10 * i), seconds)


def with_tone(path: Path, codec: str, seconds: float = 2.0, begins: float = 0.0) -> Path:
    """A film of two seconds with a sound track; the clock of both begins at `begins`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=20)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=48_000, layout="mono")
        for i in range(round(20 * seconds)):
            frame = av.VideoFrame.from_ndarray(grey(100), format="bgr24")
            frame.pts, frame.time_base = i + round(20 * begins), Fraction(1, 20)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        size = audio.codec_context.frame_size or 1024
        for begin in range(0, round(48_000 * seconds), size):
            wave = (0.3 * np.sin(np.arange(begin, begin + size) * 0.06)).astype(np.float32)
            form = audio.codec_context.format.name
            whole = {"s16": np.int16, "s32": np.int32}.get(form[:3])
            data = (wave * np.iinfo(whole).max).astype(whole)[None] if whole else wave[None]
            sound = av.AudioFrame.from_ndarray(data, format=form, layout="mono")
            sound.sample_rate = 48_000
            sound.pts, sound.time_base = begin + round(48_000 * begins), Fraction(1, 48_000)
            container.mux(audio.encode(sound))
        container.mux(audio.encode())
    return path


def test_where_there_is_an_encoder_a_browser_can_play_it(tmp_path: Path) -> None:
    assert has_h264()
    path = tmp_path / "out.mp4"
    write(path, [i / 20 for i in range(10)])
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it is still being loaded


def test_where_there_is_none_it_is_mpeg4(tmp_path: Path, without_h264: None) -> None:
    write(tmp_path / "out.mp4", [i / 20 for i in range(10)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"


def test_colours_survive(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (220, 60, 40), (40, 40, 220)
    with VideoSink(path) as sink:
        for _ in range(3):
            sink.write(image)
    read = cv2.VideoCapture(str(path)).read()[1]
    assert np.abs(read[24, 16].astype(int) - (220, 60, 40)).max() < 12
    assert np.abs(read[24, 48].astype(int) - (40, 40, 220)).max() < 12


def test_frames_that_a_live_camera_drops_do_not_make_it_play_faster(tmp_path: Path) -> None:
    times = [100.0, 100.05, 100.5, 100.55, 102.0]
    write(tmp_path / "out.mp4", times)
    assert times_and_levels(tmp_path / "out.mp4") == [
        (pytest.approx(time - 100, abs=1e-3), pytest.approx(20 + 10 * i, abs=4))
        for i, time in enumerate(times)
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_nor_where_the_rate_must_be_constant(tmp_path: Path, without_h264: None, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [0.0, 0.05, 0.5, 0.55, 2.0])
    assert len(times_and_levels(path)) == 41
    expected = {0.0: 20, 0.05: 30, 0.4: 30, 0.5: 40, 0.56: 50, 1.9: 50, 2.0: 60}
    assert {time: level_at(path, time) for time in expected} == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("jitter", [0.0, 0.4])
def test_jitter_neither_repeats_nor_loses_a_frame(tmp_path: Path, without_h264: None, jitter: float) -> None:
    rng = np.random.default_rng(0)
    times = [(i + jitter * rng.uniform()) / 20 for i in range(20)]
    write(tmp_path / "out.mp4", times)
    assert [level for _, level in times_and_levels(tmp_path / "out.mp4")] == pytest.approx(
        [20 + 10 * i for i in range(20)], abs=6
    )


def test_more_frames_than_the_rate_promised_do_not_make_it_play_slower(
    tmp_path: Path, without_h264: None
) -> None:
    write(tmp_path / "out.mp4", [i / 80 for i in range(20)])
    assert 5 <= len(times_and_levels(tmp_path / "out.mp4")) <= 7


def test_a_stream_that_was_away_for_an_hour_is_not_an_hour_of_stills(tmp_path: Path) -> None:
    encoder = OpenCvEncoder(tmp_path / "out.mp4", 20.0, (64, 48))
    for seconds in (0.0, 0.05, 3600.0, 3600.05):
        encoder.write(grey(90), seconds)
    encoder.close()
    assert encoder.promised == pytest.approx(20 * LONGEST_STILL + 4, abs=1)


@pytest.mark.parametrize(
    ("codec", "source", "out"),
    [
        ("aac", "in.mp4", "out.mp4"),
        ("libmp3lame", "in.mkv", "out.mov"),
        ("pcm_s16le", "in.mkv", "out.mkv"),
        ("libopus", "in.mkv", "out.m4v"),
        ("aac", "in.ts", "out.mp4"),
        ("aac", "in.ts", "out.mov"),
        ("ac3", "in.mkv", "out.mp4"),
        ("ac3", "in.ts", "out.m4v"),
        ("eac3", "in.ts", "out.mov"),
        ("eac3", "in.mkv", "out.mp4"),
    ],
)
@pytest.mark.parametrize("begins", [0.0, 7.0])
def test_the_sound_goes_along_and_stays_in_time(
    tmp_path: Path, codec: str, source: str, out: str, begins: float
) -> None:
    film = with_tone(tmp_path / source, codec, begins=begins)
    write(tmp_path / out, [i / 20 for i in range(20)], sound=film)  # half of the film
    with av.open(str(tmp_path / out)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
    begin = float(frames[0].pts * frames[0].time_base)
    end = float(frames[-1].pts * frames[-1].time_base)
    assert begin == pytest.approx(0.0, abs=0.06)
    assert end == pytest.approx(0.95, abs=0.1)
    peak = max(float(np.abs(frame.to_ndarray()).max()) for frame in frames[2:])
    assert peak > 0.2


@pytest.mark.parametrize("kind", ["silent", "missing", "no media", "sound that mp4 cannot hold"])
def test_without_sound_to_be_had_the_pictures_are_written_all_the_same(tmp_path: Path, kind: str) -> None:
    film = tmp_path / "in.mkv"
    if kind == "silent":
        write(film, [0.0, 0.05])
    elif kind == "no media":
        film.write_bytes(b"no film at all" * 100)
    elif kind != "missing":
        with_tone(film, "pcm_s16le")
    write(tmp_path / "out.mp4", [0.0, 0.05, 0.1], sound=film)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
    assert len(times_and_levels(tmp_path / "out.mp4")) == 3


def test_a_time_that_does_not_advance_is_no_error(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [0.0, 0.0, 0.0, 0.05])
    assert len(times_and_levels(tmp_path / "out.mp4")) == 4


def test_an_encoder_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise encoders.EncodingError("the lines are crooked")

    monkeypatch.setattr(encoders.OpenCvEncoder, "write", fail)
    monkeypatch.setattr(encoders, "has_h264", lambda: False)
    with pytest.raises(SinkError, match=r"cannot write .*: the lines are crooked; nothing was kept"):
        write(tmp_path / "out.mp4", [0.0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_an_avi_is_not_recommended_for_what_it_cannot_hold_either(tmp_path: Path, suffix: str) -> None:
    with (
        pytest.raises(SinkError, match=r"of 66000 x 16 pixels can be made here; use smaller pictures$"),
        VideoSink(tmp_path / f"out{suffix}") as sink,
    ):
        sink.write(np.zeros((16, 66_000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_pictures_too_large_for_the_encoder_are_refused_with_what_would_do(tmp_path: Path) -> None:
    panorama = np.full((100, 17_000, 3), 90, np.uint8)
    advice = r"no \.mp4 video of 17000 x 100 pixels can be made here; use smaller pictures, or \.avi$"
    with pytest.raises(SinkError, match=advice), VideoSink(tmp_path / "out.mp4") as sink:
        sink.write(panorama)
    assert list(tmp_path.iterdir()) == []
    with VideoSink(tmp_path / "out.avi") as sink:
        sink.write(panorama)
    assert [level for _, level in times_and_levels(tmp_path / "out.avi")] == [pytest.approx(90, abs=4)]
