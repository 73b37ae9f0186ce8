"""A film gives all its frames, upright and in proportion, on a clock that advances; it says what it lacks."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.files import open_file
from pipeline.sources.open import open_source
from pipeline.types import Frame, Image

FPS = 20


def numbered(number: int, size: tuple[int, int] = (64, 48)) -> Image:
    """A picture that is its number in eight black and white stripes, which survive any codec."""
    bits = [255 * (number >> bit & 1) for bit in range(8)]
    stripes = np.repeat(np.array(bits, np.uint8), size[0] // 8)
    return np.tile(stripes[None, :, None], (size[1], 1, 3))


def number_of(frame: Frame) -> int:
    stripe = frame.image.shape[1] // 8
    return sum((frame.image[:, stripe * bit : stripe * (bit + 1)].mean() > 127) << bit for bit in range(8))


def write(
    path: Path | str,
    images: Iterable[Image] | int = 40,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    change: Callable[[Any], None] = lambda stream: None,
    **options: str,
) -> Path:
    """Encode a film.

    Args:
        images: the pictures, or how many numbered ones.
        times: seconds of each; at 20 a second by default.
        change: told the stream before the first frame.
        options: of the container.
    """
    pictures = [numbered(i) for i in range(images)] if isinstance(images, int) else list(images)
    with av.open(str(path), "w", options=options) as film:
        stream: Any = film.add_stream(codec, rate=FPS)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        clock = Fraction(1, 1000) if times is not None else Fraction(1, FPS)
        stream.codec_context.time_base = clock
        change(stream)
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = number if times is None else round(1000 * times[number])
            frame.time_base = clock
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return Path(path)


# A red block in the upper left corner, a green one beside it: no turn and no mirror leaves both in place.
MARKED: Image = np.full((96, 160, 3), 200, np.uint8)
MARKED[8:40, 8:48] = (0, 0, 220)
MARKED[8:40, 112:152] = (0, 200, 0)


def read(path: Path | str) -> tuple[list[Frame], Any]:
    with open_source(str(path)) as source:
        return list(source), source


def test_who_paints_on_a_picture_does_not_change_those_that_follow(tmp_path: Path) -> None:
    still = numbered(77)
    # Flash's screen video comes as BGR, and of each picture only what has changed.
    path = write(tmp_path / "a.flv", [still] * 4, codec="flashsv", pixels="bgr24")
    with open_source(str(path)) as film:
        for frame in film:
            assert number_of(frame) == 77
            frame.image[:] = 0


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("a.mkv", "libx265", {}),
        ("a.ts", "mpeg2video", {}),
        ("a.webm", "libvpx", {"live": "1"}),  # as browsers record: no length, no index
        ("a.h264", "libx264", {}),
        ("a.hevc", "libx265", {}),
        ("a.mjpeg", "mjpeg", {}),
        ("fragments.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
def test_every_frame_of_a_film_is_given_with_or_without_a_length(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    frames, source = read(write(tmp_path / name, codec=codec, pixels=pixels, **options))
    assert [number_of(frame) for frame in frames] == list(range(40))
    seconds = [frame.seconds for frame in frames]
    assert seconds == sorted(set(seconds))
    assert seconds[-1] == pytest.approx(39 / (source.fps or FPS), abs=0.1)
    assert (source.live, source.complaint, source.remark) == (False, None, None)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.webm", "libvpx", {"live": "1"}), ("a.h264", "libx264", {}), ("a.mkv", "libx264", {"live": "1"})],
)
def test_a_film_without_a_length_that_is_over_in_a_moment_says_how_many_frames_it_has(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    frames, source = read(write(tmp_path / name, 8, codec=codec, **options))
    assert [number_of(frame) for frame in frames] == list(range(8))
    assert (source.frame_count, source.complaint, source.remark) == (8, None, None)


def test_a_thousand_frames_a_second_are_counted_where_the_film_states_no_rate(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as film:
        stream = film.add_stream("libx264", rate=1000, width=64, height=48, pix_fmt="yuv420p")
        for number in range(40):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="bgr24")))
        film.mux(stream.encode())
    stored = (tmp_path / "a.mkv").read_bytes()
    rate = bytes.fromhex("23e383 83 0f4240")  # Matroska's DefaultDuration: a million nanoseconds
    assert stored.count(rate) == 1
    (tmp_path / "a.mkv").write_bytes(stored.replace(rate, bytes.fromhex("ec 85") + bytes(5)))  # empty space
    frames, source = read(tmp_path / "a.mkv")
    assert (len(frames), source.frame_count, frames[-1].seconds) == (40, 40, pytest.approx(0.039))


def test_a_file_is_what_its_bytes_are_whatever_it_is_called(tmp_path: Path) -> None:
    film, photo = tmp_path / "holiday.jpg", tmp_path / "photo.mp4"
    write(tmp_path / "a.mp4").rename(film)
    cv2.imwrite(str(tmp_path / "a.png"), MARKED)
    (tmp_path / "a.png").rename(photo)
    assert len(read(film)[0]) == 40
    (only,), source = read(photo)
    assert (only.image.shape, source.file) == ((96, 160, 3), None)


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    write(tmp_path / "a.mp4", 5).rename(os.fsdecode(name))
    assert len(read(os.fsdecode(name))[0]) == 5


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_or_mirrored_film_is_given_upright(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    stored = np.ascontiguousarray(np.rot90(MARKED, -degrees // 90))
    stored = np.ascontiguousarray(stored[:, ::-1]) if mirrored else stored

    def tell(stream: Any) -> None:  # a turn counter-clockwise, then the mirror
        stream.set_display_rotation(-degrees if mirrored else degrees, hflip=mirrored)

    (frame, *_), source = read(write(tmp_path / "a.mp4", [stored] * 3, change=tell))
    assert np.abs(frame.image.astype(int) - MARKED).mean() < 12, f"{degrees} {mirrored}"
    assert source.size == (160, 96)


@pytest.mark.parametrize(("aspect", "size"), [((16, 9), (114, 48)), ((1, 2), (64, 96)), ((1, 1), (64, 48))])
def test_pixels_are_made_square(tmp_path: Path, aspect: tuple[int, int], size: tuple[int, int]) -> None:
    def tell(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)

    frames, source = read(write(tmp_path / "a.mp4", 3, change=tell))
    assert source.size == size
    assert [number_of(frame) for frame in frames] == [0, 1, 2]


def test_interlaced_pictures_are_made_whole(tmp_path: Path) -> None:
    pictures = []
    for i in range(12):  # two fields of a block that moves 16 pixels between them
        early, late = (np.full((96, 320, 3), 30, np.uint8) for _ in "ab")
        early[20:76, 32 * i % 256 : 32 * i % 256 + 40] = 220
        late[20:76, (32 * i + 16) % 256 : (32 * i + 16) % 256 + 40] = 220
        early[1::2] = late[1::2]
        pictures.append(early)

    def tell(stream: Any) -> None:
        stream.codec_context.options = {"flags": "+ildct+ilme", "b": "4M"}
        stream.codec_context.field_order = 2 if hasattr(stream.codec_context, "field_order") else 0

    path = write(tmp_path / "a.mpg", pictures, codec="mpeg2video", change=tell)
    frames, _ = read(path)
    assert len(frames) == 12
    for frame in frames[2:-2]:  # combed, every line differs from both of its neighbours
        grey = frame.image[30:66].mean(axis=2)
        comb = np.minimum(np.abs(grey[1:-1] - grey[:-2]), np.abs(grey[1:-1] - grey[2:]))
        assert (comb > 60).mean() < 0.01


def test_a_film_whose_first_frames_are_hidden_by_an_edit_list_is_whole(tmp_path: Path) -> None:
    whole, trimmed = write(tmp_path / "a.mp4", 60), tmp_path / "b.mp4"
    with av.open(str(whole)) as source, av.open(str(trimmed), "w") as target:
        video = source.streams.video[0]
        copy = target.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.dts is None:
                continue
            shift = round(0.5 / packet.time_base)
            packet.pts -= shift  # negative times become an edit list
            packet.dts -= shift
            packet.stream = copy
            target.mux(packet)
    frames, source = read(trimmed)
    assert number_of(frames[0]) == 10
    assert len(frames) == 50
    assert frames[0].seconds == 0
    assert source.complaint is None


def test_a_damaged_spot_costs_a_few_frames_and_not_the_rest(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 255, (96, 160, 3), np.uint8) for _ in range(40)]
    path = write(
        tmp_path / "a.mp4", pictures, change=lambda stream: setattr(stream.codec_context, "gop_size", 5)
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1500] = noise.bytes(1500)
    path.write_bytes(data)
    frames, source = read(path)
    assert len(frames) >= 36
    assert frames[-1].seconds == pytest.approx(39 / FPS, abs=0.06)
    assert source.complaint is None
    assert source.remark is not None
    assert "concealed or skipped" in source.remark


def test_what_is_missing_in_a_transport_stream_is_counted_and_a_second_one_behind_it_is_not(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.ts", 60, codec="mpeg2video")
    whole = path.read_bytes()
    for kept, told in ((whole[: 188 * 60] + whole[188 * 66 :], True), (whole + whole, False)):
        path.write_bytes(kept)
        _, source = read(path)
        assert (source.remark is not None, source.complaint) == (told, None)


def test_a_film_of_unknown_length_whose_last_pictures_cannot_be_decoded_is_complained_of(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.hevc", 60, codec="libx265")
    content = path.read_bytes()
    starts = [at for at in range(len(content) - 3) if content[at : at + 3] == b"\x00\x00\x01"]
    first = starts[len(starts) // 2]  # from here on, nothing that a decoder could read
    noise = np.random.default_rng(0).integers(1, 255, len(content), np.uint8).tobytes()
    damaged = bytearray(content)
    for begin, end in itertools.pairwise([*(at for at in starts if at >= first), len(content)]):
        damaged[begin + 5 : end] = noise[begin + 5 : end]
    path.write_bytes(damaged)
    frames, source = read(path)
    assert 10 < len(frames) < 55
    assert source.complaint is not None
    assert f"cut short: {len(frames)} frames could be read" in source.complaint


def test_a_film_that_lacks_its_end_is_complained_of(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    pictures = (noise.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(100))
    path = write(tmp_path / "a.mp4", pictures, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames, source = read(path)
    assert 20 < len(frames) < 90
    assert source.complaint is not None
    assert f"{len(frames)} of about 100 frames" in source.complaint


def test_a_clock_that_falls_back_goes_on(tmp_path: Path) -> None:
    part, both = write(tmp_path / "a.ts", codec="mpeg2video"), tmp_path / "b.ts"
    both.write_bytes(part.read_bytes() * 2)
    frames, source = read(both)
    assert [number_of(frame) for frame in frames] == [*range(40), *range(40)]
    steps = [b.seconds - a.seconds for a, b in itertools.pairwise(frames)]
    assert min(steps) > 0.02
    assert max(steps) < 0.12
    assert source.complaint is None


@pytest.mark.parametrize("jump", [3600.0, 90_000.0])
def test_a_clock_that_jumps_ahead_makes_no_long_film(tmp_path: Path, jump: float) -> None:
    times = [i / FPS + (jump if i >= 20 else 0) for i in range(40)]
    frames, _ = read(write(tmp_path / "a.mkv", times=times))
    assert len(frames) == 40
    assert frames[-1].seconds == pytest.approx(39 / FPS, abs=0.06)


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 5.0, 5.5, 20.0, 20.01]
    frames, _ = read(write(tmp_path / "a.mkv", 7, times=times))
    assert [frame.seconds for frame in frames] == pytest.approx(times, abs=0.002)


def test_ten_bits_are_read_and_hdr_is_not_washed_out(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.mkv", [MARKED] * 3, codec="libx265", pixels="yuv420p10le")
    assert np.abs(read(plain)[0][0].image.astype(int) - MARKED).mean() < 12
    # Paper white and mid grey at 203 and 36 candela, as PQ has them, in the two halves of a picture.
    codes = np.array([0.5807, 0.4184]) * 255
    bright = np.repeat(codes.round().astype(np.uint8), 80)[None, :, None] * np.ones((96, 1, 3), np.uint8)

    def tell(stream: Any) -> None:
        stream.codec_context.color_trc, stream.codec_context.color_primaries = 16, 9
        stream.codec_context.colorspace = 9

    shown = read(write(tmp_path / "b.mkv", [bright] * 3, codec="libx265", pixels="yuv420p10le", change=tell))
    image = shown[0][0].image
    white, grey = image[:, 20:60].mean(), image[:, 100:140].mean()
    assert white > 190  # read as an ordinary film: 148
    assert 90 < grey < 140
    assert white - grey > 70


def test_standard_input_and_named_pipes_are_read_to_their_end(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mkv")
    script = """
