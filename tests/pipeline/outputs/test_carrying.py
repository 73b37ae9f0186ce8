"""Sound that a file cannot hold is left out with a word of what would hold it; the pictures are written."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.outputs.video import VideoSink
from pipeline.sources.open import open_source

av = pytest.importorskip("av", reason="needs PyAV (the extra h264)")


def film(path: Path, codec: str, sound_begins: int = 0, seconds: int = 2, rate: int = 48_000) -> Path:
    """A film whose sound begins late; its clock says so."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("flv" if path.suffix == ".flv" else "mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=rate, layout="mono")
        form, size = audio.codec_context.format.name, audio.codec_context.frame_size or rate // 25
        heard = sound_begins * rate
        for number in range(25 * seconds):
            grey = np.full((48, 64, 3), 20 + 4 * (number % 50), np.uint8)
            picture = av.VideoFrame.from_ndarray(grey, format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
            while heard < (number + 1) * rate // 25:
                wave = 0.3 * np.sin(np.arange(heard, heard + size) * 0.06)
                data = (wave * 32767).astype(np.int16) if form.startswith("s16") else wave.astype(np.float32)
                sound = av.AudioFrame.from_ndarray(data[None], format=form, layout="mono")
                sound.sample_rate, sound.time_base, sound.pts = rate, Fraction(1, rate), heard
                container.mux(audio.encode(sound))
                heard += size
        container.mux(video.encode())
        container.mux(audio.encode())
    return path


def copied(source: Path, out: Path) -> str | None:
    """Write the pictures of a film anew, with its sound; what was said of it, without the file's name."""
    with open_source(str(source)) as frames, VideoSink(out, 25, source, frames.begins) as sink:
        for frame in frames:
            sink.write(frame.image, frame.seconds)
        return None if sink.lost is None else sink.lost.removeprefix(f"{out}: ")


def pictures_and_seconds_of_sound(path: Path) -> tuple[int, float]:
    with av.open(str(path)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
        if not container.streams.audio:
            return pictures, 0.0
        container.seek(0)
        heard = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
        return pictures, heard


@pytest.mark.parametrize("out", ["out.mkv", "out.mp4", "out.mov"])
@pytest.mark.parametrize(
    ("name", "codec", "rate", "shown"),
    [
        ("in.m2ts", "pcm_bluray", 48_000, "pcm_bluray"),
        ("in.avi", "g726", 8_000, "adpcm_g726"),
        ("in.flv", "nellymoser", 8_000, "nellymoser"),
    ],
)
def test_sound_that_no_file_takes_is_left_out_and_none_is_recommended(
    tmp_path: Path, out: str, name: str, codec: str, rate: int, shown: str
) -> None:
    said = copied(film(tmp_path / name, codec, rate=rate), tmp_path / out)
    assert said == f"its sound ({shown}) has no place in this kind of file"
    pictures, heard = pictures_and_seconds_of_sound(tmp_path / out)
    assert pictures >= 49
    assert heard == 0


def test_sound_of_a_kind_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    source = film(tmp_path / "in.avi", "pcm_s16le")
    data = bytearray(source.read_bytes())
    tag = data.index(b"strf", data.index(b"auds")) + 8
    data[tag : tag + 2] = b"\x34\x12"
    source.write_bytes(data)
    said = copied(source, tmp_path / "out.mkv")
    assert said == "its sound (of an unknown kind) has no place in this kind of file"
    assert pictures_and_seconds_of_sound(tmp_path / "out.mkv") == (50, 0)


def test_sound_of_a_broadcast_that_only_a_broadcast_takes_is_left_out(tmp_path: Path) -> None:
    """AAC in LATM: every list has AAC."""
    plain = film(tmp_path / "in.mkv", "aac")
    source = tmp_path / "in.ts"
    with av.open(str(plain)) as old, av.open(str(source), "w", options={"mpegts_flags": "latm"}) as new:
        copies = [new.add_stream_from_template(each) for each in old.streams]
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    said = copied(source, tmp_path / "out.mkv")
    assert said == "its sound (aac_latm) has no place in this kind of file"
    assert pictures_and_seconds_of_sound(tmp_path / "out.mkv") == (50, 0)


def test_sound_that_would_have_to_be_waited_for_is_left_out_and_what_takes_it_is_said(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "ac3", sound_begins=12, seconds=14)
    said = copied(source, tmp_path / "out.mp4")
    assert said == "its sound (ac3) begins too late to have a place in this kind of file; .mkv takes it"
    assert copied(source, tmp_path / "out.mkv") is None
    assert pictures_and_seconds_of_sound(tmp_path / "out.mkv") == (350, pytest.approx(2, abs=0.1))


def test_late_sound_that_need_not_be_waited_for_goes_along(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "aac", sound_begins=12, seconds=14)
    assert copied(source, tmp_path / "out.mp4") is None
    assert pictures_and_seconds_of_sound(tmp_path / "out.mp4") == (350, pytest.approx(2, abs=0.1))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize(("name", "codec"), [("in.mkv", "ac3"), ("in.ts", "aac"), ("in.mkv", "aac")])
def test_a_killed_run_leaves_a_file_that_plays_up_to_its_last_second(
    tmp_path: Path, name: str, codec: str
) -> None:
    source = film(tmp_path / name, codec, seconds=6)
    script = """
import os, signal, sys
from pathlib import Path
from pipeline.outputs.video import VideoSink
from pipeline.sources.open import open_source
with open_source(sys.argv[1]) as frames, VideoSink(sys.argv[2], 25, Path(sys.argv[1]), frames.begins) as sink:
    for frame in frames:
        sink.write(frame.image, frame.seconds)
        if frame.seconds > 5:
            os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", script, str(source), str(tmp_path / "out.mp4")]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    (left,) = [tmp_path / each for each in os.listdir(tmp_path) if each.startswith(".out")]
    pictures, heard = pictures_and_seconds_of_sound(left)
    assert pictures >= 25 * 4
    assert heard >= 3.9
