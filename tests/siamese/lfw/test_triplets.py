"""Triplets, from a folder of images whose content is their name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siamese.errors import DataError
from siamese.lfw import files as lfw
from siamese.lfw.triplets import (
    KINDS,
    MARKER,
    OWN,
    YOU,
    Triplet,
    make_triplets,
    own_name,
    person_of,
    read_triplets,
)

PEOPLE = {"Ann_Bo": 4, "Cy_Dee": 1, "Eve_Fox": 2, "Gus_Hay": 3}
ANCHORS = 4 + 2 + 3  # images of people who have another


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "lfw"
    for person, count in PEOPLE.items():
        (root / person).mkdir(parents=True)
        for number in range(1, count + 1):
            (root / lfw.image_name(person, number)).write_text(lfw.image_name(person, number))
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "data"


def content(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): path.read_text() for path in sorted(out.rglob("*.jpg"))}


def person(path: Path) -> str:
    return path.read_text().partition("/")[0]


def add_own(out: Path, kind: str, count: int) -> list[Path]:
    (out / kind).mkdir(parents=True, exist_ok=True)
    paths = [out / kind / own_name() for _ in range(count)]
    for path in paths:
        path.write_text(f"me/{path.name}")
    return paths


def test_each_row_is_two_images_of_a_person_and_one_of_another(images: Path, out: Path) -> None:
    assert make_triplets(images, out, count=100) == 100
    rows = read_triplets(out)
    assert len(rows) == 100
    for anchor, positive, negative in rows:
        assert person(anchor) == person(positive) != person(negative)
        assert anchor.read_text() != positive.read_text()


def test_files_are_named_by_row_and_image(images: Path, out: Path) -> None:
    make_triplets(images, out, count=3)
    for kind in KINDS:
        names = sorted(path.name for path in (out / kind).iterdir())
        assert [name[:7] for name in names] == ["000001_", "000002_", "000003_"]
        for name in names:
            image = (out / kind / name).read_text()
            assert name[7:] == Path(image).name


def test_without_a_count_every_possible_anchor_is_one_once(images: Path, out: Path) -> None:
    assert make_triplets(images, out) == ANCHORS
    anchors = [row.anchor.read_text() for row in read_triplets(out)]
    assert sorted(anchors) == [
        lfw.image_name(name, n + 1) for name, count in PEOPLE.items() if count > 1 for n in range(count)
    ]


def test_no_image_is_an_anchor_twice_before_all_were_once(images: Path, out: Path) -> None:
    make_triplets(images, out, count=2 * ANCHORS)
    anchors = [row.anchor.read_text() for row in read_triplets(out)]
    assert len(set(anchors[:ANCHORS])) == len(set(anchors[ANCHORS:])) == ANCHORS


def test_people_with_one_image_serve_as_negatives_only(images: Path, out: Path) -> None:
    make_triplets(images, out, count=200)
    rows = read_triplets(out)
    assert "Cy_Dee" in {person(row.negative) for row in rows}
    assert "Cy_Dee" not in {person(row.anchor) for row in rows}


def test_only_the_people_that_are_given_are_taken(images: Path, out: Path) -> None:
    make_triplets(images, out, count=50, people=["Cy_Dee", "Eve_Fox"])
    assert {person(path) for row in read_triplets(out) for path in row} == {"Cy_Dee", "Eve_Fox"}


def test_the_seed_decides_everything(images: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_triplets(images, tmp_path / name, count=20, seed=seed)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")


def test_the_same_call_again_does_nothing(images: Path, out: Path) -> None:
    told: list[tuple[int, int]] = []
    make_triplets(images, out, progress=lambda *now: told.append(now))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert make_triplets(images, out, progress=lambda *now: told.append(now)) == ANCHORS
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert told == [(row + 1, ANCHORS) for row in range(ANCHORS)]


def test_other_settings_replace_the_rows_and_leave_own_images_alone(images: Path, out: Path) -> None:
    make_triplets(images, out, count=9)
    own = [*add_own(out, "anchor", 2), *add_own(out, "positive", 1)]
    make_triplets(images, out, count=4, seed=5)
    assert all(path.read_text() == f"me/{path.name}" for path in own)
    assert [len(list((out / kind).iterdir())) for kind in KINDS] == [4 + 2, 4 + 1, 4]


def test_own_images_may_be_collected_first(images: Path, out: Path) -> None:
    add_own(out, "anchor", 1)
    add_own(out, "positive", 1)
    make_triplets(images, out, count=4)
    assert len(read_triplets(out)) == 5


@pytest.mark.parametrize("name", ["holiday.jpg", "000001_Ann_Bo_0001.jpg", "notes.txt", "folder"])
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_somebody_else_are_neither_touched_nor_joined(
    images: Path, out: Path, kind: str, name: str
) -> None:
    foreign = out / kind / name
    foreign.parent.mkdir(parents=True)
    if name == "folder":
        foreign.mkdir()
    else:
        foreign.write_text("precious")
    with pytest.raises(DataError, match="not made by recog"):
        make_triplets(images, out)
    assert [path for path in out.rglob("*") if not path.is_dir() or path == foreign] == [foreign]


def test_a_foreign_file_among_our_own_is_refused_too(images: Path, out: Path) -> None:
    make_triplets(images, out, count=4)
    (out / "anchor" / "holiday.jpg").write_text("precious")
    with pytest.raises(DataError, match=r"holiday\.jpg: not made by recog"):
        make_triplets(images, out, count=5)
    assert (out / "anchor" / "holiday.jpg").read_text() == "precious"
    assert len(list((out / "negative").iterdir())) == 4


def test_an_interrupted_call_is_not_trained_from_and_is_made_good_by_the_next(
    images: Path, out: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_triplets(images, out, progress=interrupt)
    with pytest.raises(DataError, match="interrupted"):
        read_triplets(out)
    make_triplets(images, out)
    assert len(read_triplets(out)) == ANCHORS


def test_a_row_that_lost_a_file_is_noticed_and_renewed(images: Path, out: Path) -> None:
    make_triplets(images, out, count=3)
    next((out / "negative").glob("000002_*")).unlink()
    with pytest.raises(DataError, match="row 000002 lacks"):
        read_triplets(out)
    make_triplets(images, out, count=3)
    assert len(read_triplets(out)) == 3


def test_a_damaged_marker_is_made_good(images: Path, out: Path) -> None:
    make_triplets(images, out, count=3)
    for damage in ("{", "[]"):
        (out / MARKER).write_text(damage)
        with pytest.raises(DataError, match="interrupted"):
            read_triplets(out)
        make_triplets(images, out, count=3)
        assert json.loads((out / MARKER).read_text())["complete"]


@pytest.mark.parametrize("people", [{"Ann_Bo"}, {"Cy_Dee"}, {"Nobody"}])
def test_people_that_make_no_triplets_are_a_data_error(images: Path, out: Path, people: set[str]) -> None:
    with pytest.raises(DataError, match="two images, a second person"):
        make_triplets(images, out, people=people)
    assert not out.exists()


def test_images_and_folders_that_are_not_there_are_data_errors(images: Path, out: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        make_triplets(out, out)
    with pytest.raises(DataError, match="count from 1"):
        make_triplets(images, out, count=0)
    with pytest.raises(DataError, match="no triplets here"):
        read_triplets(out)
    out.write_text("a file")
    with pytest.raises(DataError, match="cannot be written here"):
        make_triplets(images, out)


def test_own_images_follow_the_rows_and_the_fewer_are_used_again(images: Path, out: Path) -> None:
    make_triplets(images, out, count=2)
    anchors, positives = add_own(out, "anchor", 1), add_own(out, "positive", 3)
    negatives = sorted((out / "negative").iterdir())
    assert read_triplets(out)[2:] == [
        Triplet(anchors[0], positives[0], negatives[0]),
        Triplet(anchors[0], positives[1], negatives[1]),
        Triplet(anchors[0], positives[2], negatives[0]),
    ]


def test_a_folder_filled_by_hand_can_be_read(out: Path) -> None:
    for kind in KINDS:
        (out / kind).mkdir(parents=True)
        (out / kind / f"{kind}.png").touch()
        (out / kind / "Thumbs.db").touch()
    assert read_triplets(out) == [Triplet(*(out / kind / f"{kind}.png" for kind in KINDS))]


@pytest.mark.parametrize("missing", KINDS)
def test_own_images_that_lack_a_part_are_a_data_error(out: Path, missing: str) -> None:
    for kind in set(KINDS) - {missing}:
        add_own(out, kind, 1)
    with pytest.raises(DataError, match=f"{missing}: own images need"):
        read_triplets(out)


def test_own_names_are_recognised_unique_and_sort_by_time() -> None:
    names = [own_name() for _ in range(100)]
    assert all(OWN.fullmatch(name) for name in names)
    assert len(set(names)) == 100
    stamps = [name.split("-")[1] for name in names]
    assert stamps == sorted(stamps)


def test_whom_an_image_shows_is_told_by_its_place_and_name(images: Path, out: Path) -> None:
    make_triplets(images, out)
    for path in sorted(out.rglob("*.jpg")):
        assert person_of(path) == person(path)
    for kind in ("anchor", "positive"):
        assert {person_of(out / kind / name) for name in (own_name(), "me.png", "Ann_Bo_0001.jpg")} == {YOU}
    assert person_of(out / "negative" / "Ann_Bo_0001.jpg") == "Ann_Bo"
    assert person_of(out / "negative" / "somebody.jpg") == ""
