"""What LFW holds and what its protocol says, from small files made here, and once from the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siamese.errors import DataError
from siamese.lfw import files as lfw
from siamese.lfw.files import Pair, Person, Photo

PAIRS = "1\nAnn_Bo\t1\t3\nAnn_Bo\t2\tCy_Dee\t1\n"


def test_an_image_is_named_after_its_person() -> None:
    assert lfw.image_name("Ann_Bo", 7) == "Ann_Bo/Ann_Bo_0007.jpg"
    assert lfw.image_name("Ann_Bo", 530) == "Ann_Bo/Ann_Bo_0530.jpg"


def test_images_are_sorted_and_other_files_passed_over(tmp_path: Path) -> None:
    for name in (
        "Cy/Cy_0001.jpg",
        "Al_Bo/Al_Bo_0002.jpg",
        "Al_Bo/Al_Bo_0001.jpg",
        "Al_Bo/me.jpg",
        ".x/.x_0001.jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    assert lfw.images(tmp_path) == [
        Photo("Al_Bo/Al_Bo_0001.jpg", "Al_Bo"),
        Photo("Al_Bo/Al_Bo_0002.jpg", "Al_Bo"),
        Photo("Cy/Cy_0001.jpg", "Cy"),
    ]


def test_a_folder_without_images_is_a_data_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="no images"):
            lfw.images(folder)


def test_people_of_view_1_are_one_fold(tmp_path: Path) -> None:
    path = tmp_path / "peopleDevTrain.txt"
    path.write_text("2\nAnn_Bo\t3\nCy_Dee\t1\n")
    assert lfw.read_people(path) == [Person("Ann_Bo", 3), Person("Cy_Dee", 1)]
    assert lfw.read_people_folds(path) == [[Person("Ann_Bo", 3), Person("Cy_Dee", 1)]]


def test_people_of_view_2_come_in_folds(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    path.write_text("2\n1\nAnn_Bo\t3\n2\nCy_Dee\t1\nEve\t2\n")
    assert lfw.read_people_folds(path) == [[Person("Ann_Bo", 3)], [Person("Cy_Dee", 1), Person("Eve", 2)]]
    assert lfw.read_people(path) == [Person("Ann_Bo", 3), Person("Cy_Dee", 1), Person("Eve", 2)]


def test_pairs_of_view_1_are_one_fold(tmp_path: Path) -> None:
    path = tmp_path / "pairsDevTest.txt"
    path.write_text(PAIRS)
    assert lfw.read_pairs(path) == [
        [
            Pair("Ann_Bo/Ann_Bo_0001.jpg", "Ann_Bo/Ann_Bo_0003.jpg", True),
            Pair("Ann_Bo/Ann_Bo_0002.jpg", "Cy_Dee/Cy_Dee_0001.jpg", False),
        ]
    ]


def test_pairs_of_view_2_come_in_folds(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    fold = "A\t1\t2\nB\t1\t2\nA\t1\tB\t1\nC\t1\tD\t10\n"
    path.write_text("3\t2\n" + fold * 3)
    folds = lfw.read_pairs(path)
    assert [[pair.same for pair in pairs] for pairs in folds] == [[True, True, False, False]] * 3
    assert folds[2][3] == Pair("C/C_0001.jpg", "D/D_0010.jpg", False)


@pytest.mark.parametrize(
    ("read", "text", "line", "what"),
    [
        (lfw.read_people, "", 1, "0 fields"),
        (lfw.read_people, "two\nA\t1\n", 1, "'two' is not a number"),
        (lfw.read_people, "2\nA\t1\n", 3, "0 fields, expected 2"),
        (lfw.read_people, "1\nA\t1\nB\t1\n", 3, "more lines"),
        (lfw.read_people, "1\nA\t0\n", 2, "'0' is not a number from 1"),
        (lfw.read_people, "1\nA\t\u00b2\n", 2, "is not a number"),
        (lfw.read_people, "1\n../A\t1\n", 2, "'../A' is not a name"),
        (lfw.read_people, "1\nA B\t1\n", 2, "3 fields"),
        (lfw.read_people, "2\n1\nA\t1\n", 4, "0 fields, expected 1"),
        (lfw.read_people, "1\n2\nA\t1\n", 4, "0 fields, expected 2"),
        (lfw.read_pairs, "1\nA\t1\t2\n", 3, "0 fields, expected 4"),
        (lfw.read_pairs, "1\nA\t1\tB\t2\nA\t1\t2\n", 2, "4 fields, expected 3"),
        (lfw.read_pairs, "1\nA\t1\t2\nA\t1\tB\tx\n", 3, "'x' is not a number"),
        (lfw.read_pairs, "1\nA\t1\t1\nA\t1\tB\t1\n", 2, "paired with itself"),
        (lfw.read_pairs, "1\nA\t1\t2\nA\t1\tA\t2\n", 3, "two people names one"),
        (lfw.read_pairs, "1\nA\t1\t2\nA\t1\t/etc\t2\n", 3, "'/etc' is not a name"),
        (lfw.read_pairs, "1\t1\t1\n", 1, "3 fields, expected 1 or 2"),
        (lfw.read_pairs, PAIRS + "\nA\t1\t2\n", 4, "more lines"),
    ],
)
def test_a_malformed_line_is_named(
    tmp_path: Path, read: Callable[[Path], object], text: str, line: int, what: str
) -> None:
    path = tmp_path / "protocol.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert what in str(caught.value)


def test_a_protocol_file_that_cannot_be_read_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        lfw.read_pairs(tmp_path / "binary.txt")
    with pytest.raises(DataError, match="no such list of LFW; get it with: recog data lfw"):
        lfw.read_pairs(tmp_path / "missing.txt")


def test_view_1_tells_who_to_train_and_who_to_test_on(tmp_path: Path) -> None:
    (tmp_path / "peopleDevTrain.txt").write_text("2\nA\t1\nB\t2\n")
    (tmp_path / "peopleDevTest.txt").write_text("1\nC\t1\n")
    assert lfw.view1_split(tmp_path) == (["A", "B"], ["C"])
    (tmp_path / "peopleDevTest.txt").write_text("1\nB\t2\n")
    with pytest.raises(DataError, match="B is in both"):
        lfw.view1_split(tmp_path)


def test_a_split_of_people_leaves_nobody_out_and_nobody_on_both_sides() -> None:
    names = [f"Person_{i}" for i in range(2000)]
    fit, validation = lfw.split_people(names)
    assert sorted(fit + validation) == sorted(names)
    assert not set(fit) & set(validation)
    assert 160 < len(validation) < 240


def test_a_persons_side_depends_on_the_name_alone() -> None:
    names = [f"Person_{i}" for i in range(200)]
    fit, validation = lfw.split_people(names)
    fewer = lfw.split_people(reversed(names[50:150]))
    assert set(fewer[0]) == set(fit) & set(names[50:150])
    assert set(fewer[1]) == set(validation) & set(names[50:150])
    # Fixed for ever: a model's validation people must not become another version's training people.
    assert validation[:5] == ["Person_2", "Person_24", "Person_45", "Person_46", "Person_58"]  # by sha256sum


def test_the_validation_share_goes_from_nobody_to_everybody() -> None:
    assert lfw.split_people(["A", "B"], 0) == (["A", "B"], [])
    assert lfw.split_people(["A", "B"], 1) == ([], ["A", "B"])
    with pytest.raises(ValueError, match="expected 0 to 1"):
        lfw.split_people(["A"], 10)


def test_the_official_protocol_reads_as_published(shared: Path) -> None:
    folder = shared / "lfw"
    pairs = lfw.read_pairs(folder / "pairs.txt")
    assert [len(fold) for fold in pairs] == [600] * 10
    assert all(sum(pair.same for pair in fold) == 300 for fold in pairs)
    assert [len(fold) for fold in lfw.read_pairs(folder / "pairsDevTrain.txt")] == [2200]
    assert [len(fold) for fold in lfw.read_pairs(folder / "pairsDevTest.txt")] == [1000]
    people = lfw.read_people(folder / "people.txt")
    assert (len(people), sum(person.images for person in people)) == (5749, 13233)
    assert len(lfw.read_people_folds(folder / "people.txt")) == 10
    train, test = lfw.view1_split(folder)
    assert (len(train), len(test)) == (4038, 1711)
    assert {*train, *test} == {person.name for person in people}
