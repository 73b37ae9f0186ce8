"""Every change can be taken back, except a removal, of which nothing is left."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, Merged, NewTemplate
from gallery.address import is_server
from gallery.opening import opened

BOTH = True
Templates = Callable[..., NewTemplate]
TRUTH = ("meta", "people", "templates", "crops", "notes", "person_notes", "denials")


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the gallery but its history."""
    with closing(opened(path)) as store:
        return {table: sorted(store.rows(f"SELECT * FROM {table}")) for table in TRUTH}


@pytest.fixture
def filled(path: Path, template: Templates) -> Path:
    """Ada has pictures 1 and 2, Grace 2 and 3."""
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True), template(2)])
        gallery.add("Grace", [template(2, with_crop=True), template(3)])
        gallery.set_note("calibration", {"threshold": 1.5}, {"Ada": 0.25})
    return path


def test_a_renamed_person_keeps_everything_and_is_found_by_the_new_name(
    filled: Path, template: Templates
) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        assert gallery.search(template(1).embedding[None], 1).names == (("Ada",),)
        gallery.rename("Ada", "Ada Lovelace")
        assert gallery.search(template(1).embedding[None], 1).names == (("Ada Lovelace",),)
        assert gallery.person_notes("calibration") == {"Ada Lovelace": 0.25}
        with pytest.raises(GalleryError, match="recog gallery merge Grace 'Ada Lovelace'"):
            gallery.rename("Grace", "Ada Lovelace")
        with pytest.raises(GalleryError, match="nobody named Ada "):
            gallery.rename("Ada", "Anna")


def test_two_who_are_one_become_one_and_shared_pictures_are_kept_once(
    filled: Path, template: Templates
) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.search(template(1).embedding[None])
        assert gallery.merge("Grace", "Ada") == Merged(moved=1, duplicates=1)
        assert [(p.name, p.templates) for p in gallery.people()] == [("Ada", 3)]
        for seed in (1, 2, 3):
            matches = gallery.search(template(seed).embedding[None], 2)
            assert (matches.names, matches.people, matches.templates) == ((("Ada",),), 1, 3)
            assert matches.distances[0, 0] == 0
        with pytest.raises(GalleryError, match="with themselves"):
            gallery.merge("Ada", "Ada")


def test_undoing_step_by_step_leads_back_to_an_empty_gallery(path: Path, template: Templates) -> None:
    states = []
    with Gallery.open(path, "model", 16, create=True) as gallery:
        steps: list[Callable[[], object]] = [
            lambda: gallery.add("Ada", [template(1, with_crop=True), template(2)]),
            lambda: gallery.add("Grace", [template(2, with_crop=True), template(3)]),
            lambda: gallery.set_note("calibration", {"threshold": 1.5}, {"Ada": 0.25, "Grace": -1}),
            lambda: gallery.rename("Ada", "Ada Lovelace"),
            lambda: gallery.add("Ada Lovelace", [template(4)]),
            lambda: gallery.set_note("calibration", {"threshold": 2.5}, {"Grace": 1}),
            lambda: gallery.merge("Grace", "Ada Lovelace"),
            lambda: gallery.add_people({"Edith": [template(5)], "Ada Lovelace": [template(6)]}, "import"),
            lambda: gallery.set_note("calibration", None),
            lambda: gallery.rename("Ada Lovelace", "Grace"),
        ]
        for step in steps:
            states.append(content(path))
            step()
        assert len(gallery.log()) == len(steps)
        for state in reversed(states):
            change = gallery.undo()
            assert change is not None
            assert content(path) == state
            for seed in range(1, 7):  # the index follows
                found = gallery.search(template(seed).embedding[None], 9)
                assert found.people == len(state["people"])
                assert found.templates == len(state["templates"])
        assert gallery.undo() is None
        assert all(change.undone for change in gallery.log())


def test_the_log_tells_what_was_done_with_the_names_of_that_time(filled: Path) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.rename("Ada", "Anna")
        gallery.rename("Anna", "Ada Lovelace")
        gallery.merge("Grace", "Ada Lovelace")
        told = [(each.action, each.person, each.other, each.count) for each in gallery.log(most=4)]
        assert told == [
            ("merge", "Grace", "Ada Lovelace", 1),
            ("rename", "Anna", "Ada Lovelace", 0),
            ("rename", "Ada", "Anna", 0),
            ("note", None, None, 0),
        ]
        assert gallery.log()[-1].person == "Ada"


