"""Nothing of somebody stays in the service's file: not by a track alone, not in another spelling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.service import schema
from pipeline.service.forgetting import forget_in_store, unreadable
from pipeline.service.jobs import json_text
from pipeline.service.store import Store, store_path
from pipeline.types import Floats

EVENT = "INSERT INTO events VALUES (?, 's', 'r', ?, 't', 't', 0, 0, ?, ?, ?, 1, ?, 3, '[]', NULL, 0, 0)"
PORTRAIT = "INSERT INTO portraits VALUES ('r', ?, 0, 't', 0, 1, '', x'00', ?, 'model')"
JOB = "INSERT INTO jobs VALUES (?, 'k', 'done', 't', 't', ?, 1, 1, ?, ?, ?)"


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return tmp_path / "people.db"


@pytest.fixture
def store(gallery: Path) -> Iterator[Store]:
    made = Store(store_path(gallery))
    yield made
    made.close()


def forgotten(gallery: Path, *names: str, tracks: tuple[tuple[str, int], ...] = ()) -> dict[str, int]:
    def likely(faces: Floats) -> list[bool]:
        return [True] * len(faces)

    return dict(forget_in_store(gallery, "1", names, tracks, "model", 2, likely, True))


def left(gallery: Path, asked: str) -> list[object]:
    store = Store(store_path(gallery))
    with store.reading() as connection:
        found = [row[0] for row in connection.execute(asked)]
    store.close()
    return found


def test_portraits_go_by_their_track_and_where_their_event_is_deleted(store: Store, gallery: Path) -> None:
    with store.writing() as connection:
        connection.execute(EVENT, ("r-1", 1, "unknown", None, None, ""))
        connection.execute(EVENT, ("r-2", 2, "named", "Ben", "2", ""))
        for track in (1, 2, 3):
            connection.execute(PORTRAIT, (track, f"PICTURE-{track}".encode()))
    store.close()
    told = forgotten(gallery, "Zoe", tracks=(("r", 1),))
    assert told["portraits of the review queue"] == 1
    assert left(gallery, "SELECT track FROM portraits") == [2]
    content = store_path(gallery).read_bytes()
    assert [f"PICTURE-{track}".encode() in content for track in (1, 2, 3)] == [False, True, False]


def test_nothing_is_told_of_portraits_that_are_nobodys(store: Store, gallery: Path) -> None:
    with store.writing() as connection:
        connection.execute(PORTRAIT, (3, b"PICTURE"))
    store.close()
    assert not any(forgotten(gallery, "Zoe").values())


@pytest.mark.parametrize("name", ["Zo\u00eb", 'Ann "Nan" O', "back\\slash"])
def test_jobs_go_that_name_somebody_in_whatever_spelling(store: Store, gallery: Path, name: str) -> None:
    result = {"unusable": ["Ben", name]}
    rows = [
        ("new", "", "{}", json_text(result), None),
        ("old", "", "{}", json.dumps(result), None),
        ("given", "", json.dumps({"name": name}), None, None),
        ("what", f"photographs of {name}", "{}", None, None),
        ("problem", "", "{}", None, f"{name} is not enrolled"),
        ("ben", "photographs of Ben", '{"name": "Ben"}', '{"unusable": ["Ben"]}', "Ben is not enrolled"),
    ]
    with store.writing() as connection:
        connection.executemany(JOB, rows)
    store.close()
    forgotten(gallery, name)
    assert left(gallery, "SELECT id FROM jobs") == ["ben"]


def test_half_a_character_in_what_a_job_was_asked_can_be_kept() -> None:
    text = json_text({"folder": "caf\udce9 Zo\u00eb"})
    assert "Zo\u00eb" in text.encode().decode()
    assert json.loads(text) == {"folder": "caf\udce9 Zo\u00eb"}


def test_sentences_of_before_lose_the_name_that_they_held(
    gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.service.store.SCRIPTS", schema.SCRIPTS[:3])
        old = Store(store_path(gallery))
        with old.writing() as connection:
            connection.execute(EVENT, ("r-1", 1, "undecided", None, None, "Rosamunde is another face here"))
            connection.execute(EVENT, ("r-2", 2, "named", "Ben", "2", "evidence 9.2"))
        old.close()
    assert left(gallery, "SELECT why FROM events ORDER BY id") == [
        "who comes nearest is another face here",
        "evidence 9.2",
    ]
    for path in gallery.parent.iterdir():
        assert b"Rosamunde" not in path.read_bytes()


def test_groups_of_another_model_are_left_and_counted(store: Store, gallery: Path) -> None:
    face = np.ones(2, "<f4").tobytes()
    with store.writing() as connection:
        for model in ("model", "", "another"):
            connection.execute(
                "INSERT INTO decisions VALUES (?, 'ignore', 't', 1, ?, NULL, ?)",
                (model or "old", face, model),
            )
    store.close()
    assert unreadable(gallery, "model", 2) == 1
    assert forgotten(gallery, "Zoe")["groups put aside"] == 2
    assert left(gallery, "SELECT id FROM decisions") == ["another"]
