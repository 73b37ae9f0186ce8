"""Who is learned from, and who is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from siamese.errors import DataError
from siamese.lfw.files import split_people
from siamese.lfw.split import folds, split

FOLDS = [[f"Fold{number}_{i}" for i in range(40)] for number in (1, 2, 3)]


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    """Three folds; the first makes View 1's test half and the others its training half."""
    lines = ["3"]
    for fold in FOLDS:
        lines += [str(len(fold)), *(f"{name}\t2" for name in fold)]
    (tmp_path / "people.txt").write_text("\n".join(lines) + "\n")
    for part, chosen in (("Test", FOLDS[0]), ("Train", FOLDS[1] + FOLDS[2])):
        lines = [str(len(chosen)), *(f"{name}\t2" for name in chosen)]
        (tmp_path / f"peopleDev{part}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_view_1_is_held_out_unless_something_else_is_said(protocol: Path) -> None:
    found = split(protocol)
    assert (found.test, found.hold_out) == (FOLDS[0], "view1")
    assert (found.fit, found.validation) == split_people(FOLDS[1] + FOLDS[2])


def test_folds_are_held_out_whole_and_nobody_is_on_two_sides(protocol: Path) -> None:
    found = split(protocol, "fold:3,1")
    assert (found.test, found.hold_out) == (FOLDS[0] + FOLDS[2], "fold:1,3")
    assert sorted(found.fit + found.validation) == sorted(FOLDS[1])
    assert found.validation
    assert not set(found.fit) & set(found.validation)


def test_validation_people_stay_who_they_are_whatever_is_held_out(protocol: Path) -> None:
    one, other = split(protocol, "fold:1"), split(protocol, "fold:1,2")
    assert set(other.validation) == set(one.validation) & set(FOLDS[2])


@pytest.mark.parametrize(
    "wrong", ["", "view2", "fold:", "fold:0", "fold:1,", "fold:1;2", "fold:x", "fold:\u0661"]
)
def test_other_choices_are_an_error(wrong: str) -> None:
    with pytest.raises(DataError, match="give view1, or folds"):
        folds(wrong)


def test_folds_that_are_not_there_or_share_somebody_are_an_error(protocol: Path) -> None:
    with pytest.raises(DataError, match=r"fold 4: .*people\.txt has 3 folds"):
        split(protocol, "fold:1,4")
    people = protocol / "people.txt"
    people.write_text(people.read_text().replace(FOLDS[2][0], FOLDS[0][0]))
    with pytest.raises(DataError, match="is in two folds"):
        split(protocol, "fold:1")
