"""WIDER FACE's format, written here as its makers describe it, and what is wrong with a copy of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from pipeline.detection.evaluation.wider import read_wider
from pipeline.errors import DetectorError

LIST = """0--Parade/0_Parade_1.jpg
3
10 20 30 40 0 0 0 0 0 0 
100 20 5 6 2 0 0 1 0 0 
50 60 20 20 0 0 0 0 0 0 
1--Street life/1_a.jpg
0
0 0 0 0 0 0 0 0 0 0 
"""


@pytest.fixture
def wider(tmp_path: Path) -> tuple[Path, Path]:
    images, labels = tmp_path / "images", tmp_path / "split" / "list.txt"
    for name in ("0--Parade/0_Parade_1.jpg", "1--Street life/1_a.jpg"):
        (images / name).parent.mkdir(parents=True)
        cv2.imwrite(str(images / name), np.zeros((100, 200, 3), np.uint8))
    labels.parent.mkdir()
    labels.write_text(LIST)
    return images, labels


def cell(*values: object) -> np.ndarray[tuple[int, int], np.dtype[np.object_]]:
    """A column of MATLAB's cells."""
    column = np.empty((len(values), 1), object)
    for row, value in enumerate(values):
        column[row, 0] = value
    return column


def write_truth(folder: Path, subset: str, *rows: list[int]) -> None:
    """The ground truth of one subset as its makers' MATLAB file has it; rows count from one."""
    faces = np.array([[10, 20, 30, 40], [100, 20, 5, 6], [50, 60, 20, 20]], np.float64)
    nobody = np.zeros((0, 4))
    kept = [np.array(of, np.float64).reshape(-1, 1) for of in rows]
    savemat(
        folder / f"wider_{subset}_val.mat",
        {
            "event_list": cell("0--Parade", "1--Street life"),
            "file_list": cell(cell("0_Parade_1"), cell("1_a")),
            "face_bbx_list": cell(cell(faces), cell(nobody)),
            "gt_list": cell(cell(kept[0]), cell(kept[1])),
        },
    )


def test_faces_are_corners_and_invalid_ones_are_not_asked_for(wider: tuple[Path, Path]) -> None:
    sets = read_wider(*wider)
    assert list(sets) == ["wider"]
    parade, street = sets["wider"]
    assert parade.path == wider[0] / "0--Parade" / "0_Parade_1.jpg"
    np.testing.assert_array_equal(parade.boxes, [[10, 20, 40, 60], [50, 60, 70, 80]])
    np.testing.assert_array_equal(parade.ignored, [[100, 20, 105, 26]])
    assert street.path.name == "1_a.jpg"
    assert street.boxes.shape == street.ignored.shape == (0, 4)


@pytest.mark.parametrize("folder", [".", "ground_truth"])
def test_where_the_ground_truth_stands_beside_the_list_each_subset_is_a_set(
    wider: tuple[Path, Path], folder: str
) -> None:
    place = wider[1].parent / folder
    place.mkdir(exist_ok=True)
    write_truth(place, "easy", [1], [])
    write_truth(place, "hard", [1, 3], [])
    sets = read_wider(*wider)
    assert list(sets) == ["wider-easy", "wider-hard"]
    easy, hard = (sets[name][0] for name in sets)
    np.testing.assert_array_equal(easy.boxes, [[10, 20, 40, 60]])
    np.testing.assert_array_equal(easy.ignored, [[100, 20, 105, 26], [50, 60, 70, 80]])
    np.testing.assert_array_equal(hard.boxes, [[10, 20, 40, 60], [50, 60, 70, 80]])
    assert len(sets["wider-hard"][1].boxes) == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0--Parade/0_Parade_1.jpg", "0--Parade/other.jpg", "no such photograph"),
        ("\n3\n", "\nthree\n", "not in WIDER FACE's format"),
        ("50 60 20 20 0 0 0 0 0 0", "50 60", "fewer faces than it says"),
        (LIST, "", "lists no photographs"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(
    wider: tuple[Path, Path], old: str, new: str, message: str
) -> None:
    wider[1].write_text(LIST.replace(old, new))
    with pytest.raises(DetectorError, match=message):
        read_wider(*wider)


def test_what_is_missing_or_is_no_ground_truth_is_said(wider: tuple[Path, Path]) -> None:
    images, labels = wider
    with pytest.raises(DetectorError, match="no such folder"):
        read_wider(images / "nowhere", labels)
    with pytest.raises(DetectorError, match="cannot be read"):
        read_wider(images, labels.parent / "nowhere.txt")
    (labels.parent / "wider_easy_val.mat").write_bytes(b"no MATLAB")
    with pytest.raises(DetectorError, match="not WIDER FACE's ground truth"):
        read_wider(images, labels)
    savemat(labels.parent / "wider_easy_val.mat", {"event_list": np.zeros(2)})
    with pytest.raises(DetectorError, match="not WIDER FACE's ground truth"):
        read_wider(images, labels)