from pipeline.sources.open import open_source
with open_source("-") as film:
    print(len(list(film)), film.live, film.repeatable, film.complaint)
"""
    with subprocess.Popen(["cat", film], stdout=subprocess.PIPE) as cat:
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, stdin=cat.stdout, capture_output=True, text=True, check=True)
    assert done.stdout == "40 False False None\n"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(film.read_bytes()))
    writer.start()
    frames, source = read(pipe)
    writer.join()
    assert (len(frames), source.repeatable) == (40, False)


def test_sigterm_ends_who_waits_for_a_pipe_that_gives_nothing() -> None:
    program = (
        "import os, signal, threading\n"
        "from pipeline.sources.open import open_source\n"
        "from siamese.interrupt import unwound\n"
        "with unwound():\n"
        "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "    open_source('-')\n"
    )
    reading, writing = os.pipe()
    try:
        ended = subprocess.run([sys.executable, "-c", program], stdin=reading, timeout=60)
    finally:
        os.close(reading)
        os.close(writing)
    assert ended.returncode == 143


def test_a_pipe_without_a_film_is_one_line(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"no film at all " * 50))
    writer.start()
    with pytest.raises(SourceError, match="gives no video"):
        open_source(str(pipe))
    writer.join()


def test_a_playlist_cannot_send_us_to_the_network(tmp_path: Path) -> None:
    playlist = tmp_path / "a.mp4"
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(SourceError, match="not a video"):
        open_source(str(playlist))


@pytest.mark.parametrize("hardware", ["vdpau", "amf", "nonsense"])  # what no machine has that tests run on
def test_hardware_that_is_not_there_is_said_and_the_cpu_takes_over(tmp_path: Path, hardware: str) -> None:
    lines: list[str] = []
    with open_source(str(write(tmp_path / "a.mp4")), hardware=hardware, report=lines.append) as source:
        assert len(list(source)) == 40
    assert len(lines) == 1
    assert "the CPU does" in lines[0]


def test_a_device_that_does_not_start_costs_nothing_of_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # where there is a GPU
    lines: list[str] = []
    reading, writing = os.pipe()
    os.write(writing, write(tmp_path / "a.mkv", 5).read_bytes())
    os.close(writing)
    decoder = open_file(reading, "pipe", "no film", "cuda", lines.append)
    os.close(reading)
    found = list(iter(decoder.read, None))
    decoder.close()
    assert len(found) == 5
    assert lines == ["pipe: there is no cuda that can decode it here; the CPU does"]
