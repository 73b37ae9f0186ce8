"""Searching a gallery on a server that is larger than a memory should hold."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, followed, searched
from gallery.errors import BusyError, LostError
from gallery.followed import Enrolled
from gallery.server import index as server_index
from gallery.server import store as server_store
from tests.gallery.server.conftest import Templates, names, until
from tests.postgres import Server


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


def test_of_a_large_gallery_those_found_lately_are_compared_with_while_the_server_is_gone(
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


class SlowReading(searched.Background):
    """One that takes as long as that of a large gallery, or on a machine with much else to do."""

    asked = 0

    def done(self) -> bool:
        self.asked += 1
        return self.asked > 3 and super().done()


@pytest.mark.parametrize("reading", [searched.Background, SlowReading])
def test_that_a_part_was_asked_for_want_of_the_server_is_said_and_all_of_it_is_once_it_is_back(
    filled: Path,
    stopped: Server,
    template: Templates,
    large: None,
    monkeypatch: pytest.MonkeyPatch,
    reading: type[searched.Background],
) -> None:
    monkeypatch.setattr(followed, "PAUSE", 0.05)
    monkeypatch.setattr(searched, "Background", reading)
    said: list[str] = []
    with Gallery.open(filled, "model", 16) as other:
        other.add_people({f"person {i}": [template(i), template(i + 100)] for i in range(10, 60)}, "enroll")
    with closing(Enrolled(filled, "model", 16, said.append)) as run:
        assert names(run, template(1))[0] == "Ada"
        assert run.search(template(1).embedding[None]).whole
        assert run.refresh() is False
        stopped.stop()
        until(lambda: run.refresh() or bool(said))
        assert (
            "any more; until then, verdicts that stand are kept, and everybody else is undecided" in said[0]
        )
        assert names(run, template(1))[0] == "Ada"
        assert not run.search(template(1).embedding[None]).whole, (
            "who is nearer than Ada may be among the others"
        )
        unknown = next(i for i in range(10, 60) if f"person {i}" not in names(run, template(i)))
        stopped.start()
        until(run.refresh)  # so that the looks at those in view are judged again
        assert said[1:] == [f"the gallery {filled} is followed again"]
        assert not any(run.refresh() for _ in range(5)), "once"
        assert names(run, template(unknown))[0] == f"person {unknown}"
        assert run.search(template(unknown).embedding[None]).whole


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


def test_of_a_large_gallery_no_more_is_read_than_is_new(
    filled: Path, template: Templates, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, owners = [], server_store.ServerStore.owners

    def counted(self: server_store.ServerStore, *given: int) -> tuple[np.ndarray, np.ndarray]:
        found = owners(self, *given)
        read.append(len(found[0]))
        return found

    with closing(Enrolled(filled, "model", 16)) as run, Gallery.open(filled, "model", 16) as other:
        names(run, template(1))
        monkeypatch.setattr(server_store.ServerStore, "owners", counted)
        other.add("Edith", [template(4)])
        until(run.refresh)
        assert read == [1]
        other.rename("Edith", "Zoe")
        until(run.refresh)
        assert read == [1, 4], "once, to see who is gone"


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
            assert not run.search(template(1).embedding[None], 1, pooled=True).whole
        assert names(run, template(1)) == ["Ada", "Grace"], "nothing was kept of that moment"
        assert run.search(template(1).embedding[None], 1, pooled=True).whole


def test_a_part_of_a_gallery_answers_only_those_who_go_on_with_it(
    filled: Path, template: Templates, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Enrolled(filled, "model", 16)) as run, Gallery.open(filled, "model", 16) as once:
        for each in (run, once):
            assert each.search(template(1).embedding[None]).whole
        nothing = [(np.zeros(0, np.int64), np.zeros((0, 16), np.float32))]  # as of another model
        monkeypatch.setattr(server_store.ServerStore, "nearest", lambda *given: nothing)
        assert not run.search(template(1).embedding[None]).whole
        with pytest.raises(BusyError, match="another program is changing the gallery"):
            once.search(template(1).embedding[None])


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
