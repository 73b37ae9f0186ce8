"""A part of a film gives the frames of the whole film, with their numbers and times."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.films import list_films
from pipeline.sources.open import open_source
from pipeline.sources.part import frames_before, index_of, key_frame, open_part


def film(path: Path, times: list[int], **options: str) -> Path:
    """Frames of changing brightness at these times, in hundredths of a second."""
    with av.open(str(path), "w") as container:
        codec = "mpeg2video" if path.suffix in (".ts", ".mpg") else "libx264"
        stream = container.add_stream(codec, rate=25, options={"g": "6", "bf": "2", **options})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100) if codec == "libx264" else Fraction(1, 25)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(
                np.full((48, 64, 3), 10 * number % 250, np.uint8), format="bgr24"
            )
            frame.pts = time if codec == "libx264" else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


STEADY = list(range(0, 120, 4))
UNEVEN = [0, 3, 9, 10, 14, 22, 24, 25, 40, 44, 45, 49, 50, 58, 60, 63, 64, 70, 71, 90]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("times", [STEADY, UNEVEN], ids=["steady", "uneven"])
def test_the_parts_of_a_film_are_the_film(tmp_path: Path, name: str, times: list[int]) -> None:
    path = film(tmp_path / name, times)
    with open_source(str(path)) as source:
        whole = list(source)
    index = index_of(path)
    assert index is not None
    assert len(index.keys) > 2
    assert index.seconds() == [frame.seconds for frame in whole]
    bounds = [*index.keys, len(whole)]
    found = []
    for first, end in pairwise(bounds):
        with open_part(path, index.part(first, end)) as source:
            found += list(source)
            assert (source.fps, source.frame_count, source.name) == (index.fps, len(whole), name)
    assert [(frame.index, frame.seconds, frame.source) for frame in found] == [
        (frame.index, frame.seconds, frame.source) for frame in whole
    ]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(found, whole, strict=True))


def test_key_frames_and_those_before_them_are_those_of_the_film(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", STEADY, **{"x264-params": "open-gop=1"})
    with open_source(str(path)) as source:
        whole = [frame.image for frame in source]
    index = index_of(path)
    assert index is not None
    for key in index.keys[1:]:
        pair, alone = frames_before(path, index, key), key_frame(path, index, key)
        assert pair is not None
        assert alone is not None
        assert np.array_equal(np.stack([*pair, alone]), np.stack([whole[key - 1], whole[key], whole[key]]))


def test_a_film_whose_clock_may_jump_is_only_read_whole(tmp_path: Path) -> None:
    assert index_of(film(tmp_path / "a.ts", STEADY)) is None


def test_what_is_no_film_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("text")
    with pytest.raises(SourceError, match="not a video"):
        index_of(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match="cannot read"):
        index_of(tmp_path / "none.mp4")


def test_a_film_that_is_another_one_by_now_is_not_read_on(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", STEADY)
    index = index_of(path)
    assert index is not None
    part = index.part(index.keys[-1], len(index.times))
    film(path, STEADY[: index.keys[-1] - 3])
    with open_part(path, part) as source, pytest.raises(SourceError, match="not the film any more"):
        list(source)


def test_films_are_found_in_folders_below_and_links_to_folders_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = tmp_path / "films"
    for name in ("b.MP4", "2024/a.mkv", "notes.txt", ".hidden.mp4", ".trash/c.mp4", "out/d.mp4"):
        (films / name).parent.mkdir(parents=True, exist_ok=True)
        (films / name).touch()
    (films / "loop").symlink_to(films)
    (films / "link.avi").symlink_to(films / "b.MP4")
    found = list_films(films, films / "out")
    assert [str(path.relative_to(films)) for path in found] == ["2024/a.mkv", "b.MP4", "link.avi"]
    with pytest.raises(SourceError, match="no folder"):
        list_films(films / "b.MP4")
