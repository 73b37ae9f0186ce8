"""Folders of faces beyond LFW, of every kind."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.training.labelled import aligned, crop_set, listed
from siamese import crops
from siamese.crops import CropSet

LINES = "file,source,identity,score\na.png,films,name:Anna,0.9\nb.png,streets,,0.8\nc.png,films,ben,0.9\n"


def plain(value: int, size: int = 112) -> bytes:
    return bytes(cv2.imencode(".png", np.full((size, size, 3), value, np.uint8))[1].tobytes())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A list of aligned crops with their archive."""
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "faces.csv").write_text(LINES)
    with zipfile.ZipFile(folder / "crops.zip", "w") as archive:
        for value, name in enumerate(("a.png", "b.png", "c.png")):
            archive.writestr(name, plain(50 * value))
    return folder


def test_a_list_of_aligned_crops_is_unpacked_once(table: Path) -> None:
    found = listed(table)
    assert found.people == ("Anna", "", "ben")
    assert found.sources == ("films", "streets", "films")
    made, out = crop_set(table, "crops", Settings())
    assert (out, made.people, made.alignment) == (table / "crops", found.people, "aligned already")
    assert made.images[:, 0, 0, 0].tolist() == [0, 50, 100]
    (table / "crops.zip").unlink()
    assert crop_set(table, "crops", Settings())[0].files == ("a.png", "b.png", "c.png")
    (table / "faces.csv").write_text(LINES + "d.png,films,,1\n")
    with pytest.raises(SourceError, match=r"a\.png is not in it"):
        crop_set(table, "crops", Settings())


def test_crops_may_lie_beside_their_list_and_some_of_them_be_taken(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("file,source,identity,age\nx/a.png,s,,7\nx/b.png,s,,\n")
    (tmp_path / "x").mkdir()
    for value, name in enumerate("ab"):
        (tmp_path / "x" / f"{name}.png").write_bytes(plain(100 * value))
    found = listed(tmp_path)
    assert found.ages[0] == 7
    assert np.isnan(found.ages[1])
    some = aligned(found, np.array([1]), tmp_path / "out", Settings())
    assert (some.files, some.images[0, 0, 0, 0]) == (("x/b.png",), 100)


def test_a_crop_set_is_read_where_it_is(tmp_path: Path) -> None:
    kept = CropSet(np.zeros((1, 112, 112, 3), np.uint8), ("a.jpg",), ("Anna",), np.ones(1, np.bool_), "ours")
    crops.write(kept, tmp_path)
    assert crop_set(tmp_path, "crops", Settings())[1] == tmp_path
    assert listed(tmp_path).people == ("Anna",)


def test_pictures_are_of_who_the_list_says_or_of_the_folders_name_where_that_is_meant(
    tmp_path: Path, world: Any, detector: Any
) -> None:
    for name in ("anna/1.png", "ben/20_0_1_5.png"):
        (tmp_path / name).parent.mkdir()
        world.picture(tmp_path / name, world.RED)
    assert listed(tmp_path).people == ("", "")
    found = listed(tmp_path, by_folder=True)
    assert found.people == ("anna", "ben")
    assert found.ages[1] == 20
    (tmp_path / "identity.txt").write_text("image identity\n1.png 12\n20_0_1_5.png 7\n")
    assert listed(tmp_path).people == (f"{tmp_path.name}:12", f"{tmp_path.name}:7")
    made, out = crop_set(tmp_path, "crops", Settings())
    assert made.people == (f"{tmp_path.name}:12", f"{tmp_path.name}:7")
    assert made.found.all()
    frames = detector.frames
    assert crop_set(tmp_path, "crops", Settings())[0].people == made.people
    assert detector.frames == frames
    assert len(listed(tmp_path).files) == 2  # what was made of them is none of them
    assert out == tmp_path / "crops"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no pictures"),
        ({"faces.csv": b"a,b\n1,2\n"}, "its columns are to be"),
        ({"faces.csv": b"file,source,identity\na.png\n"}, "too few fields"),
        ({"faces.csv": b"file,source,identity,age\na.png,s,,old\n"}, "an age is no number"),
        ({"faces.csv": b"\xff\xfe\x00"}, "cannot be read as a list"),
        ({"faces.csv": LINES.encode(), "crops.zip": b"PK nonsense"}, "damaged"),
        ({"faces.csv": LINES.encode(), "a.png": b""}, "cannot be read as an image"),
        ({"faces.csv": LINES.encode(), "a.png": plain(0, 96)}, "has 96 x 96 pixels"),
        ({"a.png": plain(0), "identity.txt": b"a.png\n"}, "expected a file and a number"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words):
        crop_set(tmp_path, "crops", Settings())
    with pytest.raises(SourceError, match="no such folder"):
        listed(tmp_path / "none")
