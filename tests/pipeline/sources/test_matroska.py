"""Films whose container says a wrong length, and films that are cut short."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sources.matroska import last_cluster
from pipeline.sources.open import open_source

DURATION = b"\x44\x89\x88"  # a number of eight bytes, milliseconds


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Ten seconds in five clusters of two seconds or so."""
    path = tmp_path / "a.mkv"
    random = np.random.default_rng(0)
    with av.open(str(path), "w", options={"cluster_time_limit": "2000"}) as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.gop_size = 64, 48, 5
        stream.time_base = Fraction(1, 10)
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(random.integers(0, 256, (48, 64, 3)).astype(np.uint8), "rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def claim(path: Path, seconds: float) -> Path:
    """Write another length into a film."""
    content = bytearray(path.read_bytes())
    at = content.index(DURATION) + len(DURATION)
    content[at : at + 8] = np.array(seconds * 1000, ">f8").tobytes()
    path.write_bytes(content)
    return path


def read(path: Path) -> tuple[int, str | None]:
    with open_source(str(path)) as source:
        return sum(1 for _ in source), source.complaint


def last(path: Path) -> float | None:
    with path.open("rb") as file:
        return last_cluster(file.fileno())


@pytest.mark.parametrize("seconds", [12.0, 600.0, 80_000.0])
def test_a_wrong_length_is_no_complaint_where_the_film_was_read_to_its_end(
    film: Path, seconds: float
) -> None:
    assert read(claim(film, seconds)) == (100, None)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("seconds", [10.0, 600.0])
def test_a_film_that_is_cut_short_is_complained_of_whatever_it_claims(
    film: Path, share: float, seconds: float
) -> None:
    content = claim(film, seconds).read_bytes()
    film.write_bytes(content[: int(share * len(content))])
    frames, complaint = read(film)
    assert frames < 100
    assert complaint is not None
    assert "damaged or cut short" in complaint


def test_a_film_whose_end_was_never_written_is_complained_of_though_it_is_as_long_as_it_should_be(
    film: Path,
) -> None:
    content = claim(film, 600.0).read_bytes()
    kept = int(0.6 * len(content))
    film.write_bytes(content[:kept] + bytes(len(content) - kept))
    assert last(film) is None
    assert "damaged or cut short" in (read(film)[1] or "")


def test_the_last_cluster_is_found_by_the_files_own_structure(film: Path) -> None:
    found = last(film)
    assert found is not None
    assert 7.5 < found < 10


@pytest.mark.parametrize(
    "content", [b"", b"\x1a\x45\xdf\xa3", b"RIFF and more", b"\x1a\x45\xdf\xa3\x80\x18\x53"]
)
def test_of_what_is_no_such_file_nothing_is_known(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert last(tmp_path / "a") is None


def test_nothing_is_known_of_a_pipe() -> None:
    reading, writing = os.pipe()
    try:
        assert last_cluster(reading) is None
    finally:
        os.close(reading)
        os.close(writing)


def test_damage_in_the_last_cluster_leaves_it_unknown_whether_it_was_read_to_its_end(film: Path) -> None:
    content = bytearray(film.read_bytes())
    begin, end = (
        content.rindex(b"\x1f\x43\xb6\x75") + 30,
        content.rindex(b"\x1c\x53\xbb\x6b"),
    )  # cluster, cues
    content[begin:end] = b"\x10" * (end - begin)
    film.write_bytes(content)
    assert last(film) is None
