"""After `recog gallery migrate`, nothing that the model before has made is taken for this one's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import build
from pipeline.api import Recog
from pipeline.service.models import same_crops
from pipeline.service.store import Store, store_path

RED, GREEN = (40, 40, 220), (40, 200, 40)


@pytest.fixture
def migrated(
    serve: Callable[..., Any],
    world: Any,
    tmp_path: Path,
    embedder: Any,
    recog: Any,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A service with another model than the one that it has watched a film with; Rosa is enrolled."""
    gallery = tmp_path / "people.db"
    with Recog.open(gallery) as opened:
        opened.enroll("Rosa", [world.picture(tmp_path / "rosa.png", RED)])
    film = world.film(tmp_path / "film.avi", RED, GREEN, count=30)
    running = serve(sources=(str(film),))

    def over() -> bool:
        events = running.viewer.get("api/v1/events").json()["items"]
        return len(events) == 2 and not any(each["present"] for each in events)

    until(over)
    clusters = [each["id"] for each in running.viewer.get("api/v1/review").json()["clusters"]]
    assert len(clusters) == 1
    assert running.admin.post("api/v1/review/ignore", json={"clusters": clusters}).status_code == 200
    running.end()

    other = type(embedder)()  # embeds likewise, and numbers the colours the other way round
    straight = other.embed
    other.name, other.digest = "other colours", "2" * 64
    other.embed = lambda crops: np.ascontiguousarray(straight(crops)[:, ::-1])
    monkeypatch.setattr(build, "embedder", lambda settings: other)
    assert recog("gallery", "migrate", "--gallery", gallery).code == 0
    return serve()


def test_the_tape_begins_again_and_all_is_well(migrated: Any) -> None:
    service = migrated.service
    assert migrated.stranger.get("api/v1/health/ready").json()["trouble"] == []
    assert service.past().since() is None
    service.sweeper.sweep()
    rosa = migrated.viewer.get("api/v1/people").json()["items"][0]["id"]
    gone = migrated.admin.delete(f"api/v1/people/{rosa}", headers={"if-match": "*"})
    assert (gone.status_code, gone.json()["finished"]) == (200, True)


def test_a_face_that_was_seen_before_is_enrolled_as_this_model_sees_it(migrated: Any) -> None:
    events = migrated.viewer.get("api/v1/events").json()["items"]
    (stranger,) = [each["id"] for each in events if each["name"] is None]
    (rosa,) = [each for each in events if each["name"] == "Rosa"]
    answer = migrated.admin.post(f"api/v1/events/{stranger}/is", json={"name": "Gil"})
    assert answer.status_code == 200, answer.text
    denied = migrated.admin.post(f"api/v1/events/{rosa['id']}/not", json={"person": rosa["person"]})
    assert denied.status_code == 200, denied.text
    with migrated.service.recog.gallery() as gallery:
        enrolled = gallery.templates("Gil")
        assert {np.argmax(each.embedding) for each in enrolled} == {7 - 2}, "green, the other way round"
        against = gallery.denials("Rosa")
        assert {np.argmax(each.look.embedding) for each in against} == {7 - 4}, "red, the other way round"


def test_what_was_put_aside_with_another_model_is_like_nobody(migrated: Any) -> None:
    green_of_before = 10 * np.eye(8, dtype=np.float32)[2]  # somebody else, as this model sees them
    assert migrated.service.review._mark_decided({"r-1": green_of_before}) == set()
    with migrated.service.store.reading() as connection:
        (kept,) = connection.execute("SELECT faces, model FROM decisions").fetchall()
    assert kept["faces"] == green_of_before.tobytes()
    assert kept["model"] not in ("", migrated.service.recog.model)


def test_rows_of_before_models_were_noted_are_this_ones_since_its_tape_began(
    serve: Callable[..., Any], tmp_path: Path, embedder: Any, detector: Any
) -> None:
    gallery = tmp_path / "people.db"
    with Recog.open(gallery) as opened:
        model = opened.model
        opened.record(tmp_path / "people.service.tape", "r", "door", live=True).close()
    store = Store(store_path(gallery))
    with store.writing() as connection:
        for track, at in enumerate(("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z")):
            connection.execute(
                "INSERT INTO portraits VALUES ('r', ?, 0, ?, 0, 1, '', x'', x'', '')", (track, at)
            )
    store.close()
    running = serve()
    with running.service.store.reading() as connection:
        rows = connection.execute("SELECT model FROM portraits ORDER BY track").fetchall()
    assert [row[0] for row in rows] == ["unknown", model]


def test_crops_that_were_aligned_otherwise_are_of_no_use() -> None:
    assert same_crops("a 1111, five points", "b 2222, five points")
    assert not same_crops("a 1111, four points", "b 2222, five points")
    assert same_crops("unknown", "b 2222, five points")
