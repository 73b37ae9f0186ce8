"""People enrolled from pictures and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gallery.errors import GalleryError
from pipeline.api import Recog, Verdict


def test_people_of_a_folder_are_enrolled_one_by_one(recognition: Recog, world: Any, tmp_path: Path) -> None:
    for name, colour in (("Gil", world.GREEN), ("Rosa", world.RED)):
        (tmp_path / "all" / name).mkdir(parents=True)
        world.picture(tmp_path / "all" / name / "1.png", colour)
    (tmp_path / "all" / "unknown").mkdir()
    told = [
        (each.name, each.usable, done, total)
        for each, done, total in recognition.enroll_people(tmp_path / "all")
    ]
    assert told == [("Gil", True, 1, 3), ("Rosa", True, 2, 3), ("unknown", False, 3, 3)]
    assert [each.kind for each in recognition.check()] == []


def test_what_is_set_aside_names_nobody_and_is_not_enrolled_twice(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    file = world.picture(tmp_path / "rosa.png", world.RED)
    recognition.enroll("Rosa", [file])
    with recognition.gallery() as gallery:
        gallery.set_aside("Rosa", gallery.photos("Rosa"))

    assert recognition.identify(file)[0].name is None
    with pytest.raises(GalleryError, match="all photos of Rosa are set aside"):
        recognition.verify_person("Rosa", file)
    (outcome,) = recognition.enroll("Rosa", [file]).outcomes
    assert (outcome.verdict, outcome.reason) == (Verdict.DUPLICATE, "already enrolled, but set aside")


def test_the_same_array_is_stored_once_and_another_one_as_well(recognition: Recog, world: Any) -> None:
    first = world.face(world.empty(), world.RED, 60, 60, 80)
    second = world.face(world.empty(), world.RED, 80, 40, 100)
    assert recognition.enroll("Rosa", [first]).count(Verdict.ACCEPTED) == 1
    again = recognition.enroll("Rosa", [first.copy()])
    assert (again.count(Verdict.DUPLICATE), again.outcomes[0].origin) == (1, "array 1")
    assert recognition.people()[0].templates == 1
    assert recognition.enroll("Rosa", [second]).outcomes[0].verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE)


def test_a_dry_run_makes_no_gallery(recognition: Recog, world: Any) -> None:
    said = recognition.enroll("Rosa", [world.face(world.empty(), world.RED, 60, 60, 80)], dry_run=True)
    assert said.count(Verdict.ACCEPTED) == 1
    assert not recognition.path.exists()
