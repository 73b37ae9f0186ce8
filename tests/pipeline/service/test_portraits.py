"""Portraits are written beside the sources, which never wait for the disk, and never fail with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.api import Frame, Recog, Result
from pipeline.errors import ServiceError
from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.service import portraits
from pipeline.service.portraits import Keeper
from pipeline.service.store import Store
from pipeline.types import Look


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "people.service.db")
    yield made
    made.close()


@pytest.fixture
def keeper(tmp_path: Path, store: Store, embedder: Any) -> Keeper:
    return Keeper(Recog.open(tmp_path / "people.db"), store, lambda: 7)


def shown(world: Any, track: int, seconds: float = 0.0) -> Result:
    image = world.face(world.empty(), world.RED, 50, 50, 80)
    box = np.array([50, 50, 130, 130], np.float32)
    landmarks = (box[:2] + TEMPLATE / SIZE * 80).astype(np.float32)
    look = Look(track, box, landmarks, np.full(8, track, np.float32), 0.5)
    return Result(Frame(image, 0, seconds, "door"), (), looks=(look,))


def test_what_was_kept_comes_back_as_it_was(keeper: Keeper, world: Any) -> None:
    keeper.take("run", shown(world, 1))
    (found,) = keeper.of([("run", 1), ("run", 2)])[("run", 1)]
    assert (found.quality, found.seconds, found.flaw) == (0.5, 0.0, "")
    np.testing.assert_array_equal(found.embedding, np.full(8, 1, np.float32))
    assert found.crop is not None
    assert world.colour_at(found.crop, [0, 0, SIZE, SIZE]) == world.RED


def test_a_full_disk_costs_nothing_but_time(
    keeper: Keeper,
    store: Store,
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @contextmanager
    def full() -> Iterator[Any]:
        raise ServiceError("cannot use people.service.db: database or disk is full")
        yield

    monkeypatch.setattr(portraits, "PACE", 0.01)
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(store, "writing", full)
        keeper.start()
        keeper.take("run", shown(world, 1))
        keeper.take("run", shown(world, 2))
        with pytest.raises(ServiceError, match="disk is full"):
            keeper.of([("run", 1)])
        keeper.take("run", shown(world, 3))
    assert set(keeper.of([("run", track) for track in (1, 2, 3)])) == {("run", 1), ("run", 2), ("run", 3)}
    keeper.stop()
    assert sum("pictures of faces cannot be kept" in each.message for each in caplog.records) <= 1


def test_what_waits_is_bounded(keeper: Keeper, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portraits, "MOST_WAITING", 2)
    for track in (1, 2, 3):
        keeper.take("run", shown(world, track))
    assert set(keeper.of([("run", track) for track in (1, 2, 3)])) == {("run", 2), ("run", 3)}


def test_a_track_that_left_long_ago_is_forgotten_in_memory_only(keeper: Keeper, world: Any) -> None:
    keeper.take("run", shown(world, 1))
    keeper.take("run", shown(world, 2, seconds=portraits.LEFT + 1))
    assert keeper._runs["run"][0].of(1) == ()
    assert ("run", 1) in keeper.of([("run", 1)])
    keeper.ended("run")
    assert keeper._runs == {}


def test_a_track_that_was_forgotten_is_not_kept_again_while_it_is_in_view(
    keeper: Keeper, world: Any, store: Store
) -> None:
    keeper.take("run", shown(world, 1))
    keeper.take("run", shown(world, 2))
    keeper.flush()
    keeper.forget([("run", 1)])
    for second in (1.0, 2.0):
        keeper.take("run", shown(world, 1, second))
        keeper.take("run", shown(world, 2, second))
    assert set(keeper.of([("run", 1), ("run", 2)])) == {("run", 2)}
    assert keeper._runs["run"][0].of(1) == ()
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM portraits WHERE track = 1").fetchone()[0] == 0


def test_with_nothing_to_be_kept_nothing_is_and_what_is_deleted_is_gone(
    store: Store, world: Any, tmp_path: Path, embedder: Any
) -> None:
    days = 7
    keeper = Keeper(Recog.open(tmp_path / "people.db"), store, lambda: days)
    keeper.take("run", shown(world, 1))
    keeper.flush()
    with store.reading() as connection:
        jpeg = connection.execute("SELECT jpeg FROM portraits").fetchone()[0]
    keeper.forget([("run", 1)])
    assert keeper.of([("run", 1)]) == {}
    for path in tmp_path.glob("people.service.db*"):
        assert jpeg not in path.read_bytes()
    days = 0
    keeper.take("run", shown(world, 2))
    assert keeper.of([("run", 2)]) == {}
