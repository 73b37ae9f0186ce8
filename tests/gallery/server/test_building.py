"""The server's index is made with the memory that it needs, and what takes long is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, NewTemplate
from gallery.server import building
from gallery.server import store as server_store
from gallery.transfer import copy
from tests.gallery.server.conftest import Templates, names
from tests.postgres import Server

USUAL = "64MB"  # of a server to whom nobody said anything


@pytest.fixture
def built(filled: Path, postgres: Server) -> Iterator[Server]:
    """A server that remembers with which settings each index was made (table `built`)."""
    postgres.execute(
        """
        CREATE TABLE public.built (number SERIAL, memory TEXT, processes TEXT, timeout TEXT);
        CREATE FUNCTION public.remember() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO public.built (memory, processes, timeout) VALUES (
                current_setting('maintenance_work_mem'), current_setting('max_parallel_maintenance_workers'),
                current_setting('statement_timeout'));
        END $$;
        CREATE EVENT TRIGGER remember ON ddl_command_end WHEN TAG IN ('CREATE INDEX')
            EXECUTE FUNCTION public.remember();
        """
    )
    yield postgres
    postgres.execute("DROP EVENT TRIGGER remember; DROP FUNCTION public.remember; DROP TABLE public.built")


def other_model(gallery: Gallery, length: int, say: building.Say = building.unheard) -> None:
    ids, _, _ = gallery.embeddings()
    gallery.migrate({int(i): np.full(length, i, np.float32) for i in ids}, "other", length, say=say)


@pytest.mark.parametrize(
    ("each", "most", "memory"),
    [(1 << 10, 1 << 30, USUAL), (100 << 20, 1 << 30, "330MB"), (100 << 20, 70 << 20, "70MB")],
    ids=["enough", "raised", "bounded"],
)
def test_memory_is_raised_while_the_index_is_made_and_for_no_longer(
    filled: Path, built: Server, monkeypatch: pytest.MonkeyPatch, each: int, most: int, memory: str
) -> None:
    monkeypatch.setattr(building, "_NODE", each - 4 * 8)
    monkeypatch.setattr(building, "MOST", most)
    with Gallery.open(filled, None, None) as gallery:
        db = gallery._store._db
        db.execute("SET statement_timeout = '1min'")  # as servers for hire have it
        other_model(gallery, 8)
        assert built.execute("SELECT memory, timeout FROM public.built") == [(memory, "0")]
        for setting, value in (("maintenance_work_mem", USUAL), ("statement_timeout", "1min")):
            assert db.execute(f"SHOW {setting}").fetchone() == (value,)
        with gallery._changing() as (_, changing):  # nor for what else is done in one transaction
            building.build(changing, 8)
            assert changing.execute("SHOW maintenance_work_mem").fetchone() == (USUAL,)
            assert changing.execute("SHOW lock_timeout").fetchone() == ("5s",)


def test_what_its_user_was_given_stays_and_what_does_not_fit_into_it_is_said(
    tmp_path: Path, where: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LONG", 100)
    monkeypatch.setattr(building, "_PAUSE", 0.01)
    rows = np.random.default_rng(3).normal(size=(1500, 16)).astype(np.float32)
    photos = [NewTemplate(row, None, 0.5, "", f"{i}") for i, row in enumerate(rows)]
    said: list[str] = []
    went: dict[str, list[tuple[int, int | None]]] = {}
    with Gallery.open(tmp_path / "faces.db", "model", 16, create=True) as gallery:
        gallery.add("Ada", photos)
    postgres.execute("ALTER ROLE recog SET maintenance_work_mem = '1MB'")
    try:
        copy(
            tmp_path / "faces.db", where, said.append,
            lambda what, done, total: went.setdefault(what, []).append((done, total)),
        )  # fmt: skip
    finally:
        postgres.execute("ALTER ROLE recog RESET maintenance_work_mem")
    assert "makes its index of 1,500 photos" in said[0]
    assert "no more fit into the 1 MB" in said[1]
    fitted = int(said[1].split()[0].replace(",", ""))
    assert 1 << 20 < building.needed(fitted, 16) < 1.5 * (1 << 20), "as much as is asked for is enough"
    done, total = went["copying"][-1]
    assert done == total
    assert went["making the index"][0] == (0, 1500)
    assert 0 < went["making the index"][-1][0] <= 1500
    with Gallery.open(where, "model", 16) as gallery:
        assert gallery.search(rows[1400:1401], 1).distances[0, 0] == pytest.approx(0, abs=1e-5)


def test_an_index_is_made_by_one_process_where_several_have_too_little_memory_in_common(
    filled: Path, built: Server
) -> None:
    built.execute("ALTER TABLE recog.templates SET (parallel_workers = 2)")  # however few there are
    with Gallery.open(filled, None, None) as gallery:
        # As a container with 64 MB of /dev/shm; the log of the server comes in files of 16 MB.
        built.bound(gallery._store._db.pid, 32 << 20)
        other_model(gallery, 8)
        assert built.execute("SELECT processes FROM public.built") == [("0",)]
        assert gallery._store._db.execute("SHOW max_parallel_maintenance_workers").fetchone() == ("2",)
    index = "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'templates_l1%'"
    ((name, definition),) = built.execute(index)
    assert name == "templates_l1"
    assert "vec(8)" in definition or "vector(8)" in definition


def test_others_search_while_another_index_is_made(
    filled: Path, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LONG", 1)
    monkeypatch.setattr(server_store, "LARGE", 1)
    found: list[list[str]] = []
    with Gallery.open(filled, "model", 16) as other, Gallery.open(filled, None, None) as gallery:
        other._store._db.execute("SET lock_timeout = '50ms'")
        other_model(gallery, 8, lambda line: found.append(names(other, template(1))))
    assert found == [["Ada", "Grace"]]
