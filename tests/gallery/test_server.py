"""What is particular to a gallery on a server: the way there, its rights, its end and its return."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate, followed, live
from gallery.address import place
from gallery.errors import LostError, MissingError
from gallery.followed import Enrolled
from gallery.server import index as server_index
from gallery.server import store as server_store
from tests.postgres import Server

Templates = Callable[..., NewTemplate]


@pytest.fixture
def where(postgres: Server) -> Path:
    postgres.empty()
    return place(postgres.url)


@pytest.fixture
def filled(where: Path, template: Templates) -> Path:
    """Ada has pictures 1 and 2, Grace 3."""
    with Gallery.open(where, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1), template(2)])
        gallery.add("Grace", [template(3)])
    return where


@pytest.fixture
def stopped(postgres: Server) -> Iterator[Server]:
    """A server that the test may stop; it runs again afterwards."""
    yield postgres
    postgres.stop()
    postgres.start()


def until(true: Callable[[], bool]) -> float:
    """Wait until something is true; for how many seconds."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < 20
        time.sleep(0.005)
    return time.monotonic() - started


def names(people: Enrolled | Gallery, template: NewTemplate) -> list[str]:
    return list(people.search(template.embedding[None], 9, pooled=True).names[0])


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


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a handful of templates were too many for a memory."""
    monkeypatch.setattr(server_store, "LARGE", 1)


def test_what_the_server_suggests_is_ranked_with_the_scores_of_a_file(
    where: Path, tmp_path: Path, template: Templates, large: None
) -> None:
    people = {f"person {i}": [template(3 * i), template(3 * i + 1)] for i in range(60)}
    with (
        Gallery.open(where, "model", 16, create=True) as server,
        Gallery.open(tmp_path / "faces.db", "model", 16, create=True) as file,
    ):
        for gallery in (server, file):
            gallery.add_people(people, "enroll")
        probes = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
        for pooled in (False, True):
            ours, theirs = (each.search(probes, 3, pooled) for each in (server, file))
            assert ours.names == theirs.names
            # A few templates of a file are summed up by FAISS, in another order.
            np.testing.assert_allclose(ours.distances, theirs.distances, rtol=0 if pooled else 1e-6)
        server.remove("person 7")
        assert "person 7" not in server.search(template(21).embedding[None], 60).names[0]
        server.set_aside("person 8", server.photos("person 8")[:1])
        assert server.search(template(24).embedding[None], 1).distances[0, 0] > 0


def test_the_index_of_the_server_is_what_searches(where: Path, postgres: Server, template: Templates) -> None:
    with Gallery.open(where, "model", 16, create=True) as gallery:
        gallery.add_people({f"person {i}": [template(i)] for i in range(50)}, "enroll")
    probe = [float(number) for number in template(3).embedding]
    plan = postgres.execute(
        "SET search_path TO recog, public; SET enable_seqscan = off; "
        "EXPLAIN SELECT id, embedding FROM templates WHERE aside = 0 AND vector_dims(embedding) = 16 "
        "AND (SELECT value FROM meta WHERE key = 'fingerprint') = 'model' "
        f"ORDER BY embedding::vector(16) <+> '{probe}'::vector(16) LIMIT 9"
    )
    assert "templates_l1" in str(plan)


def test_of_a_large_gallery_those_found_lately_are_known_while_the_server_is_gone(
    filled: Path, stopped: Server, template: Templates, large: None
) -> None:
    with closing(Enrolled(filled, "model", 16)) as run:
        assert names(run, template(1)) == ["Ada", "Grace"]
        before = run.search(template(1).embedding[None], 1, pooled=True).distances
        stopped.stop()
        assert names(run, template(1)) == ["Ada", "Grace"]
        assert run.search(template(1).embedding[None], 1, pooled=True).distances == before
    with Gallery.open(start(stopped, filled), "model", 16) as once:
        once.search(template(1).embedding[None])
        stopped.stop()
        with pytest.raises(LostError):
            once.search(template(1).embedding[None])


def start(server: Server, where: Path) -> Path:
    server.start()
    return where


def test_a_server_may_know_of_more_than_a_run_and_of_less(
    filled: Path, template: Templates, large: None
) -> None:
    with Gallery.open(filled, "model", 16) as mine, Gallery.open(filled, "model", 16) as other:
        assert names(mine, template(1)) == ["Ada", "Grace"]
        other.add("Edith", [template(4)])
        other.remove("Grace")
        assert "Edith" not in names(mine, template(4)), "before it was told"
        mine.refresh()
        assert sorted(names(mine, template(4))) == ["Ada", "Edith"]


def test_whose_photos_cannot_be_had_this_moment_is_nobody(
    filled: Path, template: Templates, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = template(9)
    stranger.embedding[:] *= 1e-3  # as near as can be to what is of no length

    def gone(*given: object) -> None:
        raise LostError("just now")

    with closing(Enrolled(filled, "model", 16)) as run:
        with monkeypatch.context() as now:
            now.setattr(server_store.ServerStore, "under", gone)
            assert names(run, stranger) == []
            assert names(run, template(1)) == []
        assert names(run, template(1)) == ["Ada", "Grace"], "nothing was kept of that moment"


@pytest.mark.parametrize("length", [16, 8])
def test_another_model_of_a_large_gallery_is_compared_with_nobody(
    filled: Path, template: Templates, large: None, length: int
) -> None:
    said: list[str] = []
    with closing(Enrolled(filled, "model", 16, said.append)) as run:
        assert names(run, template(1)) == ["Ada", "Grace"]
        before = run.search(template(1).embedding[None], 1, pooled=True).distances
        with Gallery.open(filled, None, None) as other:
            ids, _, _ = other.embeddings()
            other.migrate({int(i): template(9).embedding[:length] for i in ids}, "other", length)
        for _ in ("before it was told", "and afterwards"):
            probes = np.stack([template(1).embedding, template(9).embedding])
            found = run.search(probes, 1, pooled=True)
            assert found.names[0] == ("Ada",)
            assert found.distances[0, 0] == before[0, 0], "those found lately are known as they were"
            assert found.distances[1, 0] > 1, "and nobody by the new embeddings"
            until(lambda: run.refresh() or bool(said))
        assert "went over to the model other" in said[0]


def test_a_run_goes_on_while_the_table_is_locked(filled: Path, template: Templates, large: None) -> None:
    with closing(Enrolled(filled, "model", 16)) as run, Gallery.open(filled, "model", 16) as other:
        assert names(run, template(1)) == ["Ada", "Grace"]
        assert run._gallery is not None
        run._gallery._store._db.execute("SET lock_timeout = '50ms'")
        with other._changing() as (_, db):
            db.execute("LOCK TABLE templates")
            assert names(run, template(1)) == ["Ada", "Grace"]


def test_another_model_of_another_length_has_an_index_again(filled: Path, postgres: Server) -> None:
    with Gallery.open(filled, None, None) as gallery:
        ids, _, _ = gallery.embeddings()
        gallery.migrate({int(i): np.full(8, i, np.float32) for i in ids}, "other", 8)
        index = "SELECT indexdef FROM pg_indexes WHERE indexname = 'templates_l1'"
        assert "vector(8)" in str(postgres.execute(index))
        gallery.undo()
        assert "vector(16)" in str(postgres.execute(index))


def test_a_password_works_and_is_shown_nowhere(
    where: Path, filled: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute("DROP ROLE IF EXISTS locked")
    postgres.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 's3cret/@word'")
    address = postgres.url.replace("recog@", "locked:s3cret%2F%40word@")
    with Gallery.open(place(address), None, None) as gallery:
        assert len(gallery) == 3
        for shown in (str(gallery.path), repr(gallery.path), repr(gallery.stats())):
            assert "s3cret" not in shown
    titles = postgres.execute("SELECT query, application_name FROM pg_stat_activity")
    assert "s3cret" not in str(titles)
    for wrong in (address.replace("word@", "wrong@"), address.replace("s3cret%2F", "s3cret/")):
        with pytest.raises(GalleryError) as refused:
            Gallery.open(place(wrong), None, None)
        told = f"{refused.value!r} {refused.value.__cause__!r}"
        assert "s3cret" not in told
        assert "word" not in told.replace("password", "")
    plain = place(postgres.url.replace("recog@", "locked@") + "?connect_timeout=3")
    with pytest.raises(GalleryError, match="asks for a password; give it in PGPASSWORD"):
        Gallery.open(plain, None, None)
    monkeypatch.setenv("PGPASSWORD", "s3cret/@word")
    Gallery.open(plain, None, None).close()


def test_what_keeps_a_gallery_from_being_opened_is_one_line(where: Path, postgres: Server) -> None:
    def told(address: str, create: bool = False) -> str:
        with pytest.raises(GalleryError) as refused:
            Gallery.open(place(address), "model", 16, create=create)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    base = postgres.url.rpartition("/")[0]
    assert "there is no server at" in told("postgresql://recog@127.0.0.1:1/faces")
    assert "no such database" in told(f"{base}/nowhere")
    assert "does not let this user in" in told(postgres.url.replace("recog@", "nobody@"))
    assert "make one with: recog enroll" in told(postgres.url)
    assert "cannot be read" in told("postgresql://recog@127.0.0.1:port/faces")
    if not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'bare'"):
        postgres.execute("CREATE DATABASE bare")
    postgres.execute("DROP ROLE IF EXISTS guest")
    postgres.execute("CREATE ROLE guest LOGIN")
    guest = f"{base}/bare".replace("recog@", "guest@")
    assert "lacks a right (permission denied" in told(guest, create=True)


def test_a_user_who_may_only_read_recognises_and_changes_nothing(
    filled: Path, postgres: Server, template: Templates
) -> None:
    for statement in (
        "DROP OWNED BY guest",
        "GRANT USAGE ON SCHEMA recog TO guest",
        "GRANT SELECT ON ALL TABLES IN SCHEMA recog TO guest",
    ):
        if not postgres.execute("SELECT 1 FROM pg_roles WHERE rolname = 'guest'"):
            postgres.execute("CREATE ROLE guest LOGIN")
        postgres.execute(statement)
    guest = place(postgres.url.replace("recog@", "guest@"))
    with Gallery.open(guest, "model", 16) as reader, Gallery.open(filled, "model", 16) as writer:
        assert names(reader, template(1)) == ["Ada", "Grace"]
        with pytest.raises(GalleryError, match="can only be read here: its user may not write"):
            reader.add("Edith", [template(4)])
        writer.add("Edith", [template(4)])
        assert reader.refresh()
        assert reader.knows("Edith")


def test_a_user_without_a_right_to_the_schema_is_told_so(filled: Path, postgres: Server) -> None:
    if not postgres.execute("SELECT 1 FROM pg_roles WHERE rolname = 'guest'"):
        postgres.execute("CREATE ROLE guest LOGIN")
    postgres.execute("DROP OWNED BY guest")
    with pytest.raises(GalleryError, match="GRANT USAGE ON SCHEMA recog"):
        Gallery.open(place(postgres.url.replace("recog@", "guest@")), None, None)


def test_a_database_without_pgvector_says_how_to_get_it(filled: Path, postgres: Server) -> None:
    if not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'bare'"):
        postgres.execute("CREATE DATABASE bare")
    postgres.execute("CREATE SCHEMA IF NOT EXISTS recog", "bare")
    with pytest.raises(GalleryError, match="CREATE EXTENSION vector"):
        Gallery.open(place(postgres.url.rpartition("/")[0] + "/bare"), None, None)
    postgres.execute("DROP SCHEMA recog", "bare")


def test_a_gallery_of_a_newer_recog_is_refused(filled: Path, postgres: Server) -> None:
    postgres.execute("UPDATE recog.about SET format = 99")
    with pytest.raises(GalleryError, match="made by a newer version of recog"):
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


def test_what_is_in_memory_is_bounded_and_people_are_in_it_wholly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_index, "LARGE", 10)
    rows = np.arange(40 * 4).reshape(40, 4).astype(np.float32)

    class Server:
        def under(self, ids: np.ndarray, made_with: tuple[str, int]) -> tuple[np.ndarray, np.ndarray]:
            return ids, rows[ids]

    made = server_index.ServerIndex(("model", 4), Server, live=True)  # type: ignore[arg-type]
    made.add(np.arange(40), None)
    for first in range(0, 40, 4):
        person = np.arange(first, first + 4)
        made._remember(person[2:], rows[person[2:]])  # some are there, and room may have to be made
        np.testing.assert_array_equal(made.embeddings(person), rows[person])
        assert made._has(person).all()
        assert len(made._memory) <= 10
    assert made.remote
