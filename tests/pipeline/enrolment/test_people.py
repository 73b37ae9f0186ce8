"""A folder of folders: everybody who can be enrolled is, and a report says who could not and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.enrolment.people import find_people
from pipeline.errors import SourceError


@pytest.fixture
def people(tmp_path: Path, world: Any) -> Path:
    root = tmp_path / "people"
    for name in ("red", "green", "empty", ".hidden", "nobody"):
        (root / name).mkdir(parents=True)
    world.picture(root / "red" / "1.png", world.RED, side=100)
    world.picture(root / "red" / "2.png", world.RED, world.BLUE)
    world.picture(root / "green" / "1.png", world.GREEN, side=100)
    world.picture(root / "nobody" / "1.png")
    (root / "notes.txt").write_text("no folder")
    return root


def test_those_who_can_be_enrolled_are_and_the_others_are_reported(
    people: Path, tmp_path: Path, detector: Any, embedder: Any, recog: Any
) -> None:
    sheet = tmp_path / "sheet.png"
    ended = recog("enroll", "--people", people, "--sheet", sheet)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert "empty: nobody enrolled: no photographs in this folder" in lines
    assert "nobody: nobody enrolled: rejected: no face found" in lines
    assert any(line.startswith(f"{people / 'red' / '2.png'}: rejected: 2 faces") for line in lines)
    assert lines[-1].startswith(
        "2 of 4 people and 2 of 4 photos stored, 0 already there, 0 held back, 2 rejec"
    )
    assert sheet.exists()
    with build.gallery(None, embedder) as gallery:
        assert {person.name: person.templates for person in gallery.people()} == {"green": 1, "red": 1}


def test_the_same_folder_again_adds_nothing_and_json_says_all(
    people: Path, detector: Any, embedder: Any, recog: Any
) -> None:
    recog("enroll", "--people", people)
    values = json.loads(recog("enroll", "--people", people, "--json").out)
    assert (values["stored"], values["duplicates"], values["rejected"], values["images"]) == (0, 2, 2, 4)
    by_name = {each["name"]: each for each in values["people"]}
    assert by_name["empty"]["refused"] == "no photographs in this folder"
    assert by_name["red"]["photos"][0]["verdict"] == "duplicate"


def test_where_nobody_can_be_enrolled_it_ends_with_one_line(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    (tmp_path / "people" / "nobody").mkdir(parents=True)
    world.picture(tmp_path / "people" / "nobody" / "1.png")
    ended = recog("enroll", "--people", tmp_path / "people")
    assert ended.code == 1
    assert ended.err == f"recog: nobody in {tmp_path / 'people'} can be enrolled; nothing was stored\n"
    assert not build.GALLERY.exists()


def test_a_folder_that_holds_no_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="one folder for each person"):
        find_people(tmp_path)
    with pytest.raises(SourceError, match="cannot list"):
        find_people(tmp_path / "missing")


def test_a_name_that_cannot_be_is_said_and_left_out(tmp_path: Path) -> None:
    (tmp_path / ("x" * 90)).mkdir()
    (found,) = find_people(tmp_path)
    assert "at most 80 characters" in found.refused
