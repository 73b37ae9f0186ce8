"""Sound stays with the pictures it is stored with, whatever the container's clock does, or that is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.outputs.sound import Sound
from pipeline.outputs.video import VideoSink
from pipeline.sources.open import open_source

FPS, RATE = 20, 48_000


def film(path: Path, codecs: tuple[str, str], jumps: Sequence[float], only: str = "both") -> Path:
    """A film of a second for each of `jumps`, by which its clock is wrong in that second.

    The first half of each second is dark and silent, the second half is bright and loud.

    Args:
        only: whose clock is wrong: of `both`, or of the `sound`.
    """
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codecs[0], rate=FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        if codecs[0] == "libx264":
            video.codec_context.options = {"tune": "zerolatency"}  # no picture is stored before its turn
        audio: Any = container.add_stream(codecs[1], rate=RATE, layout="mono")
        size, heard = audio.codec_context.frame_size or 1024, 0
        form = audio.codec_context.format.name

        def mux(packets: Iterable[Any], jumps: Sequence[float]) -> None:
            for packet in packets:
                second = min(max(0, int(packet.pts * packet.time_base)), len(jumps) - 1)
                late = round(jumps[second] / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                container.mux(packet)

        right = [0.0] * len(jumps)
        for number in range(len(jumps) * FPS):
            level = 230 if number % FPS >= FPS // 2 else 20
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            mux(video.encode(picture), jumps if only == "both" else right)
            while heard < (number + 1) * RATE // FPS:
                at = np.arange(heard, heard + size)
                wave = 0.5 * np.sin(at * 0.06) * (at % RATE >= RATE // 2)
                data = (wave * 32767).astype(np.int16) if form.startswith("s16") else wave.astype(np.float32)
                sound = av.AudioFrame.from_ndarray(data[None], format=form, layout="mono")
                sound.sample_rate, sound.time_base = RATE, Fraction(1, RATE)
                sound.pts, heard = heard, heard + size
                mux(audio.encode(sound), jumps)
        mux(video.encode(), jumps if only == "both" else right)
        mux(audio.encode(), jumps)
    return path


def copied(source: Path, out: Path) -> str | None:
    """Write the pictures of a film anew, with its sound; what was said of it."""
    with open_source(str(source)) as frames, VideoSink(out, FPS, source, frames.begins) as sink:
        for frame in frames:
            sink.write(frame.image, frame.seconds)
        return sink.lost


def together(path: Path) -> tuple[float, float]:
    """The share of the sound that is as loud as the picture at that time is bright, and its last second."""
    with av.open(str(path)) as container:
        pictures = [
            (float(f.time), f.to_ndarray(format="gray").mean() > 120) for f in container.decode(video=0)
        ]
        container.seek(0)
        heard = [(float(f.time), np.abs(f.to_ndarray()).max()) for f in container.decode(audio=0)]
    loudest = max(level for _, level in heard)
    agree = [
        (level > loudest / 4) == next(bright for shown, bright in reversed(pictures) if shown <= max(at, 0))
        for at, level in heard
    ]
    return float(np.mean(agree)), max(at for at, _ in heard)


@pytest.mark.parametrize(
    ("name", "codecs"),
    [("a.ts", ("mpeg2video", "mp2")), ("a.ts", ("libx264", "aac")), ("a.mkv", ("libx264", "aac"))],
)
@pytest.mark.parametrize("jumps", [(0, 0, 0), (0, 5000, 9000)], ids=["no jump", "jumps ahead"])
def test_where_the_clock_jumps_sound_goes_on_with_the_pictures(
    tmp_path: Path, name: str, codecs: tuple[str, str], jumps: tuple[float, ...]
) -> None:
    out = tmp_path / "out.mkv"
    said = copied(film(tmp_path / name, codecs, jumps), out)
    share, last = together(out)
    assert share > 0.85
    assert last == pytest.approx(3.0, abs=0.15)
    assert said is None


def test_two_films_in_one_file_keep_both_their_sounds(tmp_path: Path) -> None:
    part, both = film(tmp_path / "a.ts", ("mpeg2video", "mp2"), [0.0, 0.0]), tmp_path / "b.ts"
    both.write_bytes(part.read_bytes() * 2)
    copied(both, tmp_path / "out.mkv")
    share, last = together(tmp_path / "out.mkv")
    assert share > 0.85
    assert last == pytest.approx(4.0, abs=0.2)


def test_sound_with_a_clock_of_its_own_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", ("libx264", "aac"), [0.0, 5000.0, 5000.0], only="sound")
    said = copied(source, tmp_path / "out.mp4")
    assert said is not None
    assert "did not fit the clock of the pictures" in said
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(3.0, abs=0.2)


def test_sound_that_the_output_cannot_carry_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", ("libx264", "pcm_s16le"), [0.0])
    said = copied(source, tmp_path / "out.mp4")
    assert (
        said
        == f"{tmp_path / 'out.mp4'}: its sound (pcm_s16le) has no place in this kind of file; .mkv takes it"
    )


def test_a_film_whose_first_pictures_cannot_be_decoded_keeps_its_sound_in_time(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", ("libx264", "aac"), [0.0])
    sound = Sound(source, begins=0.4)  # the first picture that could be decoded
    first, at = next(iter(sound.until(1.0)))
    sound.close()
    assert at == pytest.approx(float(first.pts * first.time_base) - 0.4, abs=0.001)


def test_a_name_that_is_not_utf8_has_sound_too(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", ("libx264", "aac"), [0.0])
    odd = Path(str(tmp_path) + "/caf\udce9.mkv")
    source.rename(odd)
    sound = Sound(odd)
    assert list(sound.until(1.0))
    sound.close()
