"""A gallery on a server that others write to, that goes away, and that comes back."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from gallery import Gallery, GalleryError, followed, live
from gallery.errors import LostError, MissingError
from gallery.followed import Enrolled
from tests.gallery.server.conftest import Templates, names, until
from tests.postgres import Server


def test_a_run_hears_of_an_enrolment_elsewhere_within_a_second(filled: Path, template: Templates) -> None:
    with closing(Enrolled(filled, "model", 16)) as run, Gallery.open(filled, "model", 16) as other:
        assert names(run, template(1)) == ["Ada", "Grace"]
        other.add("Edith", [template(4)])

        def known() -> bool:
            run.refresh()
            return run.knows("Edith")

        assert until(known) < 1
        assert names(run, template(4))[0] == "Edith"


def test_a_run_goes_on_while_its_server_is_gone_and_follows_it_again(
    filled: Path, stopped: Server, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "PAUSE", 0.05)
    said: list[str] = []
    with closing(Enrolled(filled, "model", 16, said.append)) as run:
        assert names(run, template(1)) == ["Ada", "Grace"]
        stopped.stop()
        longest = 0.0
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends:
            before = time.monotonic()
            assert run.refresh() is False
            assert names(run, template(1)) == ["Ada", "Grace"]
            longest = max(longest, time.monotonic() - before)
        assert longest < 0.3, "no frame waits for a server"
        assert len(said) == 1
        assert "not heard of any more; until then, those known so far are recognised" in said[0]
        stopped.start()
        with Gallery.open(filled, "model", 16) as other:
            other.add("Edith", [template(4)])

        def known() -> bool:
            run.refresh()
            return run.knows("Edith")

        until(known)
        assert said[1:] == [f"the gallery {filled} is followed again"]
        assert run.note("calibration") is None


def test_a_change_is_refused_without_a_server_and_made_once_it_is_back(
    filled: Path, stopped: Server, template: Templates
) -> None:
    with Gallery.open(filled, "model", 16) as gallery:
        stopped.stop()
        with pytest.raises(LostError):
            gallery.add("Edith", [template(4)])
        with pytest.raises(LostError, match="there is no server at postgresql://recog@127"):
            gallery.people()
        stopped.start()
        gallery.add("Edith", [template(4)])
        assert [person.name for person in gallery.people()] == ["Ada", "Edith", "Grace"]


def test_what_was_opened_again_and_not_taken_is_closed(
    filled: Path, stopped: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0)
    connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'recog'"
    for taken in (False, True):
        gallery = Gallery.open(filled, "model", 16)
        stopped.stop()
        with pytest.raises(LostError):
            gallery.people()
        stopped.start()
        with pytest.raises(LostError, match="not answered yet"):
            gallery.refresh(wait=False)
        if taken:  # by a call that opened it itself
            assert len(gallery.people()) == 2
        gallery.close()
        until(lambda: stopped.execute(connections) == [(0,)])


@pytest.mark.parametrize(
    ("number", "told"), [(99, "made by a newer version of recog"), (1, r"is damaged \(format 1\)")]
)
def test_a_gallery_of_a_format_that_is_not_known_is_refused(
    filled: Path, postgres: Server, number: int, told: str
) -> None:
    postgres.execute(f"UPDATE recog.about SET format = {number}")
    with pytest.raises(GalleryError, match=told):
        Gallery.open(filled, None, None)


def test_who_writes_waits_for_who_does_and_says_so_in_the_end(
    filled: Path, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(filled, "model", 16) as one, Gallery.open(filled, "model", 16) as other:
        other._store._db.execute("SET lock_timeout = '50ms'")
        with one._changing():
            with pytest.raises(GalleryError, match="locked by another program"):
                other.add("Edith", [template(4)])
            reader = threading.Thread(target=other.people)
            reader.start()
            reader.join(5)
            assert not reader.is_alive(), "who reads waits for nobody"
        other.add("Edith", [template(4)])


def test_several_writers_take_turns(where: Path, template: Templates) -> None:
    Gallery.open(where, "model", 16, create=True).close()

    def write(writer: int) -> None:
        with Gallery.open(where, "model", 16) as gallery:
            for i in range(5):
                gallery.add(f"leaves {writer} {i}", [template(i)])
                gallery.add(f"stays {writer} {i}", [template(i)])
                gallery.rename(f"leaves {writer} {i}", f"left {writer} {i}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Gallery.open(where, None, None) as gallery:
        assert len(gallery) == gallery.people_count == 30


def test_a_writer_that_is_cut_off_leaves_a_change_whole_or_not_at_all(
    filled: Path, postgres: Server, template: Templates
) -> None:
    def cut_off() -> None:
        with gallery._changing() as (_, db):
            db.execute("DELETE FROM people")
            postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^DELETE'")
            db.execute("DELETE FROM notes")

    with Gallery.open(filled, "model", 16) as gallery:
        with pytest.raises(LostError, match="wholly or not at all"):
            cut_off()
        assert [person.name for person in gallery.people()] == ["Ada", "Grace"]
        gallery.add("Edith", [template(4)])


def test_where_nothing_was_made_there_is_no_gallery(where: Path) -> None:
    with pytest.raises(MissingError):
        Gallery.open(where, None, None)
    with closing(Enrolled(where, "model", 16)) as run:
        assert run.people_count == 0
        Gallery.open(where, "model", 16, create=True).close()
        until(run.refresh)
