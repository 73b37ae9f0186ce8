"""Crop sets: rows stay together, in memory and on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from siamese import crops
from siamese.crops import CropSet
from siamese.errors import DataError


@pytest.fixture
def faces() -> CropSet:
    images = np.zeros((5, 112, 112, 3), np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None]
    people = ("Cy", "Ann", "", "Cy", "Bo")
    files = tuple(f"{person or 'x'}/{row}.jpg" for row, person in enumerate(people))
    return CropSet(images, files, people, np.array([True, True, False, True, True]), "five points")


def assert_equal(one: CropSet, other: CropSet) -> None:
    assert np.array_equal(one.images, other.images)
    assert np.array_equal(one.found, other.found)
    assert (one.files, one.people, one.alignment) == (other.files, other.people, other.alignment)


def test_a_set_is_read_as_it_was_written(tmp_path: Path, faces: CropSet) -> None:
    crops.write(faces, tmp_path / "new" / "crops")
    read = crops.read(tmp_path / "new" / "crops")
    assert_equal(read, faces)
    assert isinstance(read.images, np.memmap)
    assert len(read) == 5


def test_rows_are_chosen_together_in_the_order_given(faces: CropSet) -> None:
    chosen = faces.rows(np.array([3, 0, 2]))
    assert chosen.images[:, 0, 0, 0].tolist() == [3, 0, 2]
    assert chosen.files == ("Cy/3.jpg", "Cy/0.jpg", "x/2.jpg")
    assert chosen.people == ("Cy", "Cy", "")
    assert chosen.found.tolist() == [True, True, False]


def test_the_rows_of_people_keep_their_order(faces: CropSet) -> None:
    assert faces.of_people(["Bo", "Cy", "Nobody"]).images[:, 0, 0, 0].tolist() == [0, 3, 4]
    assert len(faces.of_people(set())) == 0


def test_nobody_has_more_rows_than_allowed(faces: CropSet) -> None:
    assert faces.at_most(1).files == ("Cy/0.jpg", "Ann/1.jpg", "x/2.jpg", "Bo/4.jpg")
    assert_equal(faces.at_most(2), faces)


def test_labels_number_the_people_by_name_and_the_unknown_are_minus_one(faces: CropSet) -> None:
    assert faces.labels().tolist() == [2, 0, -1, 2, 1]


def test_an_interrupted_write_is_never_taken_for_whole(
    tmp_path: Path, faces: CropSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops.write(faces, tmp_path)

    def interrupted(path: Path, _: object) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crops.write(faces, tmp_path)
    with pytest.raises(DataError, match="recog data align"):
        crops.read(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["images.npy"]


def grown(folder: Path, faces: CropSet, first: int, last: int) -> crops.GrowingCrops:
    """Write the faces from `first` to before `last`, as far as they are not there yet."""
    growing = crops.GrowingCrops(folder, faces.files, faces.people, faces.alignment)
    assert growing.done == first
    growing.append(faces.images[first:last], faces.found[first:last])
    return growing


def test_who_has_a_set_open_keeps_it_when_it_is_written_anew(tmp_path: Path, faces: CropSet) -> None:
    crops.write(faces, tmp_path)
    opened = crops.read(tmp_path)
    crops.write(opened.rows(np.array([0])), tmp_path)
    np.testing.assert_array_equal(opened.images, faces.images)  # a file cut off under it ends in a bus error
    assert len(crops.read(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.json", "images.npy"]


def test_a_set_that_grows_goes_on_and_is_whole_at_the_end(tmp_path: Path, faces: CropSet) -> None:
    crops.write(faces.at_most(1), tmp_path)
    grown(tmp_path, faces, 0, 2).close()
    assert_equal(crops.read(tmp_path), faces.at_most(1))  # what was there before stays until the end
    grown(tmp_path, faces, 2, 5).finish()
    assert_equal(crops.read(tmp_path), faces)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.json", "images.npy"]


def test_a_set_of_other_files_begins_anew_and_takes_the_old_parts_away(
    tmp_path: Path, faces: CropSet
) -> None:
    grown(tmp_path, faces, 0, 2).close()
    others = faces.rows(np.array([4, 3, 2, 1, 0]))
    grown(tmp_path, others, 0, 5).finish()
    assert_equal(crops.read(tmp_path), others)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.json", "images.npy"]


def test_crops_without_their_verdict_are_made_again(tmp_path: Path, faces: CropSet) -> None:
    grown(tmp_path, faces, 0, 2).close()
    (found,) = tmp_path.glob("*-found.npy.part")
    found.write_bytes(found.read_bytes()[:-1])
    grown(tmp_path, faces, 1, 5).finish()
    assert_equal(crops.read(tmp_path), faces)


def test_a_folder_without_crops_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no aligned faces here; make them with: recog data align"):
        crops.read(tmp_path)


@pytest.mark.parametrize(
    "damage", ["faces cut", "images cut", "images empty", "fewer faces", "other format", "a list"]
)
def test_a_damaged_set_is_an_error(tmp_path: Path, faces: CropSet, damage: str) -> None:
    crops.write(faces, tmp_path)
    described = json.loads((tmp_path / "faces.json").read_text())
    text = {
        "faces cut": json.dumps(described)[:-20],
        "images cut": json.dumps(described),
        "images empty": json.dumps(described),
        "fewer faces": json.dumps(described | {"faces": described["faces"][:-1]}),
        "other format": json.dumps(described | {"format": 0}),
        "a list": "[]",
    }[damage]
    (tmp_path / "faces.json").write_text(text)
    if damage == "images cut":
        (tmp_path / "images.npy").write_bytes((tmp_path / "images.npy").read_bytes()[:-100])
    if damage == "images empty":
        (tmp_path / "images.npy").write_bytes(b"")
    with pytest.raises(DataError, match="again"):
        crops.read(tmp_path)
