"""What somebody said of whom a face is not: it goes with the person, and is found by a search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate
from gallery.encoding import crop_to_bytes
from gallery.exchange import export_bytes, read_export
from gallery.pooled import pool

BOTH = True
Templates = Callable[..., NewTemplate]


@pytest.fixture
def filled(path: Path, template: Templates) -> Path:
    """Ada has 1 and 2, Grace 3. A face of which there are looks 4 (with a crop) and 5 is not Ada."""
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True), template(2)])
        gallery.add("Grace", [template(3)])
        assert gallery.deny("Ada", [template(4, with_crop=True), template(5)]) == 3
    return path


def distance(gallery: Gallery, probe: np.ndarray, name: str) -> float:
    """Of a probe to the nearest face that is not this person."""
    found = gallery.search(probe[None], 5, pooled=True)
    return np.inf if found.denied is None else float(found.denied[0, found.names[0].index(name)])


def test_a_search_says_how_near_a_probe_is_to_a_face_that_is_not_theirs(
    filled: Path, template: Templates
) -> None:
    probe, looks = template(9).embedding, [template(4).embedding, template(5).embedding]
    with Gallery.open(filled, "model", 16) as gallery:
        assert distance(gallery, probe, "Ada") == pytest.approx(np.abs(pool(np.stack(looks)) - probe).sum())
        assert distance(gallery, probe, "Grace") == np.inf
        gallery.deny("Ada", [template(9)])  # another face: the nearer one counts
        assert distance(gallery, probe, "Ada") == 0


def test_nobody_is_enrolled_or_searched_by_what_is_denied(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        found = gallery.search(template(4).embedding[None], 5)
        assert (found.templates, found.people, len(gallery)) == (3, 2, 3)
        assert found.distances[0, 0] > 0
        assert [(p.name, p.templates) for p in gallery.people()] == [("Ada", 2), ("Grace", 1)]
        assert gallery.stats().denials == 2


def test_what_is_kept_to_undo_a_withdrawal_with_is_counted(filled: Path, template: Templates) -> None:
    look = template(4, with_crop=True)
    assert look.crop is not None
    with Gallery.open(filled, "model", 16) as gallery:
        before = gallery.stats().undo
        gallery.withdraw(gallery.denials("Ada")[0].face)
        kept = 2 * 16 * 4 + len(crop_to_bytes(look.crop))  # two embeddings, and the one picture
        assert gallery.stats().undo == before + kept


def test_another_process_hears_of_it_and_of_its_withdrawal(filled: Path, template: Templates) -> None:
    probe = template(9).embedding
    with Gallery.open(filled, "model", 16) as gallery, Gallery.open(filled, "model", 16) as other:
        assert distance(gallery, probe, "Grace") == np.inf
        other.deny("Grace", [template(9)])
        assert gallery.refresh()
        assert distance(gallery, probe, "Grace") == 0
        assert other.withdraw(other.denials("Grace")[0].face)
        assert gallery.refresh()
        assert distance(gallery, probe, "Grace") == np.inf
        assert [change.action for change in other.log(2)] == ["withdraw", "deny"]
        other.undo()
        assert gallery.refresh()
        assert distance(gallery, probe, "Grace") == 0


def test_saying_it_twice_is_no_change_and_withdrawing_it_twice_is_refused(
    filled: Path, template: Templates
) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        changes = len(gallery.log())
        assert gallery.deny("Ada", [template(5)]) == 0
        assert len(gallery.log()) == changes
        face = gallery.denials("Ada")[0].face
        gallery.withdraw(face)
        with pytest.raises(GalleryError, match="no denied face"):
            gallery.withdraw(face)
        with pytest.raises(GalleryError, match="nobody named Zoe"):
            gallery.deny("Zoe", [template(5)])


def test_it_stays_through_a_renaming_and_goes_over_when_people_become_one(
    filled: Path, template: Templates
) -> None:
    probe = template(9).embedding
    with Gallery.open(filled, "model", 16) as gallery:
        before = distance(gallery, probe, "Ada")
        gallery.rename("Ada", "Ada Lovelace")
        assert distance(gallery, probe, "Ada Lovelace") == before
        gallery.merge("Ada Lovelace", "Grace")
        assert distance(gallery, probe, "Grace") == before
        gallery.undo()
        assert distance(gallery, probe, "Grace") == np.inf
        assert distance(gallery, probe, "Ada Lovelace") == before


def test_what_was_said_last_holds(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.add("Ada", [template(4)])  # it is Ada after all
        assert [denial.look.digest for denial in gallery.denials()] == [template(5).digest]
        gallery.undo()
        assert len(gallery.denials()) == 2
        gallery.add("Grace", [template(4)])  # which says nothing of Ada
        assert len(gallery.denials()) == 2
        gallery.merge("Ada", "Grace")  # and now it is of one who is both
        assert [denial.look.digest for denial in gallery.denials()] == [template(5).digest]
        gallery.undo()
        assert len(gallery.denials("Ada")) == 2


@pytest.mark.file
def test_nothing_of_it_is_left_when_the_person_is_removed(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.withdraw(gallery.denials("Ada")[0].face)  # the history holds it now
        gallery.undo()
        gallery.withdraw(gallery.denials("Ada")[0].face)
        assert gallery.remove("Ada").erased
        assert gallery.denials() == []
    content = filled.read_bytes()
    for seed in (4, 5):
        assert template(seed).embedding.tobytes() not in content
        assert template(seed).digest.encode() not in content


@pytest.mark.file
def test_an_undone_denial_leaves_no_bytes_behind(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        change = gallery.undo()
        assert change is not None
        assert (change.action, change.person) == ("deny", "Ada")
    assert template(4).embedding.tobytes() not in filled.read_bytes()


def test_an_export_carries_it_face_by_face(filled: Path, tmp_path: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.deny("Ada", [template(6)])
        (tmp_path / "people.recog").write_bytes(export_bytes(gallery, ["Ada"], True, None))
        before = [distance(gallery, template(seed).embedding, "Ada") for seed in (6, 9)]
    found = read_export(tmp_path / "people.recog", None)
    with Gallery.open(tmp_path / "new.db", "model", 16, create=True) as gallery:
        gallery.add_people(found.people, "import", found.denied)
        assert [distance(gallery, template(seed).embedding, "Ada") for seed in (6, 9)] == before
        crop = gallery.denials()[0].look.crop
        assert crop is not None
        np.testing.assert_array_equal(crop, template(4, with_crop=True).crop)
        assert gallery.add_people(found.people, "import", found.denied).change == 0
        gallery.undo()
        assert (gallery.people(), gallery.denials()) == ([], [])


def test_a_backup_holds_it(filled: Path, tmp_path: Path, template: Templates) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        gallery.back_up(tmp_path / "copy.db")
        before = distance(gallery, template(9).embedding, "Ada")
    with Gallery.open(tmp_path / "copy.db", "model", 16) as copy:
        assert distance(copy, template(9).embedding, "Ada") == before


def test_another_model_takes_over_what_has_a_crop(filled: Path, template: Templates) -> None:
    with Gallery.open(filled, None, None) as gallery:
        photos, looks = gallery.crop_ids()[0], gallery.denials()
        new = {each: np.zeros(8, np.float32) for each in photos}
        against = {looks[0].look.id: np.ones(8, np.float32)}
        gallery.migrate(new, "other", 8, leave_out=True, denied=against)
    with Gallery.open(filled, "other", 8) as gallery:
        assert [each.look.embedding.tolist() for each in gallery.denials()] == [[1.0] * 8]
        assert distance(gallery, np.zeros(8, np.float32), "Ada") == 8
    with Gallery.open(filled, None, None) as gallery:
        gallery.undo()
    with Gallery.open(filled, "model", 16) as gallery:
        assert [each.look.embedding.tolist() for each in gallery.denials()] == [
            template(seed).embedding.tolist() for seed in (4, 5)
        ]


def test_a_run_goes_on_with_what_was_denied_when_another_model_takes_the_file_over(
    filled: Path, template: Templates
) -> None:
    probe = template(9).embedding
    with Gallery.open(filled, "model", 16, live=True) as gallery, Gallery.open(filled, None, None) as other:
        before = distance(gallery, probe, "Ada")
        new = {each: np.zeros(8, np.float32) for each in other.crop_ids()[0]}
        other.migrate(new, "other", 8, leave_out=True)
        gallery.refresh()
        assert gallery.migrated_to == "other"
        assert distance(gallery, probe, "Ada") == before
