"""Whom of LFW a model has seen, by its card."""

from __future__ import annotations

from pathlib import Path

import pytest

from siamese.errors import DataError
from siamese.lfw import seen
from siamese.lfw.files import read_pairs
from siamese.lfw.split import split


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    people = [f"Person_{number}" for number in range(40)]
    for part, names in (("Train", people[:30]), ("Test", people[30:])):
        (tmp_path / f"peopleDev{part}.txt").write_text(
            "\n".join([str(len(names)), *(f"{n}\t2" for n in names)])
        )
    folds = [line for fold in range(4) for line in ["10", *(f"{n}\t2" for n in people[fold::4])]]
    (tmp_path / "people.txt").write_text("\n".join(["4", *folds]))
    return tmp_path


@pytest.mark.parametrize("held_out", ["view1", "fold:4", "fold:1,2"])
def test_a_card_leads_back_to_the_people(protocol: Path, held_out: str) -> None:
    people = split(protocol, held_out)
    card = seen.entries(people)
    assert card["held out"] == held_out
    assert card["people seen"] == len(people.fit) + len(people.validation)
    assert seen.of_card(card, protocol) == people
    assert not seen.seen(people) & set(people.test)


def test_cards_of_the_first_release_held_out_view_1s_test_half(protocol: Path) -> None:
    found = seen.of_card({"data": "LFW View 1, 3606 people of the training half"}, protocol)
    assert found == split(protocol, "view1")


def test_a_card_that_does_not_say_is_not_guessed(protocol: Path) -> None:
    assert seen.of_card({"data": "photographs"}, protocol) is None


def test_other_protocol_files_than_those_of_the_training_are_noticed(protocol: Path) -> None:
    card = seen.entries(split(protocol, "fold:4"))
    text = (protocol / "people.txt").read_text()
    (protocol / "people.txt").write_text(text.replace("Person_0\t", "Somebody\t"))
    with pytest.raises(DataError, match="not those that the model was trained by"):
        seen.of_card(card, protocol)


def test_pairs_of_a_fold_of_lfw_show_nobody_of_another(shared: Path) -> None:
    root = shared / "lfw"
    for number, pairs in enumerate(read_pairs(root / "pairs.txt"), 1):
        people = set(split(root, f"fold:{number}").test)
        assert {file.partition("/")[0] for pair in pairs for file in pair[:2]} <= people
