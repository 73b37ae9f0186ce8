"""Photos that are set aside: kept through everything, and found by no search until they are brought back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate
from gallery.check import check
from gallery.exchange import export_bytes, read_export
from gallery.followed import Enrolled

Make = Callable[..., NewTemplate]

BOTH = True


@pytest.fixture
def gallery(path: Path, template: Make) -> Iterator[Gallery]:
    """Ada has templates 1 and 2, Grace 3."""
    with Gallery.open(path, "model", 16, create=True) as opened:
        opened.add("Ada", [template(1, True), template(2, True)])
        opened.add("Grace", [template(3, True)])
        yield opened


def nearest(gallery: Gallery, template: NewTemplate) -> tuple[str, float]:
    found = gallery.search(template.embedding[None], 1)
    return found.names[0][0], float(found.distances[0, 0])


def test_what_is_set_aside_is_kept_and_not_searched_until_it_is_back(
    gallery: Gallery, template: Make
) -> None:
    assert nearest(gallery, template(2)) == ("Ada", 0.0)

    assert gallery.set_aside("Ada", [2]) == 1

    assert nearest(gallery, template(2))[1] > 0
    assert [photo.id for photo in gallery.templates("Ada")] == [1]
    assert [(photo.id, photo.aside) for photo in gallery.templates("Ada", aside=True)] == [
        (1, False),
        (2, True),
    ]
    assert [(person.templates, person.aside) for person in gallery.people()] == [(2, 1), (1, 0)]
    assert len(gallery) == 3
    assert gallery.embeddings()[0].tolist() == [1, 3]

    assert gallery.set_aside("Ada", [1, 2], aside=False) == 1

    assert nearest(gallery, template(2)) == ("Ada", 0.0)
    assert [change.action for change in gallery.log(2)] == ["bring back", "set aside"]


def test_undo_brings_back_what_was_set_aside_and_the_other_way_round(
    gallery: Gallery, template: Make
) -> None:
    gallery.set_aside("Ada", [1, 2])
    gallery.set_aside("Ada", [2], aside=False)
    assert gallery.undo()
    assert [photo.id for photo in gallery.templates("Ada")] == []
    assert gallery.undo()
    assert [photo.id for photo in gallery.templates("Ada")] == [1, 2]
    assert nearest(gallery, template(1)) == ("Ada", 0.0)


def test_what_is_so_already_is_no_change(gallery: Gallery) -> None:
    before = gallery.log()
    assert gallery.set_aside("Ada", [1], aside=False) == 0
    assert gallery.log() == before


def test_photos_of_somebody_else_are_refused(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="Ada has no such photo"):
        gallery.set_aside("Ada", [3])
    with pytest.raises(GalleryError, match="Nobody"):
        gallery.set_aside("Nobody", [3])


def test_whoever_has_every_photo_aside_is_found_by_nobody(gallery: Gallery, template: Make) -> None:
    gallery.set_aside("Grace", [3])
    assert gallery.search(template(3).embedding[None], 5).names == (("Ada",),)
    assert [person.name for person in gallery.people()] == ["Ada", "Grace"]


def test_another_program_that_searches_the_gallery_notices(
    path: Path, gallery: Gallery, template: Make
) -> None:
    people = Enrolled(path, "model", 16)
    assert people.search(template(2).embedding[None], 1).distances[0, 0] == 0
    gallery.set_aside("Ada", [2])
    while not people.refresh():
        pass
    assert people.search(template(2).embedding[None], 1).distances[0, 0] > 0
    gallery.add("Ada", [template(9)])  # the short way of catching up must not bring it back
    while not people.refresh():
        pass
    assert people.search(template(2).embedding[None], 1).distances[0, 0] > 0
    assert people.search(template(9).embedding[None], 1).distances[0, 0] == 0
    people.close()


def test_the_newest_template_set_aside_stays_so_while_others_are_enrolled(
    path: Path, gallery: Gallery, template: Make
) -> None:
    people = Enrolled(path, "model", 16)
    gallery.set_aside("Grace", [3])
    while not people.refresh():
        pass
    assert people.search(template(3).embedding[None], 1).names == (("Ada",),)
    gallery.add("Ada", [template(9)])
    while not people.refresh():
        pass
    assert people.search(template(3).embedding[None], 5).names == (("Ada",),)
    people.close()


def test_it_stays_aside_through_renaming_merging_and_undoing_both(gallery: Gallery) -> None:
    gallery.set_aside("Ada", [2])
    gallery.rename("Ada", "Ada Lovelace")
    gallery.merge("Ada Lovelace", "Grace")
    assert [(each.id, each.aside) for each in gallery.templates("Grace", aside=True)] == [
        (1, False), (2, True), (3, False),
    ]  # fmt: skip
    gallery.undo()
    assert [each.id for each in gallery.templates("Ada Lovelace")] == [1]


def test_it_stays_aside_in_a_backup_and_in_an_export(gallery: Gallery, tmp_path: Path) -> None:
    gallery.set_aside("Ada", [2])
    gallery.back_up(tmp_path / "copy.db")
    with Gallery.open(tmp_path / "copy.db", "model", 16) as copy:
        assert [each.id for each in copy.templates("Ada")] == [1]
        assert len(copy) == 3
    carried = tmp_path / "people.recog"
    carried.write_bytes(export_bytes(gallery, None, True, None))
    with Gallery.open(tmp_path / "other.db", "model", 16, create=True) as other:
        other.add_people(read_export(carried, None).people, "import")
        assert [each.aside for each in other.templates("Ada", aside=True)] == [False, True]
        assert len(other.embeddings()[0]) == 2


def test_an_export_says_a_later_version_only_where_photos_are_aside(gallery: Gallery, tmp_path: Path) -> None:
    assert b'"version": 1' in export_bytes(gallery, None, False, None)
    gallery.set_aside("Ada", [2])
    assert b'"version": 2' in export_bytes(gallery, None, False, None)
    assert b'"version": 1' in export_bytes(gallery, ["Grace"], False, None)


def test_it_goes_over_to_another_model_with_the_others(path: Path, gallery: Gallery) -> None:
    gallery.set_aside("Ada", [2])
    assert gallery.crop_ids() == ([1, 2, 3], [])
    rows = {number: np.full(8, number, np.float32) for number in (1, 2, 3)}
    gallery.migrate(rows, "later", 8)
    with Gallery.open(path, "later", 8) as opened:
        opened.set_aside("Ada", [2], aside=False)
        assert opened.search(rows[2][None], 1).distances[0, 0] == 0


def test_a_removal_takes_what_is_aside_as_well(gallery: Gallery) -> None:
    gallery.set_aside("Ada", [2])
    assert gallery.remove("Ada").templates == 2


def test_the_check_passes_over_it_and_numbers_photos_as_they_are_shown(path: Path, template: Make) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(n) for n in range(1, 5)])
        ids = gallery.photos("Ada")
        gallery.set_aside("Ada", ids[:1])

        def one_person_but_for_the_last(distances: np.ndarray) -> np.ndarray:
            ratios = np.ones(distances.shape)
            ratios[-1, :-1] = ratios[:-1, -1] = -1
            return ratios

        found = check(gallery, one_person_but_for_the_last, 0.9)
    assert [(each.kind, each.photos) for each in found] == [
        ("outlier", (4,)), ("poor", (2,)), ("poor", (3,)), ("poor", (4,)),
    ]  # fmt: skip
