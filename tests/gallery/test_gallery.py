from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gallery import Added, Gallery, GalleryError, NewTemplate, Removed
from gallery.address import is_server

BOTH = True
Templates = Callable[..., NewTemplate]


def test_what_was_enrolled_is_there_after_opening_again(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        assert gallery.add("Ada", [template(1, with_crop=True), template(2)]) == Added(2, 0)
    with Gallery.open(path, "model", 16, create=True) as gallery:
        assert (len(gallery), gallery.people_count) == (2, 1)
        assert (gallery.path, gallery.fingerprint, gallery.dimension) == (path, "model", 16)
        first, second = gallery.templates("Ada")
        wanted = template(1, with_crop=True)
        assert first.crop is not None
        np.testing.assert_array_equal(first.crop, wanted.crop)
        np.testing.assert_array_equal(first.embedding, wanted.embedding)
        assert (first.quality, first.origin, first.digest) == (wanted.quality, wanted.origin, wanted.digest)
        assert second.crop is None
        assert gallery.search(wanted.embedding[None], 3).names == (("Ada",),)


def test_people_are_listed_by_name_with_counts_and_times(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("grace", [template(1)])
        gallery.add("Ada", [template(2), template(3)])
        gallery.add("Jürgen", [template(4)])
        people = gallery.people()
    assert [(person.name, person.templates) for person in people] == [("Ada", 2), ("grace", 1), ("Jürgen", 1)]
    for person in people:
        added = datetime.fromisoformat(person.added)
        assert added.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - added) < timedelta(minutes=1)
        assert person.last_added >= person.added


def test_the_same_picture_is_stored_once_for_one_person(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        assert gallery.add("Ada", [template(1), template(1)]) == Added(1, 1)
        assert gallery.add("Ada", [template(1), template(2)]) == Added(1, 1)
        assert gallery.add("Grace", [template(1)]) == Added(1, 0), "others may share a picture"
        assert len(gallery) == 3
        assert gallery.search(template(1).embedding[None]).templates == 3


def test_names_are_checked_and_brought_to_one_form(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ju\u0308rgen", [template(1)])
        gallery.add(" J\u00fcrgen ", [template(2)])
        assert [person.templates for person in gallery.people()] == [2]
        with pytest.raises(GalleryError, match="slash"):
            gallery.add("../Ada", [template(3)])
        assert gallery.remove("Ju\u0308rgen").templates == 2


def test_nothing_to_add_makes_nobody(path: Path) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        assert gallery.add("Ada", []) == Added(0, 0)
        assert gallery.people() == []


def test_a_file_name_that_is_not_text_does_not_stop_an_enrolment(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [replace(template(1), origin="caf\udce9.jpg")])
        assert [stored.origin for stored in gallery.templates("Ada")] == ["caf\\udce9.jpg"]


def test_removing_takes_a_person_out_of_file_and_search(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1), template(2)])
        gallery.add("Grace", [template(3)])
        assert gallery.search(template(1).embedding[None]).names[0][0] == "Ada"
        removed = gallery.remove("Ada")
        assert replace(removed, remains="") == Removed(templates=2, crops=0, erased=not is_server(path))
        assert ("backups" in removed.remains) is is_server(path)
        assert gallery.search(template(1).embedding[None]).names == (("Grace",),)
        assert (len(gallery), gallery.people_count) == (1, 1)
        assert gallery.refresh() is False, "one's own writing is no news"


def test_an_unknown_name_is_answered_with_near_ones(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada Lovelace", [template(1)])
        with pytest.raises(GalleryError, match="did you mean Ada Lovelace"):
            gallery.remove("ada lovelce")
        with pytest.raises(GalleryError, match="recog gallery list"):
            gallery.remove("Zoe")
        with pytest.raises(GalleryError, match="did you mean"):
            gallery.templates("ada")
        assert len(gallery) == 1


def test_the_gallery_of_another_model_says_which_and_the_way_out(path: Path) -> None:
    Gallery.open(path, "siamese-a", 16, create=True).close()
    for fingerprint, dimension in [("siamese-b", 16), ("siamese-a", 32)]:
        with pytest.raises(GalleryError) as caught:
            Gallery.open(path, fingerprint, dimension, create=True)
        text = str(caught.value)
        assert "\n" not in text
        for part in ("siamese-a", "16", fingerprint, str(dimension), "--gallery"):
            assert part in text


def test_without_a_model_a_gallery_can_be_listed_and_pruned_only(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    with Gallery.open(path, None, None) as gallery:
        assert (gallery.fingerprint, gallery.dimension) == ("model", 16)
        assert [person.name for person in gallery.people()] == ["Ada"]
        with pytest.raises(ValueError, match="without a model"):
            gallery.add("Grace", [template(2)])
        with pytest.raises(ValueError, match="without a model"):
            gallery.search(np.zeros((1, 16), np.float32))
        assert gallery.refresh() is False
        with Gallery.open(path, "model", 16) as other:
            other.add("Grace", [template(2)])
        assert gallery.refresh() is True
        assert gallery.refresh() is False
        assert gallery.remove("Ada").templates == 1


def test_opening_with_half_a_model_is_a_bug(path: Path) -> None:
    with pytest.raises(ValueError, match="go together"):
        Gallery.open(path, "model", None)
    with pytest.raises(ValueError, match="needs a fingerprint"):
        Gallery.open(path, None, None, create=True)
    assert not path.exists()


@pytest.mark.parametrize(
    "embedding", [np.zeros(15), np.zeros((1, 16)), np.full(16, np.nan), np.full(16, np.inf)]
)
def test_misshapen_and_infinite_embeddings_are_bugs(path: Path, embedding: np.ndarray) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        with pytest.raises(ValueError, match="embedding"):
            gallery.add("Ada", [NewTemplate(embedding.astype(np.float32), None, 1.0, "origin", "digest")])
        assert gallery.people() == []


def test_wrong_types_in_a_template_are_bugs(template: Templates) -> None:
    with pytest.raises(ValueError, match="float32"):
        replace(template(1), embedding=np.zeros(16))
    for crop in (np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match="crop"):
            replace(template(1), crop=crop)
    with pytest.raises(ValueError, match="quality"):
        replace(template(1), quality=float("nan"))


def test_refresh_brings_what_another_has_written(path: Path, template: Templates) -> None:
    probe = template(1).embedding[None]
    with (
        Gallery.open(path, "model", 16, create=True) as mine,
        Gallery.open(path, "model", 16) as theirs,
    ):
        assert mine.search(probe).names == ((),)
        assert mine.refresh() is False
        theirs.add("Ada", [template(1)])
        assert mine.refresh() is True
        assert mine.search(probe).names == (("Ada",),)
        assert mine.refresh() is False
        theirs.remove("Ada")
        assert mine.refresh() is True
        assert mine.search(probe).names == ((),)


def test_own_and_foreign_writes_in_turn_add_up(path: Path, template: Templates) -> None:
    probe = template(1).embedding[None]
    with (
        Gallery.open(path, "model", 16, create=True) as mine,
        Gallery.open(path, "model", 16) as theirs,
    ):
        mine.add("Ada", [template(1)])
        assert mine.search(probe).names == (("Ada",),)
        theirs.remove("Ada")
        theirs.add("Grace", [template(2)])
        mine.add("Ada", [template(3)])  # before refresh has seen that the former Ada is gone
        matches = mine.search(probe)
        assert sorted(matches.names[0]) == ["Ada", "Grace"]
        assert matches.templates == 2
        mine.add("Edith", [template(4)])
        theirs.refresh()
        assert theirs.search(probe).people == 3


def test_any_thread_may_search_while_another_adds(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(0)])
        wrong: list[object] = []

        def search() -> None:
            try:
                for _ in range(100):
                    matches = gallery.search(template(0).embedding[None], 1)
                    if matches.names != (("Ada",),):
                        wrong.append(matches)
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(1, 30):
            gallery.add(f"person {i}", [template(i)])
        gallery.remove("person 7")
        for thread in threads:
            thread.join()
        assert not wrong
        assert gallery.search(template(0).embedding[None], 50).people == 29


def test_templates_removed_while_being_read_are_left_out(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1), template(2)])
        reading = gallery.templates("Ada")
        next(reading)
        assert gallery.remove("Ada").erased or is_server(path), (
            "a reader between two templates is not in the way"
        )
        assert list(reading) == []


@pytest.mark.file
def test_closing_twice_is_fine_and_leaves_one_file(path: Path, template: Templates) -> None:
    gallery = Gallery.open(path, "model", 16, create=True)
    gallery.add("Ada", [template(1)])
    gallery.close()
    gallery.close()
    assert list(path.parent.iterdir()) == [path]
