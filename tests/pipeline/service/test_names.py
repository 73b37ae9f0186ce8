"""Names follow the gallery; what follows from a change is tried again, and ends no thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Recog
from pipeline.errors import ServiceError
from pipeline.service import names as module
from pipeline.service.names import Names

RED, GREEN = (40, 40, 220), (40, 200, 40)
FULL = ServiceError("cannot use people.service.db: database or disk is full")


@pytest.fixture
def enrolled(tmp_path: Path, world: Any, detector: Any, embedder: Any) -> Iterator[Recog]:
    with Recog.open(tmp_path / "people.db") as recog:
        recog.enroll("Rosa", [world.picture(tmp_path / "rosa.png", RED)])
        yield recog


def test_a_change_that_could_not_be_followed_is_followed_once_it_can_be(
    enrolled: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOON", 0.0)
    told: list[str] = []
    full = True

    def changed() -> None:
        told.append("full" if full else "done")
        if full:
            raise FULL

    names = Names(enrolled, changed)
    names.refresh()
    enrolled.enroll("Gil", [world.picture(tmp_path / "gil.png", GREEN)])
    assert names.id_of("Gil") is not None, "a source is told the name all the same"
    names.refresh()
    assert (told, names.behind) == (["full", "full"], str(FULL))
    full = False
    names.refresh()
    names.refresh()
    assert (told, names.behind) == (["full", "full", "done"], None)


def test_a_bug_is_not_hidden(enrolled: Recog, world: Any, tmp_path: Path) -> None:
    names = Names(enrolled, lambda: [][1])
    names.refresh()
    enrolled.enroll("Gil", [world.picture(tmp_path / "gil.png", GREEN)])
    with pytest.raises(IndexError):
        names.refresh()


def test_a_full_disk_does_not_end_what_follows_the_gallery(
    serve: Callable[..., Any],
    world: Any,
    tmp_path: Path,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.service.service.EVERY", 0.02)
    running = serve()
    service = running.service
    for name, colour in (("ally", RED), ("alice", GREEN)):
        service.recog.enroll(name, [world.picture(tmp_path / f"{name}.png", colour)])
    service.people_changed()
    ids = {name: service.names.id_of(name) for name in ("ally", "alice")}
    with service.store.writing() as connection:
        connection.execute(
            "INSERT INTO events VALUES ('r-1', 's', 'r', 1, '2026-01-01T00:00:00.000Z', "
            "'2026-01-01T00:00:01.000Z', 0, 0, 'named', 'ally', ?, 1, '', 3, '[0,0,1,1]', NULL, 0, 0)",
            (ids["ally"],),
        )

    @contextmanager
    def full() -> Iterator[Any]:
        raise FULL
        yield

    with monkeypatch.context() as patch:
        patch.setattr(service.store, "writing", full)
        with service.recog.gallery() as gallery:
            gallery.merge("ally", "alice")
        until(lambda: running.stranger.get("api/v1/health/ready").status_code == 503)
        told = running.stranger.get("api/v1/health/ready").json()["trouble"]
        assert told == ["events do not follow the gallery; is the disk full?"]
    until(lambda: running.viewer.get("api/v1/events").json()["items"][0]["person"] == ids["alice"])
    until(lambda: running.stranger.get("api/v1/health/ready").status_code == 200)