def test_enrolling_what_is_there_already_is_no_change(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        before = gallery.log()
        gallery.add("Ada", [template(1)])
        assert gallery.log() == before


def test_a_removal_cannot_be_undone_but_what_came_before_can(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.rename("Grace", "Grace Hopper")
        gallery.add("Ada", [template(7)])
        gallery.remove("Ada")
        undone = [gallery.undo() for _ in range(4)]
        assert [each.action if each else None for each in undone] == ["rename", "note", "enroll", None]
        assert gallery.people() == []
        assert [each.person for each in gallery.log() if each.action == "remove"] == [None]


@pytest.mark.file
def test_nothing_of_a_removed_person_is_left_in_the_history(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.add("Hidden Person", [template(8, with_crop=True), template(1, with_crop=True)])
        gallery.rename("Hidden Person", "Secret Person")
        gallery.merge("Secret Person", "Ada")  # the picture they shared lies in the history alone
        gallery.rename("Ada", "Ada Lovelace")
        gallery.set_note("calibration", {}, {"Ada Lovelace": {"near": "secret-note"}})
        gallery.set_note("calibration", {}, {})
        assert gallery.remove("Ada Lovelace").erased
    everything = b"".join(entry.read_bytes() for entry in filled.parent.iterdir())
    for trace in (b"Hidden", b"Secret", b"Lovelace", b"secret-note", b"picture-00000008", b"digest-00000001"):
        assert trace not in everything
    assert template(1).embedding.tobytes() not in everything
    assert b"Grace" in everything


def test_single_photos_are_removed_for_good_and_only_ones_own(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        first, second = [photo.id for photo in gallery.templates("Ada")]
        (theirs, _) = [photo.id for photo in gallery.templates("Grace")]
        for wrong in ([theirs], [0], [first, second]):
            with pytest.raises(GalleryError):
                gallery.remove("Ada", wrong)
        removed = gallery.remove("Ada", [first])
        assert (removed.templates, removed.crops) == (1, 1)
        assert [photo.id for photo in gallery.templates("Ada")] == [second]
        gallery.undo()  # the note
        gallery.undo()  # Grace
        gallery.undo()  # Ada
        assert gallery.people() == []
    assert is_server(filled) or template(1).embedding.tobytes() not in filled.read_bytes()


@pytest.mark.file
def test_an_undone_enrolment_leaves_no_bytes_behind(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.add("Edith Clarke", [template(9)])
        gallery.undo()
    content = filled.read_bytes()
    assert template(9).embedding.tobytes() not in content
    assert b"Edith" not in content


def test_notes_that_are_merely_derived_do_not_enter_the_history(filled: Path) -> None:
    with Gallery.open(filled, None, None) as gallery:
        gallery.set_note("calibration", {"threshold": 9}, undoable=False)
        assert gallery.note("calibration") == {"threshold": 9}
        assert gallery.person_notes("calibration") == {}
        assert gallery.note("other") is None
        undone = gallery.undo()
        assert undone is not None
        assert undone.action == "note"
        assert gallery.note("calibration") is None
        with pytest.raises(GalleryError, match="nobody named Zoe"):
            gallery.set_note("calibration", {}, {"Zoe": 1})


def test_another_model_takes_over_in_one_step_and_back(filled: Path) -> None:
    before = content(filled)
    with Gallery.open(filled, None, None) as gallery:
        embeddable, missing = gallery.crop_ids()
        assert (len(embeddable), len(missing)) == (2, 2)
        new = {i: np.full(8, i, np.float32) for i in embeddable}
        with pytest.raises(GalleryError, match="changed meanwhile"):
            gallery.migrate(new, "other", 8)
        with pytest.raises(GalleryError, match="changed meanwhile"):
            gallery.migrate({**new, 99: new[embeddable[0]]}, "other", 8, leave_out=True)
        assert content(filled) == before
        assert gallery.migrate(new, "other", 8, leave_out=True) == 2
    with Gallery.open(filled, "other", 8) as gallery:
        assert gallery.search(np.full((1, 8), embeddable[1], np.float32), 1).names == (("Grace",),)
        assert len(gallery) == 2
    with pytest.raises(GalleryError, match="recog gallery migrate"):
        Gallery.open(filled, "model", 16)
    with Gallery.open(filled, None, None) as gallery:
        gallery.undo()
    assert content(filled) == before


def test_a_gallery_that_was_migrated_under_a_reader_is_refused(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as reader, Gallery.open(filled, None, None) as other:
        reader.search(template(1).embedding[None])
        other.migrate({i: np.zeros(8, np.float32) for i in other.crop_ids()[0]}, "other", 8, leave_out=True)
        with pytest.raises(GalleryError, match="migrated to the model other"):
            reader.refresh()


def test_any_row_of_changes_can_be_taken_back(path: Path, template: Templates) -> None:
    chance = random.Random(0)
    with Gallery.open(path, "model", 16, create=True) as gallery:
        states = []
        while len(states) < 40:
            names = [person.name for person in gallery.people()]
            state = content(path)
            match chance.choice(["add", "add", "deny", "deny", "withdraw", "rename", "merge", "note"]):
                case "add":
                    name = chance.choice([*names, f"new {len(states)}"])
                    photos = [replace(template(chance.randrange(12)), details={"n": 1}) for _ in range(3)]
                    gallery.add(name, photos)
                case "deny" if names:
                    looks = [template(chance.randrange(12)) for _ in range(2)]
                    gallery.deny(chance.choice(names), looks)
                case "withdraw" if gallery.denials():
                    gallery.withdraw(chance.choice(gallery.denials()).face)
                case "rename" if names:
                    gallery.rename(chance.choice(names), f"renamed {len(states)}")
                case "merge" if len(names) > 1:
                    gallery.merge(*chance.sample(names, 2))
                case "note" if names:
                    gallery.set_note("n", chance.random(), {chance.choice(names): 1})
            if content(path) != state:
                states.append(state)
        for state in reversed(states):
            gallery.undo()
            assert content(path) == state
